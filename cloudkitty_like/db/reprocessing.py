"""Requests to rate periods again: which scope, from when to when, why, and how far it is."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from cloudkitty_like.db.tables import reprocess_task, scope
from cloudkitty_like.domain.period import Period


@dataclass(frozen=True, slots=True)
class Task:
    """A row of ``reprocess_task``; its period is half-open."""

    id: int
    scope: str
    period: Period
    reason: str
    author: str
    created_at: datetime
    due: datetime | None               # begin of the next period to rate again; None: not begun
    ended_at: datetime | None


def add(tx: Connection, scope_ids: Sequence[int], period: Period, *, reason: str, author: str, at: datetime) -> None:
    """One for each scope."""
    tx.execute(insert(reprocess_task), [
        {"scope_id": number, "begin": period.begin, "end": period.end, "reason": reason, "author": author[:255],
         "created_at": at} for number in scope_ids])


def everything(tx: Connection, identifiers: Collection[str] | None = None) -> list[Task]:
    """All of them, or those of some scopes, in the order in which they were made."""
    query = select(reprocess_task, scope.c.identifier).join(scope, scope.c.id == reprocess_task.c.scope_id)
    if identifiers is not None:
        query = query.where(scope.c.identifier.in_(identifiers))
    return [Task(row.id, row.identifier, Period(row.begin, row.end), row.reason, row.author, row.created_at, row.due,
                 row.ended_at) for row in tx.execute(query.order_by(reprocess_task.c.id))]
