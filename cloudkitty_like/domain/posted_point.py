"""Data points that somebody hands in, priced already: what makes one the same as another, and their frames."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.frame_schema import FrameSchema, LabelNames, PricedQuantity, frame_of_points
from cloudkitty_like.domain.period import EPOCH, LATEST, Period
from cloudkitty_like.domain.scope import check_identifier
from cloudkitty_like.domain.text import storable

SHOWN = 20                             # problems of one call that are told
LONGEST_METRIC, LONGEST_UNIT = 255, 64



@dataclass(frozen=True, slots=True)
class PostedPoint:
    """One point as it is handed in; ``groupby`` holds the scope among its labels."""

    period: Period
    metric: str
    unit: str
    qty: Decimal
    price: Decimal | None              # None: no rule has priced it
    groupby: Mapping[str, str]
    metadata: Mapping[str, str]


class FramePosition(NamedTuple):
    """Which points are kept together: those of one scope that begin then."""

    scope: str
    begin: datetime


class PostedFramePoints:
    """Points of one place, at most one of each metric, unit, and names and values of labels."""

    def __init__(self, period: Period, frames: Iterable[Frame] = ()) -> None:
        self.period = period
        self._amounts: dict[FrameSchema, dict[LabelNames, PricedQuantity]] = {}
        for frame in frames:
            self._keep(frame)

    def put(self, point: PostedPoint, period: Period, amount: PricedQuantity) -> None:
        """Add one, or replace the one that is the same; Invalid where its period is another."""
        if period != self.period:
            raise Invalid(f"its period is {period}, that of an earlier point of this scope {self.period}")
        groupby, metadata = sorted(point.groupby), sorted(point.metadata)
        cells = (*map(point.groupby.__getitem__, groupby), *map(point.metadata.__getitem__, metadata))
        self._of(FrameSchema(point.metric, point.unit, tuple(groupby), tuple(metadata)))[cells] = amount

    def update(self, other: PostedFramePoints) -> None:
        """Add all of those, each replacing the one that is the same."""
        for shape, amounts in other._amounts.items():
            self._of(shape).update(amounts)

    def frames(self) -> tuple[Frame, ...]:
        """The same points make the same frames in the same order."""
        return tuple(frame_of_points(self.period, shape, self._amounts[shape]) for shape in sorted(self._amounts))

    def _of(self, shape: FrameSchema) -> dict[LabelNames, PricedQuantity]:
        return self._amounts.setdefault(shape, {})

    def _keep(self, frame: Frame) -> None:
        groupby, metadata = sorted(frame.groupby), sorted(frame.metadata)
        columns = [*map(frame.groupby.__getitem__, groupby), *map(frame.metadata.__getitem__, metadata)]
        rows: list[LabelNames] = list(zip(*columns, strict=True)) if columns else [()] * len(frame)
        self._of(FrameSchema(frame.metric, frame.unit, tuple(groupby), tuple(metadata))).update(
            zip(rows, zip(frame.qty, frame.price, strict=True), strict=True))


def by_place(points: Sequence[PostedPoint], scope_key: str) -> dict[FramePosition, PostedFramePoints]:
    """The points by scope and begin; of those that are the same the last one counts.

    Amounts are rounded to 12 decimals, fractions of a second are dropped.
    Invalid, saying what is wrong with which points, where any of them is.
    """
    frames: dict[FramePosition, PostedFramePoints] = {}
    problems: list[str] = []
    for number, point in enumerate(points, 1):
        try:
            period, amount = _checked(point, scope_key)
            place = FramePosition(point.groupby[scope_key], period.begin)
            frames.setdefault(place, PostedFramePoints(period)).put(point, period, amount)
        except Invalid as error:
            problems += (f"point {number} ({point.metric!r}): {problem}" for problem in error.problems)
    if problems:
        more = len(problems) - SHOWN
        raise Invalid(*problems[:SHOWN], *([f"and {more} more problems"] if more > 0 else []))
    return frames


def _checked(point: PostedPoint, scope_key: str) -> tuple[Period, PricedQuantity]:
    problems: list[str] = []
    amounts: list[Decimal] = []
    for name, value in (("quantity", point.qty), ("price", money.ZERO if point.price is None else point.price)):
        try:
            amounts.append(money.rounded(value))
        except Invalid as error:
            problems += (f"{name}: {problem}" for problem in error.problems)
    period = _whole_seconds(point.period)
    if period is None:
        problems.append(f"its period {point.period} is shorter than a second or does not lie between 1970 and 9000")
    problems += _names_wrong(point, scope_key)
    if problems or period is None:
        raise Invalid(*problems)
    return period, (amounts[0], None if point.price is None else amounts[1])


def _whole_seconds(period: Period) -> Period | None:
    """The period without fractions of a second; None where it cannot be kept."""
    begin, end = period.begin.replace(microsecond=0), period.end.replace(microsecond=0)
    return Period(begin, end) if EPOCH <= begin < end <= LATEST else None


def _names_wrong(point: PostedPoint, scope_key: str) -> Iterator[str]:
    for name, text, longest in (("metric", point.metric, LONGEST_METRIC), ("unit", point.unit, LONGEST_UNIT)):
        if len(text) > longest or not storable(text):
            yield f"the {name} has more than {longest} characters or one that cannot be stored"
    if not point.metric:
        yield "the metric has no name"
    scope = point.groupby.get(scope_key)
    if scope is None:
        yield f"its groupby labels lack {scope_key!r}, which says whose it is"
        return
    try:
        check_identifier(scope)
    except Invalid as error:
        yield from error.problems
