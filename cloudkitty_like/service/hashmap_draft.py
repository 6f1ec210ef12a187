"""What a caller of the API asks a rule to be, and the rule that it makes: pure functions on values.

Messages that CloudKitty's published tests and clients read have its words.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeVar
from uuid import uuid4

from cloudkitty_like.db.names import FIELD, GROUP, SERVICE
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.rule import Rule, Type, Validity
from cloudkitty_like.service.hashmap_names import Directory, Ids

_T = TypeVar("_T")
RuleKind = Literal["mapping", "threshold"]
MAPPING: RuleKind = "mapping"
THRESHOLD: RuleKind = "threshold"

RUNNING = "You are allowed to update only the attribute [end] as this rule is already running as it started on [%s]"
ENDED = "Cannot update a rule that was already processed and has a defined end date."
MISSING = "%s: Invalid input for field/attribute %s. Value: 'None'. Mandatory field missing."
NO_VALUE = "You must specify a value for a field mapping."


class Unset(Enum):
    """The type of ``UNSET``: the caller has said nothing, which is not the same as None."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The attributes of a mapping or threshold that a caller has given; ids in their canonical text, times aware."""

    service_id: str | Unset | None = UNSET
    field_id: str | Unset | None = UNSET
    group_id: str | Unset | None = UNSET
    tenant_id: str | Unset | None = UNSET
    value: str | Unset | None = UNSET
    level: Decimal | Unset | None = UNSET
    type: Type | Unset | None = UNSET
    cost: Decimal | Unset | None = UNSET
    start: datetime | Unset | None = UNSET
    end: datetime | Unset | None = UNSET
    name: str | Unset | None = UNSET
    description: str | Unset | None = UNSET


def kind_of(rule: Rule) -> RuleKind:
    return MAPPING if rule.level is None else THRESHOLD


def new_rule(kind: RuleKind, draft: Draft, directory: Directory, now: datetime, force: bool) -> Rule:
    """The rule that a draft describes; Invalid where it describes none, or starts in the past without ``force``."""
    start = _given(draft.start) or now
    if start < now and not force:
        raise Invalid(f"start: {instant(start)} is in the past",
                      hint="a forced rule may start in the past; what is rated already is not rated again by itself")
    valid = _validity(start, _given(draft.end))
    service, field = _parent(draft, directory)
    value = _given(draft.value) or None
    level, cost = _given(draft.level), _given(draft.cost)
    if kind == MAPPING:
        if level is not None:
            raise Invalid("level: a mapping has none")
        if field is None and value is not None:
            raise Invalid("value: You can't specify a value for a service mapping.")
        if field is not None and value is None:
            raise Invalid(NO_VALUE)
    elif level is None:
        raise Invalid(MISSING % ("level", "level"))
    if cost is None:
        raise Invalid(MISSING % ("cost", "cost"))
    return Rule(
        service=service, field=field, value=value, level=level, cost=cost, type=_given(draft.type) or "flat",
        group=_group(draft, directory), scope=_given(draft.tenant_id), valid=valid,
        name=_given(draft.name) or (uuid4().hex if kind == MAPPING else ""),
        description=_given(draft.description) or "",
    )


def changed_mapping(rule: Rule, ids: Ids, draft: Draft, now: datetime) -> Rule:
    """What a draft makes of a mapping.

    A running one can only be ended, once; of one that has not begun cost, start,
    end and description are replaced.  Invalid where more is asked for.
    """
    begin, end = rule.valid.begin, _given(draft.end)
    if draft.value == "" and rule.value is not None:
        raise Invalid(NO_VALUE)
    if begin is None or begin <= now:
        if rule.valid.end is not None:
            if end != rule.valid.end or _differs(rule, ids, draft):
                raise Invalid(ENDED)
            return rule                # a client that follows the redirect of its PUT sends it a second time
        if _differs(rule, ids, draft):
            raise Invalid(RUNNING % ("always" if begin is None else begin.replace(tzinfo=None)))
        if end is not None and end < now:
            raise Invalid(f"end: {instant(end)} is in the past")
        return replace(rule, valid=_validity(begin, end))
    start, cost = _given(draft.start) or begin, _given(draft.cost)
    if cost is None:
        raise Invalid(MISSING % ("cost", "cost"))
    if start < now:
        raise Invalid(f"start: {instant(start)} is in the past")
    return replace(rule, cost=cost, description=_given(draft.description) or "", valid=_validity(start, end))


def changed_threshold(rule: Rule, draft: Draft, directory: Directory, now: datetime) -> Rule:
    """What a draft makes of a threshold from now on; what it leaves out is at its default, but for the group."""
    level, cost = _given(draft.level), _given(draft.cost)
    missing = [MISSING % (name, name) for name, number in (("level", level), ("cost", cost)) if number is None]
    if level is None or cost is None:
        raise Invalid(*missing)
    if rule.valid.is_over(now):
        raise Invalid(ENDED)
    return replace(rule, level=level, cost=cost, type=_given(draft.type) or "flat", scope=_given(draft.tenant_id),
                   group=rule.group if draft.group_id is UNSET else _group(draft, directory))


def _differs(rule: Rule, ids: Ids, draft: Draft) -> bool:
    """Whether a draft gives anything but the end another value than it has.

    A client sends back the whole object that it has read, so values count and
    not how they are written: a null where there must be a value says nothing.
    """
    texts = ((draft.service_id, ids.service), (draft.field_id, ids.field), (draft.group_id, ids.group),
             (draft.value, rule.value), (draft.description, rule.description))
    always_there = ((draft.type, rule.type), (draft.cost, rule.cost), (draft.start, rule.valid.begin),
                    (draft.name, rule.name))
    return (any(given is not UNSET and (given or "") != (there or "") for given, there in texts)
            or any(given is not UNSET and given is not None and given != there for given, there in always_there)
            or (draft.tenant_id is not UNSET and draft.tenant_id != rule.scope))


def _parent(draft: Draft, directory: Directory) -> tuple[str, str | None]:
    """The names of the service and of the field that a new rule is of."""
    service_id, field_id = _given(draft.service_id), _given(draft.field_id)
    if service_id and field_id:
        raise Invalid("You can only specify one parent.")
    try:
        if service_id:
            return directory.get(SERVICE, service_id).name, None
        if field_id:
            field = directory.get(FIELD, field_id)
            return directory.get(SERVICE, field.service_id or "").name, field.name
    except NotFound as error:
        raise Invalid(str(error)) from None
    raise Invalid("You must specify one parent.")


def _group(draft: Draft, directory: Directory) -> str:
    identity = _given(draft.group_id)
    if not identity:
        return ""
    try:
        return directory.get(GROUP, identity).name
    except NotFound as error:
        raise Invalid(str(error)) from None


def _validity(begin: datetime | None, end: datetime | None) -> Validity:
    try:
        return Validity(begin, end)
    except Invalid as error:
        raise Invalid(f"end: {error}") from None


def _given(value: _T | Unset | None) -> _T | None:
    return None if isinstance(value, Unset) else value
