"""What is forgotten: the points of revisions, never their totals.

A frame whose points are to go is marked first, in the index; from then on
nobody counts on them.  Then the storage forgets them, and the mark says so.
"""
from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, distinct, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.ledger.visibility import POINTS_AS_OF, POINTS_FROM
from cloudkitty_like.db.tables import frame, ledger_setting, ledger_tx
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.retention import RetentionBounds, RetentionExtent

GOING, GONE = 1, 2






def without_points(tx: Connection, period: Period) -> dict[int, datetime]:
    """Scopes (by id) with current frames in this period whose points are forgotten, and the end of the last one."""
    query = select(frame.c.scope_id, func.max(frame.c.end)).where(
        frame.c.begin >= period.begin, frame.c.begin < period.end, frame.c.forgotten.is_not(None), frame.c.current == 1)
    return {row[0]: row[1] for row in tx.execute(query.group_by(frame.c.scope_id))}


def extent(tx: Connection, bounds: RetentionBounds) -> RetentionExtent:
    """What these bounds would forget that is not forgotten yet."""
    row = tx.execute(select(
        func.count(), func.count(frame.c.current), func.coalesce(func.sum(frame.c.points), 0),
        func.count(distinct(frame.c.scope_id)), func.min(frame.c.begin), func.max(frame.c.end),
    ).where(_chosen(bounds))).one()
    return RetentionExtent(int(row[0]), int(row[1]), int(row[2]), int(row[3]), row[4], row[5])


def mark(tx: Connection, bounds: RetentionBounds, most: int) -> list[int]:
    """Mark up to so many revisions as going; which they are.  To be called where nobody else changes the index."""
    query = select(frame.c.revision, frame.c.superseded, frame.c.end).where(_chosen(bounds))
    rows = tx.execute(query.order_by(frame.c.revision).limit(most)).all()
    revisions = [row.revision for row in rows]
    _set(tx, revisions, GOING)
    _raise_to(tx, POINTS_AS_OF,
              max((row.superseded for row in rows if row.superseded is not None), default=0))
    _raise_to(tx, POINTS_FROM,
              max((seconds(row.end) for row in rows if row.superseded is None), default=0))
    return revisions


def going(tx: Connection, most: int) -> list[int]:
    """Revisions that are marked, and whose points may not be gone yet: of somebody who was killed."""
    return list(tx.execute(select(frame.c.revision).where(frame.c.forgotten == GOING).limit(most)).scalars())


def gone(tx: Connection, revisions: Sequence[int]) -> None:
    """The points of these revisions are gone."""
    _set(tx, revisions, GONE)


def _chosen(bounds: RetentionBounds) -> ColumnElement[bool]:
    either: list[ColumnElement[bool]] = []
    if bounds.superseded_before is not None:
        before = select(ledger_tx.c.id).where(ledger_tx.c.at < bounds.superseded_before)
        either.append(frame.c.superseded <= select(func.max(before.subquery().c.id)).scalar_subquery())
    if bounds.rated_before is not None:
        either.append(frame.c.end <= seconds(bounds.rated_before))
    return and_(frame.c.forgotten.is_(None), or_(*either))


def _set(tx: Connection, revisions: Collection[int], state: int) -> None:
    for numbers in chunks(sorted(revisions)):
        tx.execute(update(frame).where(frame.c.revision.in_(numbers)).values(forgotten=state))


def _raise_to(tx: Connection, name: str, number: int) -> None:
    """Let a setting be no lower than this."""
    value = tx.execute(select(ledger_setting.c.value).where(ledger_setting.c.name == name)).scalar()
    if value is None and number:
        tx.execute(insert(ledger_setting).values(name=name, value=str(number)))
    elif value is not None and int(value) < number:
        tx.execute(update(ledger_setting).where(ledger_setting.c.name == name).values(value=str(number)))
