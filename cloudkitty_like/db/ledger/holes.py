"""The holes of the ledger: what nobody has rated, and what an operator has accepted as empty.

Rows are not changed: one that ends, or a part of which is rated, is known up to
that change of the ledger, and what is left of it stands on as another row.
Every function works inside somebody else's transaction.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    distinct,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.ledger.writes import COLLECTED
from cloudkitty_like.db.tables import frame, hole, ledger_tx, reprocess_task, scope
from cloudkitty_like.domain.hole import (
    ACCEPTED,
    MISSING,
    NAMED,
    UNKNOWN,
    Hole,
    HoleExtent,
    Stretch,
    UnknownHole,
    joined,
)
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import UNDO

# --- accepted -------------------------------------------------------------------------------------


def accept(tx: Connection, change: int, period: Period, scope_ids: Collection[int] | None) -> None:
    """An empty answer about ``period`` is believed from now on, for these scopes or (None) for all."""
    tx.execute(insert(hole), [_row(change, scope_id, period, ACCEPTED)
                              for scope_id in (scope_ids if scope_ids is not None else [None])])


def accepted(tx: Connection, period: Period) -> set[int | None]:
    """The scopes for which an empty answer about ``period`` is believed; None among them: all."""
    query = select(hole.c.scope_id).where(
        hole.c.kind == ACCEPTED, hole.c.recorded_to.is_(None),
        hole.c.begin <= period.begin, hole.c.end >= period.end)
    return set(tx.execute(query).scalars())


# --- left and closed ------------------------------------------------------------------------------


def leave(tx: Connection, change: int, kind: str, stretches: Sequence[tuple[int, Period]],
          retry_at: datetime | None = None) -> None:
    """A change leaves these holes, each of a scope."""
    if stretches:
        tx.execute(insert(hole), [{**_row(change, scope_id, period, kind), "retry_at": retry_at}
                                  for scope_id, period in stretches])


def close(tx: Connection, change: int, stretches: Iterable[tuple[int, Period]]) -> int:
    """What is missing in these stretches is so no more: a change rates it, or makes it due again.

    A scope is named once at most.  How many holes were met.
    """
    periods = dict(stretches)
    met: list[Row[Any]] = []
    for scope_ids in chunks(sorted(periods)):
        met += [row for row in tx.execute(_missing(scope_ids))
                if _period(row).overlaps(periods[row.scope_id])]
    for hole_ids in chunks([row.id for row in met]):
        tx.execute(update(hole).where(hole.c.id.in_(hole_ids)).values(recorded_to=change))
    left = [{"scope_id": row.scope_id, "begin": begin, "end": end, "kind": row.kind, "tx": row.tx,
             "recorded_from": change, "tries": row.tries, "retry_at": row.retry_at}
            for row in met for begin, end in _around(row, periods[row.scope_id])]
    if left:
        tx.execute(insert(hole), left)
    return len(met)


def unrated(tx: Connection, stretches: Sequence[tuple[int, Period]]) -> list[tuple[int, Period]]:
    """What of these stretches, one of a scope at most, no current frame was rated in.

    A frame without points that an undo has left says nothing about usage.
    """
    if not stretches:
        return []
    window = Period(min(period.begin for _, period in stretches),
                    max(period.end for _, period in stretches))
    undos = select(reprocess_task.c.id).where(reprocess_task.c.kind == UNDO)
    rated: dict[int, list[Period]] = {}
    for scope_ids in chunks([scope_id for scope_id, _ in stretches]):
        query = select(frame.c.scope_id, frame.c.begin, frame.c.end).where(
            frame.c.scope_id.in_(scope_ids), frame.c.origin == COLLECTED, frame.c.current == 1,
            frame.c.begin >= window.begin, frame.c.begin < window.end,
            or_(frame.c.points > 0, frame.c.task.is_(None), frame.c.task.not_in(undos)))
        for row in tx.execute(query.order_by(frame.c.begin)):
            rated.setdefault(row.scope_id, []).append(_period(row))
    return [(scope_id, rest) for scope_id, period in stretches
            for rest in _between(rated.get(scope_id, ()), period)]


def _between(rated: Iterable[Period], period: Period) -> Iterator[Period]:
    """The parts of a period that are in none of these, which are in order."""
    begin = period.begin
    for rated_period in rated:
        if rated_period.overlaps(period):
            if begin < rated_period.begin:
                yield Period(begin, rated_period.begin)
            begin = max(begin, rated_period.end)
    if begin < period.end:
        yield Period(begin, period.end)


def _row(change: int, scope_id: int | None, period: Period, kind: str) -> dict[str, Any]:
    return {"scope_id": scope_id, "begin": period.begin, "end": period.end, "kind": kind,
            "tx": change, "recorded_from": change, "tries": 0, "retry_at": None}


def _missing(scope_ids: Collection[int]) -> Select[Any]:
    return select(hole).where(hole.c.recorded_to.is_(None), hole.c.kind.in_(MISSING),
                              hole.c.scope_id.in_(scope_ids))


def _around(row: Row[Any], period: Period) -> Iterator[tuple[datetime, datetime]]:
    """What is left of a hole on both sides of a period."""
    if row.begin < period.begin:
        yield row.begin, period.begin
    if period.end < row.end:
        yield period.end, row.end


def _period(row: Any) -> Period:
    return Period(row.begin, row.end)


# --- reading --------------------------------------------------------------------------------------


def known(tx: Connection, kinds: Collection[str] = MISSING) -> list[Hole]:
    """The holes that there are, by scope and begin."""
    query = (select(hole, scope.c.identifier, ledger_tx.c.at, ledger_tx.c.author, ledger_tx.c.reason)
             .join(ledger_tx, ledger_tx.c.id == hole.c.tx)
             .outerjoin(scope, scope.c.id == hole.c.scope_id)
             .where(hole.c.kind.in_(kinds), _there(None))
             .order_by(scope.c.identifier, hole.c.begin))
    return [Hole(row.identifier, _period(row), row.kind, row.tx, row.at, row.author, row.reason)
            for row in tx.execute(query)]




def extents(tx: Connection) -> dict[str, HoleExtent]:
    """What is missing now, by kind."""
    length = type_coerce(hole.c.end, BigInteger) - type_coerce(hole.c.begin, BigInteger)
    query = select(hole.c.kind, func.sum(length).label("seconds"),
                   func.count(distinct(hole.c.scope_id)).label("scopes"))
    return {row.kind: HoleExtent(int(row.seconds), row.scopes) for row in tx.execute(
        query.where(hole.c.kind.in_(MISSING), _there(None)).group_by(hole.c.kind))}


def stretches(tx: Connection, scopes: Collection[str] | None, window: Period | None,
              as_of: int | None) -> list[Stretch]:
    """What is missing of these scopes (None: of all) in a window.

    ``as_of``: what was, after that change of the ledger.
    """
    same = (hole.c.begin, hole.c.end, hole.c.kind)
    query = (select(*same, scope.c.identifier, func.count().over(partition_by=same).label("scopes"),
                    func.row_number().over(partition_by=same, order_by=scope.c.identifier)
                    .label("place"))
             .join(scope, scope.c.id == hole.c.scope_id)
             .where(hole.c.kind.in_(MISSING), _there(as_of)))
    if window is not None:
        query = query.where(hole.c.begin < window.end, hole.c.end > window.begin)
    if scopes is not None:
        query = query.where(scope.c.identifier.in_(scopes))
    placed = query.subquery()
    names: dict[tuple[Period, str, int], list[str]] = {}
    for row in tx.execute(select(placed).where(placed.c.place <= NAMED).order_by(placed.c.place)):
        period = _period(row)
        if window is not None:
            period = Period(max(row.begin, window.begin), min(row.end, window.end))
        names.setdefault((period, row.kind, row.scopes), []).append(row.identifier)
    return joined(Stretch(period, kind, tuple(identifiers), count)
                  for (period, kind, count), identifiers in names.items())


def _there(as_of: int | None) -> ColumnElement[bool]:
    if as_of is None:
        return hole.c.recorded_to.is_(None)
    return and_(hole.c.recorded_from <= as_of,
                or_(hole.c.recorded_to.is_(None), hole.c.recorded_to > as_of))


def missing(tx: Connection, scope_ids: Collection[int], period: Period) -> set[int]:
    """Those of these scopes that have a hole in the period."""
    return {row.scope_id for ids in chunks(sorted(scope_ids)) for row in tx.execute(_missing(ids))
            if _period(row).overlaps(period)}


def filled(tx: Connection, changes: Mapping[int, int], period: Period) -> set[int]:
    """Those of these scopes, with a change of the ledger each, whose change has closed a hole there."""
    if not changes:
        return set()
    query = select(hole).where(hole.c.recorded_to.in_(set(changes.values())),
                               hole.c.kind.in_(MISSING))
    return {row.scope_id for row in tx.execute(query)
            if changes.get(row.scope_id) == row.recorded_to and _period(row).overlaps(period)}


@dataclass(frozen=True, slots=True)
class HolesLeft:
    """The holes that a change has left: the time they are in, and to how many scopes (0: to all)."""

    period: Period
    scopes: int


def left(tx: Connection, changes: Sequence[int],
         scope_ids: Collection[int] | None) -> dict[int, HolesLeft]:
    """What these changes have left to these scopes (None: to any), or to all at once; by change."""
    by_change: dict[int, HolesLeft] = {}
    for numbers in chunks(changes):
        query = select(hole.c.tx, func.min(hole.c.begin).label("begin"),
                       func.max(hole.c.end).label("end"),
                       func.count(distinct(hole.c.scope_id)).label("scopes")).where(
            hole.c.tx.in_(numbers), hole.c.recorded_from == hole.c.tx).group_by(hole.c.tx)
        if scope_ids is not None:
            query = query.where(or_(hole.c.scope_id.is_(None), hole.c.scope_id.in_(scope_ids)))
        by_change.update((row.tx, HolesLeft(_period(row), row.scopes)) for row in tx.execute(query))
    return by_change


# --- asking the source again ----------------------------------------------------------------------


def unknown(tx: Connection, now: datetime) -> list[UnknownHole]:
    """The unknown holes whose source may be asked now, oldest first; none that a task is about."""
    task = select(reprocess_task.c.id).where(
        reprocess_task.c.scope_id == hole.c.scope_id, reprocess_task.c.ended_at.is_(None),
        reprocess_task.c.begin < hole.c.end, reprocess_task.c.end > hole.c.begin)
    query = (select(hole, scope.c.identifier, scope.c.shard_hash)
             .join(scope, scope.c.id == hole.c.scope_id)
             .where(hole.c.recorded_to.is_(None), hole.c.kind == UNKNOWN, scope.c.active == 1,
                    or_(hole.c.retry_at.is_(None), hole.c.retry_at <= now), ~task.exists())
             .order_by(hole.c.begin, hole.c.scope_id))
    return [UnknownHole(row.id, row.scope_id, row.identifier, row.shard_hash, _period(row), row.tries)
            for row in tx.execute(query)]


def postpone(tx: Connection, tried: Mapping[int, datetime]) -> None:
    """These holes (by id) are as unknown as before; the source is asked again then."""
    if tried:
        tx.execute(update(hole).where(hole.c.id == bindparam("hole_id")).values(
            tries=hole.c.tries + 1, retry_at=bindparam("again_at")),
            [{"hole_id": number, "again_at": retry_at}
             for number, retry_at in sorted(tried.items())])


def hasten(tx: Connection, scope_ids: Collection[int]) -> None:
    """The source is asked at once about what is unknown of these scopes."""
    for ids in chunks(sorted(scope_ids)):
        tx.execute(update(hole).where(hole.c.recorded_to.is_(None), hole.c.kind == UNKNOWN,
                                      hole.c.scope_id.in_(ids)).values(tries=0, retry_at=None))
