"""Rows that are never overwritten: each was known from one change of the rules until another."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, FromClause, Row, Table, and_, or_, select
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.tables import rule_change
from cloudkitty_like.domain.change import AuditInfo


def recorded_at(table: FromClause, change: int | None) -> ColumnElement[bool]:
    """The rows of ``table`` that were known at a change (None: that are known now)."""
    if change is None:
        return table.c.recorded_to.is_(None)
    return and_(table.c.recorded_from <= change,
                or_(table.c.recorded_to.is_(None), table.c.recorded_to > change))




def state_histories(tx: Connection, table: Table, identity: ColumnElement[str],
                    *which: ColumnElement[bool]) -> dict[str, list[Row[Any]]]:
    """The recorded states of everything in ``table``, by its id, oldest first.  One query.

    Each with the changes that made it and, where it is known no more, ended it:
    ``made_at``, ``made_by``, ``made_why``, ``gone_at``, ``gone_by``.  ``which`` may ask only
    what is the same in all states.
    """
    made, gone = rule_change.alias("made"), rule_change.alias("gone")
    rows = tx.execute(
        select(table, identity.label("identity"), made.c.at.label("made_at"),
               made.c.author.label("made_by"),
               made.c.reason.label("made_why"),
               gone.c.at.label("gone_at"), gone.c.author.label("gone_by"))
        .join(made, made.c.id == table.c.recorded_from)
        .outerjoin(gone, gone.c.id == table.c.recorded_to)
        .where(*which).order_by(table.c.id))
    histories: dict[str, list[Row[Any]]] = {}
    for row in rows:
        histories.setdefault(row.identity, []).append(row)
    return histories


def audit_info(states: Sequence[Row[Any]]) -> AuditInfo:
    """Of one life.  Where nothing is known any more it was withdrawn: deleted before it held."""
    first, last = states[0], states[-1]
    deleted_at, deleted_by = last.deleted_at, None
    if deleted_at is not None:
        deleted_by = next(row.made_by for row in states if row.deleted_at == deleted_at)
    elif all(row.recorded_to is not None for row in states):
        deleted_at, deleted_by = last.gone_at, last.gone_by
    updates = [row.made_by for row in states if row.deleted_at is None
               and row.recorded_from != first.recorded_from]
    return AuditInfo(first.made_at, first.made_by, updates[-1] if updates else None, deleted_at,
                     deleted_by)
