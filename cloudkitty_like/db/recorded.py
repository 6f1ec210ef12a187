"""Rows that are never overwritten: each was known from one change of the rules until another."""
from __future__ import annotations

from sqlalchemy import FromClause, and_, or_
from sqlalchemy.sql import ColumnElement


def recorded_at(table: FromClause, change: int | None) -> ColumnElement[bool]:
    """The rows of ``table`` that were known at a change (None: that are known now)."""
    if change is None:
        return table.c.recorded_to.is_(None)
    return and_(table.c.recorded_from <= change, or_(table.c.recorded_to.is_(None), table.c.recorded_to > change))
