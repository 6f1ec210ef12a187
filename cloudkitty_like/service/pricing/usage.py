"""What is the same wherever usage is rated, live, again, as a quote or as a trial: what is kept of it, and of what.

``skip`` is by metric what says which rated points are dropped.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from cloudkitty_like.domain.expression import Predicate
from cloudkitty_like.domain.frame import Frame, merged
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period

Rate = Callable[[str, Period, Sequence[Frame]], Sequence[Frame]]
SkipPredicates = Mapping[str, Predicate]


def skips(metrics: Iterable[Metric]) -> dict[str, Predicate]:
    """The skip expressions of these definitions, by the name that a metric has in frames."""
    return {metric.alt_name: metric.skip for metric in metrics if metric.skip}


def by_metric(frames: Sequence[Frame]) -> list[Frame]:
    """One frame per metric and unit: two definitions with one alt_name add up before they are rated."""
    ordered = sorted(frames, key=_kind)
    return [frame for _, group in groupby(ordered, _kind) if len(frame := merged(list(group)))]


def _kind(frame: Frame) -> tuple[str, str]:
    return frame.metric, frame.unit


def without_skipped(frames: Iterable[Frame], skip: SkipPredicates) -> list[Frame]:
    """Rated frames without the rows that are to be skipped, each in its place, if empty."""
    return [frame if (predicate := skip.get(frame.metric)) is None else predicate.kept(frame) for frame in frames]
