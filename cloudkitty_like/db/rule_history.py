"""What has become of each rule: made, changed and deleted by whom and when, read from its recorded states."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.recorded import recorded_at
from cloudkitty_like.db.rules import state
from cloudkitty_like.db.tables import hashmap_rule, rule_change
from cloudkitty_like.domain.rule import Rule

CHUNK = 500


@dataclass(frozen=True, slots=True)
class History:
    """A rule in its newest state, and what was done to it."""

    id: str
    rule: Rule
    created_at: datetime
    created_by: str
    updated_by: str | None             # None: nobody has changed it
    deleted_at: datetime | None
    deleted_by: str | None
    since: int                         # the change that made the newest state


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which histories: of thresholds or of mappings; None leaves the rest open."""

    thresholds: bool
    id: str | None = None
    parent: tuple[str, str | None] | None = None       # service, field (None: the service itself)
    deleted: bool = False                              # deleted ones too


def read(tx: Connection, wanted: Wanted) -> list[History]:
    """The histories, in the order in which the rules were made.  One query."""
    made, gone = rule_change.alias("made"), rule_change.alias("gone")
    rows = tx.execute(
        select(hashmap_rule, made.c.at.label("made_at"), made.c.author.label("made_by"),
               gone.c.at.label("gone_at"), gone.c.author.label("gone_by"))
        .join(made, made.c.id == hashmap_rule.c.recorded_from)
        .outerjoin(gone, gone.c.id == hashmap_rule.c.recorded_to)
        .where(*_conditions(wanted)).order_by(hashmap_rule.c.id))
    by_rule: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_rule.setdefault(row.rule_id, []).append(row)
    return [_history(states) for states in by_rule.values()]


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Only what is the same in all states of a rule may be asked of each."""
    level = hashmap_rule.c.level
    found: list[ColumnElement[bool]] = [level.is_not(None) if wanted.thresholds else level.is_(None)]
    if wanted.id is not None:
        found.append(hashmap_rule.c.rule_id == wanted.id)
    if wanted.parent is not None:
        service, field = wanted.parent
        found += [hashmap_rule.c.service == service,
                  hashmap_rule.c.field.is_(None) if field is None else hashmap_rule.c.field == field]
    if not wanted.deleted:
        now = hashmap_rule.alias("now")
        found.append(hashmap_rule.c.rule_id.in_(
            select(now.c.rule_id).where(recorded_at(now, None), now.c.deleted_at.is_(None))))
    return found


def _history(states: Sequence[Row[Any]]) -> History:
    """Of a rule's states, oldest first.  One that is known no more was withdrawn: deleted before it held."""
    first, last = states[0], states[-1]
    deleted_at, deleted_by = last.deleted_at, None
    if deleted_at is not None:
        deleted_by = next(row.made_by for row in states if row.deleted_at == deleted_at)
    elif last.recorded_to is not None:
        deleted_at, deleted_by = last.gone_at, last.gone_by
    updates = [row.made_by for row in states[1:] if row.deleted_at is None]
    return History(last.rule_id, state(last).rule, first.made_at, first.made_by, updates[-1] if updates else None,
                   deleted_at, deleted_by, last.recorded_from)


@dataclass(frozen=True, slots=True)
class Known:
    """A rule as it was known at some change, and the change that made it so."""

    id: str
    rule: Rule
    version: int                       # which of its recorded states this is, from 1 on
    since: int
    at: datetime
    author: str
    reason: str


def known(tx: Connection, change: int, ids: Collection[str]) -> list[Known]:
    """These rules as they were known at a change; those that were not are left out."""
    found: list[Known] = []
    wanted = list(ids)
    for start in range(0, len(wanted), CHUNK):
        earlier = hashmap_rule.alias("earlier")
        version = select(func.count()).where(
            earlier.c.rule_id == hashmap_rule.c.rule_id, earlier.c.id <= hashmap_rule.c.id).scalar_subquery()
        rows = tx.execute(
            select(hashmap_rule, rule_change.c.at, rule_change.c.author, rule_change.c.reason,
                   version.label("version"))
            .join(rule_change, rule_change.c.id == hashmap_rule.c.recorded_from)
            .where(recorded_at(hashmap_rule, change), hashmap_rule.c.rule_id.in_(wanted[start:start + CHUNK])))
        found += [Known(row.rule_id, state(row).rule, row.version, row.recorded_from, row.at, row.author, row.reason)
                  for row in rows]
    return found
