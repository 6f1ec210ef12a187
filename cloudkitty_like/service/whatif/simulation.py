"""What if: usage that is rated already, rated once more by other rules, and nothing of it stored.

Points that were handed in with their prices are left out on both sides: no rule has made them.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import frames as frame_rows
from cloudkitty_like.db.ledger import visibility, writes
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Error, Invalid, Unavailable, Unloadable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query, Sum
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.script import Script
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.pricing.tariffs import Pricing, Tariffs
from cloudkitty_like.service.pricing.usage import SkipPredicates, skips, without_skipped

TotalKey = tuple[str, str, str]
"""Scope, metric, unit."""

HASHMAP, PYSCRIPTS = "hashmap", "pyscripts"
NOTHING = Sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """What to rate, and by what: rules and scripts that take the place of all recorded ones; None: the recorded ones.

    Every period that begins in ``period`` of these scopes (None: of all).
    """

    period: Period
    scopes: frozenset[str] | None
    rules: Sequence[Rule] | None = None
    scripts: Sequence[Script] | None = None

    @property
    def documents(self) -> dict[str, Any]:
        """By the name of the module that they are for."""
        both = ((HASHMAP, self.rules), (PYSCRIPTS, self.scripts))
        return {module: document for module, document in both if document is not None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is stored beside what it would be."""

    scope: str
    metric: str
    unit: str
    stored: Sum
    candidate: Sum

    @property
    def difference(self) -> Decimal:
        """By how much the price would be higher."""
        with money.arithmetic():
            return self.candidate.price - self.stored.price


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The answer, by scope, metric and unit in this order.

    ``failed`` says of scopes why they could not be rated; they are not in ``rows``.
    """

    rows: tuple[Comparison, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Comparison:
        """All of it together; quantities of several units are nothing that adds up."""
        stored, candidate = sum((row.stored for row in self.rows), NOTHING), sum(
            (row.candidate for row in self.rows), NOTHING)
        return Comparison("", "", "", replace(stored, qty=money.ZERO), replace(candidate, qty=money.ZERO))


ProgressCallback = Callable[[int, int], None]
"""Is told how many points are rated, and how many there are."""


@dataclass(frozen=True)
class Simulation:
    """Tries rules on the ledger of one installation."""

    database: Database
    storage: Storage
    tariffs: Tariffs
    metrics: Callable[[], Sequence[Metric]]

    def run(self, trial: SimulationRequest, most: int | None = None,
            progressed: ProgressCallback = lambda points, total: None) -> SimulationResult:
        """The trial's outcome.

        Invalid where there are more than ``most`` points, or the rules make no
        sense to their module.  A scope that they cannot rate is among those
        that failed.
        """
        try:
            pricing = self.tariffs.trial(trial.documents)
        except Invalid as error:
            if trial.documents and not isinstance(error, Unloadable):
                raise
            raise Unavailable(f"rating failed: {error}") from error
        with self.database.read() as tx:
            query = Query(scopes=trial.scopes, period=trial.period, as_of=writes.last_tx(tx))
            there = frame_rows.points(tx, query)
            if most is not None and there > most:
                raise Invalid(f"there are {there} points, more than the {most} that are rated at a time",
                              hint="ask for a shorter time or fewer scopes")
            stored = frame_rows.totals(tx, query)
            invisible, max_revision = visibility.invisible_revisions(tx, query.as_of, query.period, query.scopes)
            invisible += frame_rows.handed_in(tx, query)
        rating = _Rating(pricing, skips(self.metrics()), there, progressed)
        rating.all(self.storage.usage(query, invisible, max_revision))
        return _compared(stored, rating)


class _Rating:
    """Rates scopes' periods one after the other, and keeps nothing of them but sums."""

    def __init__(self, pricing: Pricing, skip: SkipPredicates, there: int, progressed: ProgressCallback) -> None:
        self._pricing, self._skip, self._there, self._progressed = pricing, skip, there, progressed
        self.sums: dict[TotalKey, _GrowingSum] = {}
        self.failed: dict[str, str] = {}

    def all(self, usage: Iterator[tuple[str, Frame]]) -> None:
        done = 0
        with money.arithmetic():
            for (_, scope), pieces in groupby(
                    usage, key=lambda piece: (piece[1].period.begin, piece[0])):
                frames = [frame for _, frame in pieces]
                done += sum(map(len, frames))
                if scope not in self.failed:
                    self._one(scope, frames[0].period, frames)
                self._progressed(min(done, self._there), self._there)

    def _one(self, scope: str, period: Period, frames: Sequence[Frame]) -> None:
        try:
            rated = without_skipped(self._pricing.rate(scope, period, frames), self._skip)
        except Unavailable:
            raise
        except Error as error:
            self.failed[scope] = f"{period}: {error}"
            return
        for frame in rated:
            if len(frame):
                key = scope, frame.metric, frame.unit
                adding = self.sums.get(key)
                if adding is None:
                    adding = self.sums[key] = _GrowingSum()
                adding.add(frame)


class _GrowingSum:
    """A sum that grows by frames."""

    def __init__(self) -> None:
        self._qty = self._price = money.ZERO
        self._points = self._unpriced = 0

    def add(self, frame: Frame) -> None:
        self._qty = sum(frame.qty, self._qty)
        prices: Any = frame.price if not frame.unpriced else [price for price in frame.price if price is not None]
        self._price = sum(prices, self._price)
        self._points += len(frame)
        self._unpriced += frame.unpriced

    @property
    def sum(self) -> Sum:
        return Sum(self._qty, self._price, self._points, self._unpriced)


def _compared(stored: Mapping[TotalKey, Sum], rating: _Rating) -> SimulationResult:
    candidate = {key: total.sum for key, total in rating.sums.items()}
    return SimulationResult(tuple(
        Comparison(*key, stored.get(key, NOTHING), candidate.get(key, NOTHING))
        for key in sorted({**stored, **candidate}) if key[0] not in rating.failed), rating.failed)
