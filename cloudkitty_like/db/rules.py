"""Rules in the state database, with two times: when they hold, and when we knew.

A row of ``hashmap_rule`` is one recorded state of a rule.  It holds from the
change ``recorded_from`` until, not including, ``recorded_to``; nothing but
``recorded_to`` is ever written to it again, and no row is deleted.  So the rules
as they were known at any change can be read, for ever.

Changes form a chain: each names the one before it, which only one can do.  Of
two writers at once the second gets Conflict and reads again, so what it writes
rests on what the first wrote.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db import names
from cloudkitty_like.db.engine import conflict
from cloudkitty_like.db.recorded import recorded_at
from cloudkitty_like.db.tables import hashmap_rule, rule_change
from cloudkitty_like.domain import money
from cloudkitty_like.domain.amendment import Amendment
from cloudkitty_like.domain.rule import Rule, Validity


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed rules or modules, when and why."""

    at: datetime
    author: str
    cause: str                         # apply, modules, api ...
    reason: str = ""


def latest(tx: Connection) -> int:
    """The newest change; 0 where there has been none."""
    return tx.execute(select(func.max(rule_change.c.id))).scalar() or 0


def record(tx: Connection, change: Change) -> int:
    """Open a change; what it changes is written under its id, in the same transaction.

    To be called before anything is read that the change rests on.  Conflict
    where somebody else's change came between: begin again.
    """
    try:
        result = tx.execute(insert(rule_change).values(
            previous=latest(tx), at=change.at, author=change.author[:255], cause=change.cause, reason=change.reason))
    except IntegrityError as error:
        raise conflict(error) from None
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def stored(tx: Connection, change: int | None = None) -> dict[str, Rule]:
    """All rules, by rule id, as known at ``change`` (None: now), past and future ones too.  One query."""
    rows = tx.execute(select(hashmap_rule).where(recorded_at(hashmap_rule, change)).order_by(hashmap_rule.c.id))
    return {row.rule_id: _rule(row) for row in rows}


def changed_at(tx: Connection, when: datetime) -> int:
    """The newest change recorded at or before ``when``; 0 where there was none."""
    return tx.execute(select(func.max(rule_change.c.id)).where(rule_change.c.at <= when)).scalar() or 0


def amend(tx: Connection, change: int, amendment: Amendment) -> None:
    """Record an amendment under an open change."""
    names.ensure(tx, change, [*amendment.added, *(after for _, after in amendment.changed.values())])
    ended = [*amendment.changed, *amendment.withdrawn]
    for start in range(0, len(ended), 500):
        tx.execute(update(hashmap_rule).values(recorded_to=change).where(
            hashmap_rule.c.recorded_to.is_(None), hashmap_rule.c.rule_id.in_(ended[start:start + 500])))
    rows = [_values(str(uuid4()), rule, change) for rule in amendment.added]
    rows += [_values(identity, after, change) for identity, (_, after) in amendment.changed.items()]
    if rows:
        tx.execute(insert(hashmap_rule), rows)


def _values(identity: str, rule: Rule, change: int) -> Mapping[str, Any]:
    return {
        "rule_id": identity, "service": rule.service, "field": rule.field, "value": rule.value,
        "level": None if rule.level is None else money.plain(rule.level),
        "type": rule.type, "cost": money.plain(rule.cost), "group_name": rule.group, "scope": rule.scope,
        "name": rule.name, "description": rule.description,
        "valid_from": rule.valid.begin, "valid_to": rule.valid.end, "recorded_from": change,
    }


def _rule(row: Row[Any]) -> Rule:
    return Rule(
        service=row.service, field=row.field, value=row.value, level=None if row.level is None else Decimal(row.level),
        type=row.type, cost=Decimal(row.cost), group=row.group_name, scope=row.scope,
        name=row.name, description=row.description, valid=Validity(row.valid_from, row.valid_to),
    )
