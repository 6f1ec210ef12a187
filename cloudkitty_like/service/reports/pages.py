"""Reading the ledger point by point: pages of it, and all of it.

A page is found by the index, which knows how many points each frame has, so
that the last one costs what the first one does.  Pages that follow each other
by cursor are answered as of one change of the ledger: nothing is missed or
met twice, whatever is recorded meanwhile.
"""
from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import point_counts, totals, visibility, writes
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.cursor import Cursor
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import LATEST, Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.reports.summary import Summary

SECOND = timedelta(seconds=1)
FIRST_LOOK, FASTER = 4, 4           # periods looked at for a page's end, and how many times as many the next time
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PointPage:
    """Some points of an answer, in pieces of frames."""

    total: int                                     # points in the whole answer
    points: tuple[tuple[str, Frame], ...]          # scope and a part of a frame, never an empty one
    next: str | None                               # the cursor of the page that follows; None: there is none
    passed: int = 0                                # points of the first one's scope and period that come before it


@dataclass(frozen=True, slots=True)
class _Place:
    """Between two points of an answer: ``skip`` points behind ``after`` (None: the beginning), ``number`` in all."""

    number: int
    skip: int
    after: tuple[datetime, str] | None = None
    total: int | None = None                       # None: not counted yet


class PointPages:
    """Answers with points, ordered by begin, scope, metric, unit and labels."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self._storage = database, storage

    def stream(self, query: Query) -> Iterator[tuple[str, Frame]]:
        """Scope and frame of everything asked for, read while it is taken, as the ledger was at the beginning."""
        return Summary(self._database, self._storage).frames(query)

    def page(self, query: Query, offset: int = 0, limit: int = 1000, after: str | None = None) -> PointPage:
        """At most ``limit`` points, from number ``offset`` on (0: the first), or behind the page that ended ``after``.

        A page after another is of the ledger as it was then, and its total is
        the same.  Invalid where the cursor is none, or numbers make no sense.
        """
        if limit < 1 or offset < 0 or (offset and after is not None):
            raise Invalid("a page has a limit of 1 or more, and an offset of 0 or more or a cursor")
        with self._database.read() as tx:
            query, start = _resumed(query, after) if after is not None else _begun(tx, query, offset)
            seen = replace(query, after=start.after, period=_window(tx, query, start, limit))
            invisible, max_revision = visibility.invisible_revisions(tx, seen.as_of, seen.period, seen.scopes)
        total = start.total
        if total is None:
            total = sum(row.sum.points
                        for row in self._storage.sums(replace(seen, groupby=()), invisible, max_revision))
        if start.number >= total:
            return PointPage(total, (), None)
        pieces, passed, end = _taken(self._storage.frames(seen, invisible, max_revision), start, limit)
        with self._database.read() as tx:
            # Still, after they were read.
            visibility.require_points(tx, seen.as_of, seen.period, seen.scopes)
        if end.after is None or end.number - start.number < limit or end.number >= total:
            return PointPage(total, pieces, None, passed)
        begin, scope = end.after
        return PointPage(total, pieces,
                         str(Cursor(query.as_of or 0, total, end.number, seconds(begin), scope, end.skip)), passed)


def _resumed(query: Query, after: str) -> tuple[Query, _Place]:
    cursor = Cursor.of(after)
    return (replace(query, as_of=cursor.as_of if query.as_of is None else query.as_of),
            _Place(cursor.number, cursor.skip, cursor.after, cursor.total))


def _begun(tx: Connection, query: Query, offset: int) -> tuple[Query, _Place]:
    """The query as of the last change where it names none, and where point number ``offset`` is."""
    seen = query if query.as_of is not None else replace(query, as_of=writes.last_tx(tx))
    if query.filters:
        return seen, _Place(offset, offset)
    if query.as_of is None:
        total = sum(row.sum.points for row in totals.rows(tx, replace(query, groupby=())))
    else:
        total = point_counts.points(tx, query)
    if offset == 0 or offset >= total:
        return seen, _Place(offset, 0, None, total)
    begin, skip = _found(point_counts.by_begin(tx, seen), offset)
    scope, skip = _found(point_counts.by_scope(tx, seen, begin), skip)
    return seen, _Place(offset, skip, (begin, scope), total)


def _found(counted: Sequence[tuple[T, int]], offset: int) -> tuple[T, int]:
    """In which of these numbers of points the one with this number is, and where there."""
    for key, count in counted:
        if offset < count:
            return key, offset
        offset -= count
    raise ValueError(f"there are {offset} points less")


def _window(tx: Connection, query: Query, start: _Place, limit: int) -> Period | None:
    """The query's period, made as short as a page from there can be."""
    period = query.period
    if start.after is not None:
        begin, end = start.after[0], LATEST if period is None else period.end
        if begin >= end:
            raise Invalid("the cursor is of another period")
        period = Period(begin if period is None else max(begin, period.begin), end)
    if query.filters:
        return period
    most = FIRST_LOOK
    while True:
        counted = point_counts.by_begin(tx, replace(query, period=period), most)
        # Of the first period some may lie before the page.
        if sum(count for _, count in counted[1:]) >= limit or len(counted) < most:
            break
        most *= FASTER
    return Period(counted[0][0], counted[-1][0] + SECOND) if counted else period


def _taken(frames: Iterator[tuple[str, Frame]], start: _Place,
           limit: int) -> tuple[tuple[tuple[str, Frame], ...], int, _Place]:
    """The next ``limit`` points in pieces of frames, how many of the first one's place come before, and their end."""
    pieces: list[tuple[str, Frame]] = []
    place, passed, before = start.after, 0, 0
    skip, remaining = start.skip, limit
    for scope, frame in frames:
        here = frame.period.begin, scope
        if here != place:
            place, passed = here, 0
        first = min(skip, len(frame))
        last = min(len(frame), first + remaining)
        skip, remaining, passed = skip - first, remaining - (last - first), passed + last
        if first < last:
            if not pieces:
                before = passed - (last - first)
            pieces.append((scope, frame.between(first, last)))
        if not remaining:
            break
    if isinstance(frames, Generator):
        frames.close()
    return tuple(pieces), before, _Place(start.number + limit - remaining, passed, place)
