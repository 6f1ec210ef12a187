"""The account that one scope's period gives of its points: rated once more as it was rated, and compared."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal, localcontext
from functools import cached_property

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import visibility, writes
from cloudkitty_like.db.ledger.frames import FrameRevision
from cloudkitty_like.domain import money
from cloudkitty_like.domain.change import Ruleset
from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.explanation import (
    EXACT,
    ExplainedPoint,
    LazySequence,
    PricePart,
    Provenance,
    rounding,
)
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.pricing import rulesets
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.pricing.trace import RowKey, RowRef, Trace, keys, places
from cloudkitty_like.service.pricing.usage import by_metric, skips

SECOND = timedelta(seconds=1)
Rules = Mapping[tuple[str, str], Provenance]
"""By module and id."""


@dataclass(frozen=True, slots=True)
class RatingBasis:
    """How a scope's period was rated, or that it was posted; ``problem`` says why it cannot be rated so again."""

    revision: FrameRevision
    ruleset: Ruleset | None = None
    modules: tuple[str, ...] = ()      # in the order in which they ran
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a point costs what it costs: its price is all parts, ``rounding`` and ``difference`` together, exactly.

    ``difference`` is what the rules do not account for: 0 where rating it again
    comes to the same price (``reproduced``), as it does unless the software or
    the world has changed.
    """

    point: ExplainedPoint
    parts: tuple[PricePart, ...]
    rounding: Decimal = money.ZERO
    difference: Decimal = money.ZERO
    reproduced: bool = True
    basis: RatingBasis | None = None         # None: it is not in the ledger
    rules: Rules = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OmittedPoint:
    """Usage that was collected and then left out of the ledger, by a module or by the skip expression."""

    basis: RatingBasis
    module: str                        # '' where it was the skip expression
    why: str
    point: ExplainedPoint


class ReplayService:
    """Makes accounts."""

    def __init__(self, database: Database, storage: Storage, tariffs: Tariffs,
                 metrics: Callable[[], MetricsFile]) -> None:
        self._database, self._storage, self._tariffs, self._metrics = database, storage, tariffs, metrics

    def of(self, revisions: Sequence[FrameRevision], query: Query) -> Iterator[RevisionReplay]:
        """One of each of these revisions, which are all that there are of their scope and begin."""
        if not revisions:
            return
        place = revisions[0].place
        window, scopes = Period.starting(place.begin, SECOND), frozenset({place.scope})
        with self._database.read() as tx:
            invisible, max_revision = visibility.invisible_revisions(tx, query.as_of, window, scopes)
        place_query = replace(query, period=window, scopes=scopes, after=None)
        for revision in revisions:
            others = {*invisible, *(other.revision for other in revisions if other is not revision)}
            shown = [frame for _, frame in self._storage.frames(place_query, others, max_revision)]
            if revision.origin == writes.POSTED:
                yield RevisionReplay(RatingBasis(revision), shown)
                continue
            whole = shown
            if place_query.metrics is not None or place_query.filters:
                everything = replace(place_query, metrics=None, filters={})
                whole = [frame for _, frame in self._storage.frames(everything, others, max_revision)]
            yield self._rated(revision, shown, whole, place_query)

    def _rated(self, revision: FrameRevision, shown: Sequence[Frame], whole: Sequence[Frame],
               query: Query) -> RevisionReplay:
        collected = self._storage.collected(revision.revision)
        usage = [frame.with_price([None] * len(frame)) for frame in whole] if collected is None else collected
        basis = RatingBasis(revision)
        try:
            ruleset = rulesets.get(self._database, revision.ruleset)
            basis = replace(basis, ruleset=ruleset)
            pricing = self._tariffs.at(ruleset.change)
            basis = replace(basis, modules=pricing.modules)
            frames, trace = pricing.explain(revision.place.scope, revision.period, by_metric(usage))
        except Unavailable:
            raise
        except Error as error:
            return RevisionReplay(replace(basis, problem=str(error)), shown)
        again = ReplayedFrames(frames, trace)
        left = () if collected is None else tuple(self._left(basis, again, whole, query))
        return RevisionReplay(basis, shown, again, left)

    def _left(self, basis: RatingBasis, again: ReplayedFrames, whole: Sequence[Frame],
              query: Query) -> Iterator[OmittedPoint]:
        for dropped_row in again.trace.dropped():
            point = ExplainedPoint.of(dropped_row.frame, dropped_row.row)
            why = f"left out by {dropped_row.module}"
            yield from _asked(OmittedPoint(basis, dropped_row.module, why, point), query)
        metrics = self._metrics()
        same_metrics = basis.ruleset is not None and basis.ruleset.metrics == metrics.digest
        predicates = skips(metrics.metrics) if same_metrics else {}
        stored: set[RowKey] = {key for frame in whole for key in keys(frame)}
        for key, (number, row) in again.places.items():
            if key not in stored:
                frame = again.frames[number]
                skip = predicates.get(frame.metric)
                why = "left out by the skip expression" + ("" if skip is None else f" {skip.text}")
                yield from _asked(OmittedPoint(basis, "", why, ExplainedPoint.of(frame, row)), query)

    def with_provenance(self, points: Iterable[Explanation]) -> tuple[Explanation, ...]:
        """The same, and of every rule that they name where it comes from."""
        points = tuple(points)
        changes: dict[int, list[PricePart]] = {}
        for point in points:
            if point.basis is not None and point.basis.ruleset is not None:
                changes.setdefault(point.basis.ruleset.change, []).extend(point.parts)
        provenances = {change: self._tariffs.provenance(change, parts)
                       for change, parts in changes.items()}
        return tuple(
            point if point.basis is None or point.basis.ruleset is None
            else replace(point, rules=provenances[point.basis.ruleset.change]) for point in points)


def _asked(left: OmittedPoint, query: Query) -> Iterator[OmittedPoint]:
    """It, if the question is about it."""
    labels = left.point.labels
    if ((query.metrics is None or left.point.metric in query.metrics)
            and all(labels.get(name, "") in values for name, values in query.filters.items())):
        yield left


@dataclass(frozen=True)
class ReplayedFrames:
    """A scope's period rated once more."""

    frames: Sequence[Frame]            # rounded
    trace: Trace

    @cached_property
    def places(self) -> dict[RowKey, RowRef]:
        return places(self.frames)


