"""What a caller of the API asks a rule to be, and the rule that it makes: pure functions on values.

Messages that CloudKitty's published tests and clients read have its words.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import uuid4

from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.rule import Rule, Type
from cloudkitty_like.domain.rule_names import FIELD, GROUP, SERVICE
from cloudkitty_like.service.hashmap.names import Directory, NameIds
from cloudkitty_like.service.rule_changes.validity import (
    ENDED,
    MISSING,
    UNSET,
    Unset,
    future_validity,
    given,
    has_begun,
    new_validity,
    running_validity,
)

RuleKind = Literal["mapping", "threshold"]
MAPPING: RuleKind = "mapping"
THRESHOLD: RuleKind = "threshold"

NO_VALUE = "You must specify a value for a field mapping."


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRequest:
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


def new_rule(kind: RuleKind, draft: RuleRequest, directory: Directory, now: datetime, force: bool) -> Rule:
    """The rule that a draft describes; Invalid where it describes none, or starts in the past without ``force``."""
    valid = new_validity(given(draft.start), given(draft.end), now, force)
    service, field = _parent(draft, directory)
    value = given(draft.value) or None
    level, cost = given(draft.level), given(draft.cost)
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
        service=service, field=field, value=value, level=level, cost=cost, type=given(draft.type) or "flat",
        group=_group(draft, directory), scope=given(draft.tenant_id), valid=valid,
        name=given(draft.name) or (uuid4().hex if kind == MAPPING else ""),
        description=given(draft.description) or "",
    )


def changed_mapping(rule: Rule, ids: NameIds, draft: RuleRequest, now: datetime) -> Rule:
    """What a draft makes of a mapping.

    A running one can only be ended, once; of one that has not begun cost, start,
    end and description are replaced.  Invalid where more is asked for.
    """
    end = given(draft.end)
    if has_begun(rule.valid, now):
        return replace(rule, valid=running_validity(rule.valid, end, _differs(rule, ids, draft), now))
    if draft.value == "" and rule.value is not None:
        raise Invalid(NO_VALUE)
    cost = given(draft.cost)
    if cost is None:
        raise Invalid(MISSING % ("cost", "cost"))
    return replace(rule, cost=cost, description=given(draft.description) or "",
                   valid=future_validity(rule.valid, given(draft.start), end, now))


def changed_threshold(rule: Rule, draft: RuleRequest, directory: Directory, now: datetime) -> Rule:
    """What a draft makes of a threshold from now on; what it leaves out is at its default, but for the group."""
    level, cost = given(draft.level), given(draft.cost)
    missing = [MISSING % (name, name) for name, number in (("level", level), ("cost", cost)) if number is None]
    if level is None or cost is None:
        raise Invalid(*missing)
    if rule.valid.is_over(now):
        raise Invalid(ENDED)
    return replace(rule, level=level, cost=cost, type=given(draft.type) or "flat", scope=given(draft.tenant_id),
                   group=rule.group if draft.group_id is UNSET else _group(draft, directory))


def _differs(rule: Rule, ids: NameIds, draft: RuleRequest) -> bool:
    """Whether a draft gives anything but the end another value than it has.

    A client sends back the whole object that it has read, so values count and
    not how they are written: a null where there must be a value says nothing.
    """
    texts = ((draft.service_id, ids.service), (draft.field_id, ids.field), (draft.group_id, ids.group),
             (draft.value, rule.value), (draft.description, rule.description))
    always_there = ((draft.type, rule.type), (draft.cost, rule.cost), (draft.start, rule.valid.begin),
                    (draft.name, rule.name))
    return (any(said is not UNSET and (said or "") != (there or "") for said, there in texts)
            or any(said is not UNSET and said is not None and said != there for said, there in always_there)
            or (draft.tenant_id is not UNSET and draft.tenant_id != rule.scope))


def _parent(draft: RuleRequest, directory: Directory) -> tuple[str, str | None]:
    """The names of the service and of the field that a new rule is of."""
    service_id, field_id = given(draft.service_id), given(draft.field_id)
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


def _group(draft: RuleRequest, directory: Directory) -> str:
    identity = given(draft.group_id)
    if not identity:
        return ""
    try:
        return directory.get(GROUP, identity).name
    except NotFound as error:
        raise Invalid(str(error)) from None
