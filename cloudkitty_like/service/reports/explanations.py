"""Why points of the ledger cost what they cost, now or as of any earlier change.

Every period is rated once more, in thought, by the rule-set version that it was
rated under, from the usage that was collected.  So what is told is what
happened; and where it no longer comes to the stored price, that is told too.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import frames, writes
from cloudkitty_like.domain.cursor import Cursor
from cloudkitty_like.domain.period import EPOCH, LATEST, Period
from cloudkitty_like.domain.posted_point import FramePosition
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.reports.pages import PointPage, PointPages
from cloudkitty_like.service.reports.replay import (
    SECOND,
    Explanation,
    OmittedPoint,
    ReplayService,
    RevisionReplay,
)

MOST_BESIDE = 500       # periods of a page that are looked at although they have no point on it


@dataclass(frozen=True, slots=True)
class Explanations:
    """A page of them, in the order of the points of the ledger.

    ``left_out``: usage of the same time that was collected and is not in the
    ledger, which ``total`` does not count; of the first 500 periods of a page.
    """

    total: int
    points: tuple[Explanation, ...]
    left_out: tuple[OmittedPoint, ...]
    next: str | None


class ExplanationService:
    """Explains what is in a ledger."""

    def __init__(self, database: Database, storage: Storage, tariffs: Tariffs,
                 metrics: Callable[[], MetricsFile]) -> None:
        self._database, self._storage, self._dataframes = database, storage, PointPages(database, storage)
        self._accounts = ReplayService(database, storage, tariffs, metrics)

    def page(self, query: Query, offset: int = 0, limit: int = 100, after: str | None = None) -> Explanations:
        """At most ``limit`` points, as :meth:`Dataframes.page` finds them, each with what made its price."""
        cursor = None if after is None else Cursor.of(after)
        as_of = query.as_of if query.as_of is not None or cursor is None else cursor.as_of
        if as_of is None:
            with self._database.read() as tx:
                as_of = writes.last_tx(tx)
        query = replace(query, as_of=as_of)
        page = self._dataframes.page(query, offset, limit, after)
        counts = _wanted(page)
        span = _Span.of(offset, None if cursor is None else cursor.after, page)
        with self._database.read() as tx:
            standing = frames.of_places(tx, counts, as_of)
            collected = frames.collected(tx, span.narrowed(query), MOST_BESIDE)
            beside = [revision for revision in collected
                      if revision.place not in counts and span.holds(revision.place)]
        points: list[Explanation] = []
        accounts: list[RevisionReplay] = []
        for place, count in counts.items():
            here = list(self._accounts.of(standing.get(place, ()), query))
            points += _some(here, 0 if points else page.passed, count)
            accounts += here
        for revision in beside:
            if self._storage.collected(revision.revision) is not None:
                accounts += self._accounts.of([revision], query)
        return Explanations(page.total, self._accounts.with_provenance(points),
                            tuple(left for account in accounts for left in account.left_out), page.next)


def _wanted(page: PointPage) -> dict[FramePosition, int]:
    """How many points of each scope and period the page has, in its order."""
    counts: dict[FramePosition, int] = {}
    for scope, frame in page.points:
        place = FramePosition(scope, frame.period.begin)
        counts[place] = counts.get(place, 0) + len(frame)
    return counts


@dataclass(frozen=True, slots=True)
class _Span:
    """The periods that belong to a page, by begin and scope: behind ``first``, up to and with ``last``; None: no end.

    ``including`` says whether ``first`` itself belongs to it.
    """

    first: tuple[datetime, str] | None
    last: tuple[datetime, str] | None
    including: bool

    @classmethod
    def of(cls, offset: int, after: tuple[datetime, str] | None, page: PointPage) -> _Span:
        places = [(frame.period.begin, scope) for scope, frame in page.points]
        last = None if page.next is None else places[-1]
        if after is not None or not offset:
            return cls(after, last, False)
        # Behind the last page there is nothing that an earlier one does not have.
        return cls(places[0] if places else (LATEST, ""), last, True)

    def narrowed(self, query: Query) -> Query:
        """The question about a time that holds it all."""
        begin, end = EPOCH if query.period is None else query.period.begin, LATEST
        if query.period is not None:
            end = query.period.end
        if self.last is not None:
            end = min(end, self.last[0] + SECOND)
        return replace(query, after=self.first, period=Period(min(begin, end - SECOND), end))

    def holds(self, place: FramePosition) -> bool:
        here = place.begin, place.scope
        return ((self.first is None or here > self.first or (self.including and here == self.first))
                and (self.last is None or here <= self.last))


def _some(accounts: Sequence[RevisionReplay], skip: int, count: int) -> list[Explanation]:
    """Points of one scope and period, as the storage orders them: by metric and unit, then by revision."""
    explanations: list[Explanation] = []
    for _, points in sorted((piece for account in accounts for piece in account.pieces()), key=itemgetter(0)):
        explanations += points[skip:skip + count - len(explanations)]
        skip = max(0, skip - len(points))
    return explanations
