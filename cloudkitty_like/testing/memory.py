"""Every port in memory: for tests, for trying things out, and as the plainest statement of what a port means."""
from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Self

from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.money import ZERO
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Sum, SummaryRow
from cloudkitty_like.ports import Addition, CollectorAnswer, PluginContext
from cloudkitty_like.testing.collector import Sample


class MemoryStorage:
    """Keeps additions as they are given and goes through all of them for every answer."""

    OPTS: ClassVar[Sequence[Any]] = ()
    shares_transaction: ClassVar[bool] = False

    def __init__(self) -> None:
        self._additions: dict[int, Addition] = {}

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls()

    def append(self, additions: Sequence[Addition], transaction: Any = None) -> None:
        numbers = set(self._additions)
        for addition in additions:
            if addition.revision in numbers:
                raise Conflict(f"revision {addition.revision} is stored already")
            numbers.add(addition.revision)
            points = [(frame.metric, frame.unit, tuple(frame.groupby), tuple(frame.metadata), row[0], row[1])
                      for frame in addition.frames for row in frame.rows()]
            if len(set(points)) != len(points):
                raise Invalid(f"revision {addition.revision} holds two points with the same metric, unit and labels")
        self._additions.update((addition.revision, addition) for addition in additions)

    def sums(self, query: Query, excluded: Collection[int] = (), max_revision: int | None = None) -> list[SummaryRow]:
        groups: dict[tuple[tuple[str, ...], str], Sum] = defaultdict(Sum)
        for scope, frame, row in self._points(query, excluded, max_revision):
            fixed = {SCOPE: scope, METRIC: frame.metric, DAY: instant(frame.period.begin)[:10],
                     TIME: instant(frame.period.begin)}
            key = tuple(fixed[name] if name in fixed else row.labels.get(name, "") for name in query.groupby)
            groups[key, frame.unit] += row.sum
        if METRIC in query.groupby:
            return [SummaryRow(key, amount, unit)
                    for (key, unit), amount in sorted(groups.items(), key=lambda item: item[0])]
        units: dict[tuple[str, ...], list[Sum]] = defaultdict(list)
        for (key, _), amount in groups.items():
            units[key].append(amount)
        return [SummaryRow(key, (amounts[0] if len(amounts) == 1
                                 else replace(sum(amounts, Sum()), qty=ZERO)))
                for key, amounts in sorted(units.items(), key=lambda item: item[0])]

    def frames(self, query: Query, excluded: Collection[int] = (),
               max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        entries = [
            (addition.period.begin, addition.scope, frame.metric, frame.unit, addition.revision,
             tuple(frame.groupby), tuple(frame.metadata), frame)
            for addition in self._visible(query, excluded, max_revision)
            if query.after is None or (addition.period.begin, addition.scope) >= query.after
            for whole in addition.frames
            if (frame := whole.where([_matches(query, whole, row) for row in _rows(whole)]))
        ]
        entries.sort(key=lambda item: item[:-1])
        return ((item[1], item[-1]) for item in entries)

    def usage(self, query: Query, excluded: Collection[int] = (),
              max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        rated = MemoryStorage()
        rated.append([
            replace(addition, frames=[frame.with_price([None] * len(frame)) for frame in (
                addition.frames if addition.collected is None else addition.collected)])
            for addition in self._visible(query, excluded, max_revision)])
        return rated.frames(replace(query, metrics=None, filters={}))

    def collected(self, revision: int) -> list[Frame] | None:
        addition = self._additions.get(revision)
        if addition is None or addition.collected is None:
            return None
        frames = [frame.with_price([None] * len(frame)) for frame in addition.collected if frame]
        return sorted(frames, key=lambda frame: (frame.metric, frame.unit))

    def all_collected(self, revisions: Collection[int]) -> dict[int, list[Frame]]:
        return {revision: frames for revision in revisions if (frames := self.collected(revision)) is not None}

    def purge(self, revisions: Collection[int]) -> None:
        for revision in revisions:
            self._additions.pop(revision, None)

    def _visible(self, query: Query, excluded: Collection[int], max_revision: int | None) -> Iterator[Addition]:
        invisible = set(excluded)
        for revision, addition in self._additions.items():
            if (revision not in invisible and (max_revision is None or revision <= max_revision)
                    and (query.period is None or addition.period.begin in query.period)
                    and (query.scopes is None or addition.scope in query.scopes)):
                yield addition

    def _points(self, query: Query, excluded: Collection[int],
                max_revision: int | None) -> Iterator[tuple[str, Frame, _Point]]:
        for addition in self._visible(query, excluded, max_revision):
            for frame in addition.frames:
                for row in _rows(frame):
                    if _matches(query, frame, row):
                        yield addition.scope, frame, row


@dataclass(frozen=True, slots=True)
class _Point:
    labels: Mapping[str, str]
    sum: Sum


def _rows(frame: Frame) -> Iterator[_Point]:
    for groupby, metadata, qty, price in frame.rows():
        labels = dict(zip(frame.metadata, metadata, strict=True)) | dict(zip(frame.groupby, groupby, strict=True))
        yield _Point(labels, Sum(qty, ZERO if price is None else price, 1, int(price is None)))


def _matches(query: Query, frame: Frame, row: _Point) -> bool:
    return ((query.metrics is None or frame.metric in query.metrics)
            and all(row.labels.get(name, "") in values for name, values in query.filters.items()))


class MemoryCollector:
    """Usage that is given beforehand; what was sampled in a period is added up.

    ``failing`` may raise, before a question is answered, what a source would:
    it is given the metric, the period and the scopes.  A scope for which it
    returns an error is answered as failed.
    """

    OPTS: ClassVar[Sequence[Any]] = ()

    def __init__(self, samples: Iterable[Sample] = (), scope_key: str = "project_id",
                 failing: Callable[[Metric, Period, Collection[str]], Mapping[str, Any]] | None = None,
                 proven: bool = True) -> None:
        self.samples = list(samples)
        self.scope_key, self.proven = scope_key, proven
        self._failing = failing or (lambda metric, period, scopes: {})
        self.asked: list[tuple[str, Period, tuple[str, ...]]] = []

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls(scope_key=context.scope_key)

    def parse_args(self, extra_args: Mapping[str, Any]) -> None:
        if extra_args:
            raise Invalid(*(f"extra_args: {name} means nothing here" for name in extra_args))

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        self.asked.append((metric.name, period, tuple(scopes)))
        failed = self._failing(metric, period, scopes)
        by_scope: dict[str, list[Sample]] = defaultdict(list)
        for sample in self.samples:
            scope = sample.labels.get(self.scope_key, "")
            if sample.metric == metric.name and sample.when in period and scope in scopes and scope not in failed:
                by_scope[scope].append(sample)
        frames = {scope: _frame(metric, period, samples) for scope, samples in by_scope.items()}
        return CollectorAnswer(frames, MappingProxyType(dict(failed)), self.proven)

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        names = {metric.name for metric in metrics}
        return min((sample.when for sample in self.samples if sample.metric in names and sample.when in period),
                   default=None)


def _frame(metric: Metric, period: Period, samples: Sequence[Sample]) -> Frame:
    def cells(names: Iterable[str]) -> dict[str, list[str]]:
        return {name: [sample.labels.get(name, "") for sample in samples] for name in names}

    return Frame.of_usage(metric.alt_name, metric.unit, period,
                          metric.quantities(sample.quantity for sample in samples),
                          cells(metric.groupby), cells(metric.metadata))


class MemoryFetcher:
    """Scopes that are given beforehand, and may change."""

    OPTS: ClassVar[Sequence[Any]] = ()

    def __init__(self, scopes: Iterable[str] = ()) -> None:
        self.known = list(scopes)

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls()

    def scopes(self) -> Iterable[str]:
        return tuple(self.known)


class MemoryLease:
    """Shards shared by the threads of one process that have this object."""

    def __init__(self, shards: int = 8) -> None:
        self._free = set(range(shards))
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, shards: int) -> Iterator[Collection[int]]:
        with self._lock:
            held = frozenset(sorted(self._free)[:shards])
            self._free -= held
        try:
            yield held
        finally:
            with self._lock:
                self._free |= held
