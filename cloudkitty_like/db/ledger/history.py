"""The changes of the rules and of the ledger, and what each of them did."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, distinct, func, or_, select

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.ledger.exact_sums import sum_columns, sum_of
from cloudkitty_like.db.tables import (
    frame,
    hashmap_name,
    hashmap_rule,
    ledger_tx,
    rating_module,
    reprocess_task,
    rule_change,
    scope_reset,
    script,
    total,
)
from cloudkitty_like.domain import money

RATING = "rating"


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A row of ``rule_change`` or ``ledger_tx``."""

    id: int
    at: datetime
    author: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """Changes recorded from ``begin`` on and before ``end`` (None: ever), about these scopes (row ids; None: all)."""

    begin: datetime | None = None
    end: datetime | None = None
    scope_ids: Collection[int] | None = None
    identifiers: Collection[str] | None = None     # of the same scopes

    def holds(self, at: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        return [*([at >= self.begin] if self.begin is not None else []),
                *([at < self.end] if self.end is not None else [])]


@dataclass(slots=True)
class FrameEffect:
    """What a change of the ledger did to frames."""

    published: int = 0                 # revisions
    superseded: int = 0
    scopes: int = 0
    begin: datetime | None = None      # of the first period
    end: datetime | None = None        # of the last
    price: Decimal = money.ZERO        # by which the total price has changed
    asked_at: datetime | None = None   # when the tasks were made that it was done for


@dataclass(slots=True)
class TouchedRules:
    """What a change of the rules did to things of one kind: ids or names of them."""

    added: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)


# --- the ledger -------------------------------------------------------------------------------------


def ledger_changes(tx: Connection, window: HistoryWindow, *, everything: bool) -> list[ChangeRecord]:
    """In their order; ordinary rating, which supersedes nothing, only with ``everything``."""
    query = select(ledger_tx).where(*window.holds(ledger_tx.c.at)).order_by(ledger_tx.c.id)
    if not everything:
        query = query.where(or_(ledger_tx.c.cause != RATING, select(frame.c.revision).where(
            frame.c.superseded == ledger_tx.c.id).exists()))
    return [ChangeRecord(row.id, row.at, row.author, row.cause, row.reason) for row in tx.execute(query)]


def effects(tx: Connection, changes: Sequence[int], scope_ids: Collection[int] | None) -> dict[int, FrameEffect]:
    """What these changes did to the frames of these scopes (None: of all), by change; some queries for 500 of them."""
    by_change: dict[int, FrameEffect] = {}
    dialect = tx.dialect.name
    for numbers in chunks(changes):
        for row in tx.execute(_about(numbers, frame.c.published, scope_ids, frame, func.count(),
                                     func.count(distinct(frame.c.scope_id)), func.min(frame.c.begin),
                                     func.max(frame.c.end), func.min(frame.c.task))):
            by_change[row[0]] = FrameEffect(int(row[1]), 0, int(row[2]), row[3], row[4])
        for row in tx.execute(_about(numbers, frame.c.superseded, scope_ids, frame, func.count())):
            by_change.setdefault(row[0], FrameEffect()).superseded = int(row[1])
        where = frame.join(total, total.c.revision == frame.c.revision)
        for column, sign in ((frame.c.published, 1), (frame.c.superseded, -1)):
            for row in tx.execute(_about(numbers, column, scope_ids, where,
                                         *sum_columns(total, dialect))):
                with money.arithmetic():
                    by_change[row[0]].price += sign * sum_of(row[1:]).price
        tasks = frame.join(reprocess_task, reprocess_task.c.id == frame.c.task)
        for row in tx.execute(_about(numbers, frame.c.published, scope_ids, tasks,
                                     func.min(reprocess_task.c.created_at))):
            by_change[row[0]].asked_at = row[1]
    return by_change


def _about(changes: Sequence[int], key: ColumnElement[Any], scope_ids: Collection[int] | None, where: FromClause,
           *columns: ColumnElement[Any]) -> Any:
    query = select(key, *columns).select_from(where).where(key.in_(changes)).group_by(key)
    return query if scope_ids is None else query.where(frame.c.scope_id.in_(scope_ids))


def resets(tx: Connection, changes: Sequence[int], scope_ids: Collection[int] | None) -> dict[int, int]:
    """How many of these scopes (None: of all) a change has taken back, for those of these changes that did so."""
    counts: dict[int, int] = {}
    for numbers in chunks(changes):
        query = (select(scope_reset.c.tx, func.count())
                 .where(scope_reset.c.tx.in_(numbers)).group_by(scope_reset.c.tx))
        if scope_ids is not None:
            query = query.where(scope_reset.c.scope_id.in_(scope_ids))
        counts.update((row[0], row[1]) for row in tx.execute(query))
    return counts


# --- the rules --------------------------------------------------------------------------------------

KINDS: tuple[tuple[str, FromClause, str], ...] = (
    ("rules", hashmap_rule, "rule_id"), ("scripts", script, "script_id"), ("modules", rating_module, "name"),
    ("names", hashmap_name, "name"))


def rule_changes(tx: Connection, window: HistoryWindow) -> list[ChangeRecord]:
    """In their order."""
    rows = tx.execute(select(rule_change).where(*window.holds(rule_change.c.at)).order_by(rule_change.c.id))
    return [ChangeRecord(row.id, row.at, row.author, row.cause, row.reason) for row in rows]


def touched(tx: Connection, changes: Sequence[int],
            identifiers: Collection[str] | None) -> dict[int, dict[str, TouchedRules]]:
    """What these changes did, by change and kind; rules of other scopes than these (None: all) are left out."""
    by_change: dict[int, dict[str, TouchedRules]] = {number: {} for number in changes}
    for kind, table, key in KINDS:
        for chunk in chunks(changes):
            query = select(table).where(or_(table.c.recorded_from.in_(chunk),
                                            table.c.recorded_to.in_(chunk)))
            if kind == "rules" and identifiers is not None:
                query = query.where(or_(table.c.scope.is_(None), table.c.scope.in_(identifiers)))
            numbers = set(chunk)
            states: dict[int, dict[str, list[Any]]] = {}
            for row in tx.execute(query.order_by(table.c.id)):
                for place, change in enumerate((row.recorded_to, row.recorded_from)):
                    if change in numbers:
                        states.setdefault(change, {}).setdefault(getattr(row, key), [None, None])[place] = row
            for change, rows in states.items():
                by_change[change][kind] = _touched(rows)
    return by_change


def _touched(rows: dict[str, list[Any]]) -> TouchedRules:
    """Of each thing, the state that a change has ended and the one that it has begun."""
    rules = TouchedRules()
    for name, (before, after) in rows.items():
        gone = after is None or (getattr(after, "deleted_at", None) is not None
                                 and getattr(before, "deleted_at", None) is None)
        (rules.removed if gone else rules.added if before is None else rules.changed).add(name)
    return rules