@dataclass(frozen=True)
class RevisionReplay:
    """What one revision says of its points; ``frames`` are those asked about."""

    basis: RatingBasis
    frames: Sequence[Frame]
    again: ReplayedFrames | None = None         # None: posted, or it cannot be rated again
    left_out: Sequence[OmittedPoint] = ()

    def pieces(self) -> Iterator[tuple[tuple[object, ...], Sequence[Explanation]]]:
        """Its points frame by frame, each with what orders frames of one scope and period."""
        for frame in self.frames:
            order = (frame.metric, frame.unit, self.basis.revision.revision, tuple(frame.groupby),
                     tuple(frame.metadata))
            yield order, self._points(frame)

    def _points(self, frame: Frame) -> Sequence[Explanation]:
        row_keys = keys(frame)
        return LazySequence(len(frame), lambda row: self._point(frame, row, row_keys[row]))

    def _point(self, frame: Frame, row: int, key: RowKey) -> Explanation:
        point = ExplainedPoint.of(frame, row)
        price = point.price or money.ZERO
        if self.basis.revision.origin == writes.POSTED:
            who = self.basis.revision.author
            part = PricePart(writes.POSTED, price, f"posted by {who}")
            return Explanation(point, (part,), basis=self.basis)
        place = None if self.again is None else self.again.places.get(key)
        if self.again is None or place is None:
            return Explanation(point, (), difference=price, reproduced=False, basis=self.basis)
        return _compared(point, self.again, place, self.basis)


def _compared(point: ExplainedPoint, again: ReplayedFrames, place: RowRef, basis: RatingBasis) -> Explanation:
    frame, row = again.frames[place[0]], place[1]
    parts, price = again.trace.parts(*place), frame.price[row]
    with localcontext(EXACT):
        difference = (point.price or money.ZERO) - (price or money.ZERO)
    return Explanation(point, parts, rounding(price, parts), difference,
                       (price, frame.qty[row]) == (point.price, point.qty), basis)
