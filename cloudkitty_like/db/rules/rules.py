"""Rules in the state database, with two times: when they hold, and when we knew.

A row of ``hashmap_rule`` is one recorded state of a rule.  It holds from the
change ``recorded_from`` until, not including, ``recorded_to``; nothing but
``recorded_to`` is ever written to it again, and no row is deleted.  So the rules
as they were known at any change can be read, for ever.

Changes form a chain: each names the one before it, which only one can do.  Of
two writers at once the second gets StaleChange and reads again, so what it writes
rests on what the first wrote.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.engine import conflict
from cloudkitty_like.db.rules import names
from cloudkitty_like.db.rules.bitemporal import recorded_at
from cloudkitty_like.db.tables import hashmap_rule, rule_change
from cloudkitty_like.domain import money
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.domain.rule_diff import RuleDiff


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule as one change left it."""

    id: str                            # of the rule, through all its states
    rule: Rule
    deleted_at: datetime | None = None


class StaleChange(Conflict):
    """Somebody else has recorded a change meanwhile: look again, then begin again."""


def latest(tx: Connection) -> int:
    """The newest change; 0 where there has been none."""
    return tx.execute(select(func.max(rule_change.c.id))).scalar() or 0


def record(tx: Connection, change: Change) -> int:
    """Open a change; what it changes is written under its id, in the same transaction.

    To be called before anything is read that the change rests on.  StaleChange
    where somebody else's change came between: begin again.
    """
    try:
        result = tx.execute(insert(rule_change).values(
            previous=latest(tx), at=change.at, author=change.author[:255], cause=change.cause, reason=change.reason))
    except IntegrityError as error:
        raise StaleChange(str(conflict(error))) from None
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def states(tx: Connection, change: int | None = None) -> list[RuleState]:
    """Every rule's state as known at ``change`` (None: now), past and future ones too, oldest first.  One query."""
    rows = tx.execute(select(hashmap_rule).where(recorded_at(hashmap_rule, change)).order_by(hashmap_rule.c.id))
    return [state(row) for row in rows]


def stored(tx: Connection, change: int | None = None) -> dict[str, Rule]:
    """All rules, by rule id, as known at ``change`` (None: now).  One query.

    A deleted rule is among them, as one that has ended.
    """
    return {rule_state.id: rule_state.rule for rule_state in states(tx, change)}


def changed_at(tx: Connection, when: datetime) -> int:
    """The newest change recorded at or before ``when``; 0 where there was none."""
    return tx.execute(select(func.max(rule_change.c.id)).where(rule_change.c.at <= when)).scalar() or 0


def amend(tx: Connection, change: int, amendment: RuleDiff) -> None:
    """Record an amendment under an open change.

    A rule that was deleted stays so, unless it is to hold again after that.
    """
    deleted = _deleted(tx) if amendment.changed else {}
    rule_states = [RuleState(str(uuid4()), rule) for rule in amendment.added]
    for identity, (_, after) in amendment.changed.items():
        when = deleted.get(identity)
        rule_states.append(RuleState(identity, after, when if after.valid.is_over(when) else None))
    write(tx, change, [*amendment.changed, *amendment.withdrawn], rule_states)


def write(tx: Connection, change: int, ended: Collection[str],
          rule_states: Sequence[RuleState]) -> None:
    """The known states of the rules ``ended`` (ids) are known no more, these are, under an open change."""
    names.ensure(tx, change,
                 [rule_state.rule for rule_state in rule_states if rule_state.deleted_at is None])
    for ids in chunks(list(ended)):
        tx.execute(update(hashmap_rule).values(recorded_to=change).where(
            hashmap_rule.c.recorded_to.is_(None), hashmap_rule.c.rule_id.in_(ids)))
    if rule_states:
        tx.execute(insert(hashmap_rule),
                   [_values(rule_state, change) for rule_state in rule_states])


def state(row: Row[Any]) -> RuleState:
    """A row of ``hashmap_rule`` as a value."""
    return RuleState(row.rule_id, Rule(
        service=row.service, field=row.field, value=row.value, level=None if row.level is None else Decimal(row.level),
        type=row.type, cost=Decimal(row.cost), group=row.group_name, scope=row.scope,
        name=row.name, description=row.description, valid=Validity(row.valid_from, row.valid_to),
    ), row.deleted_at)


def _deleted(tx: Connection) -> dict[str, datetime]:
    """When the rules that are deleted were."""
    rows = tx.execute(select(hashmap_rule.c.rule_id, hashmap_rule.c.deleted_at)
                      .where(recorded_at(hashmap_rule, None), hashmap_rule.c.deleted_at.is_not(None)))
    return {row.rule_id: row.deleted_at for row in rows}


def _values(rule_state: RuleState, change: int) -> Mapping[str, Any]:
    rule = rule_state.rule
    return {
        "rule_id": rule_state.id, "service": rule.service, "field": rule.field, "value": rule.value,
        "level": None if rule.level is None else money.plain(rule.level),
        "type": rule.type, "cost": money.plain(rule.cost), "group_name": rule.group, "scope": rule.scope,
        "name": rule.name, "description": rule.description,
        "valid_from": rule.valid.begin, "valid_to": rule.valid.end, "recorded_from": change,
        "deleted_at": rule_state.deleted_at,
    }
