"""What became of every row on its way through the rating modules, and what each of them added to its price."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.explanation import EXACT, ExplainedFrames, LazySequence, PricePart
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import Tariff

RowKey = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""What makes a row the same before and after a module: metric, unit, and labels."""

RowRef = tuple[int, int]
"""Number of a frame, and of a row in it."""


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that did not come out of a module."""

    module: str
    frame: Frame                       # as it went in
    row: int


@dataclass(frozen=True)
class _Step:
    """One module: what it was given, what came out, and which row out of which."""

    module: str
    before: Sequence[Frame]
    explained: ExplainedFrames
    sources: dict[RowRef, RowRef] | None         # None: every row is still in its place

    def source(self, place: RowRef) -> RowRef | None:
        return place if self.sources is None else self.sources.get(place)

    def dropped(self) -> Iterator[DroppedRow]:
        if self.sources is not None:
            there = set(self.sources.values())
            for number, frame in enumerate(self.before):
                yield from (DroppedRow(self.module, frame, row) for row in range(len(frame))
                            if (number, row) not in there)


class Trace:
    """The frames of one scope and period on their way; ``frames`` are as the last module left them, not rounded."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self._steps: list[_Step] = []

    def through(self, module: str, tariff: Tariff, scope: str, period: Period) -> None:
        """Let this module rate them; to be called in :func:`money.arithmetic`."""
        before = self.frames
        explain: Any = getattr(tariff, "explain", None)
        explained: ExplainedFrames | None = None
        if explain is not None:
            explained = explain(scope, period, before)
        after = tariff.rate(scope, period, before) if explained is None else explained.frames
        check(module, after, period)
        sources = _sources(before, after)
        if explained is None:
            explained = ExplainedFrames(after, [_differences(module, before, frame, number, sources)
                                                for number, frame in enumerate(after)])
        self._steps.append(_Step(module, before, explained, sources))
        self.frames = after

    def parts(self, frame: int, row: int) -> tuple[PricePart, ...]:
        """What made the price of this row, in the order of the modules."""
        place: RowRef | None = (frame, row)
        parts: list[PricePart] = []
        for step in reversed(self._steps):
            if place is None:
                break
            parts[:0] = step.explained.parts[place[0]][place[1]]
            place = step.source(place)
        return tuple(parts)

    def dropped(self) -> list[DroppedRow]:
        """The rows that a module left out, in the order of the modules."""
        return [row for step in self._steps for row in step.dropped()]


def check(module: str, frames: Sequence[Frame], period: Period) -> None:
    """Invalid where a module's answer is no frames of the period."""
    for frame in frames:
        if not isinstance(frame, Frame) or (frame.period is not period and frame.period != period):
            raise Invalid(f"the rating module {module} answered {frame!r:.80}, which is no frame of {period}")


def keys(frame: Frame) -> list[RowKey]:
    """The key of every row; the order in which labels stand makes no difference."""
    groupby, metadata = sorted(frame.groupby), sorted(frame.metadata)
    columns = [*map(frame.groupby.__getitem__, groupby), *map(frame.metadata.__getitem__, metadata)]
    cells: Sequence[tuple[str, ...]] = list(zip(*columns, strict=True)) if columns else [()] * len(frame)
    head = frame.metric, frame.unit, tuple(groupby), tuple(metadata)
    return [(*head, values) for values in cells]


def places(frames: Sequence[Frame]) -> dict[RowKey, RowRef]:
    """Where each row is."""
    return {key: (number, row) for number, frame in enumerate(frames) for row, key in enumerate(keys(frame))}


def same_rows(frame: Frame, other: Frame) -> bool:
    """Whether the rows are those of the other, whatever their prices."""
    return ((frame.metric, frame.unit) == (other.metric, other.unit)
            and (frame.qty is other.qty or frame.qty == other.qty)
            and (frame.groupby is other.groupby or frame.groupby == other.groupby)
            and (frame.metadata is other.metadata or frame.metadata == other.metadata))


def _sources(before: Sequence[Frame], after: Sequence[Frame]) -> dict[RowRef, RowRef] | None:
    if len(before) == len(after) and all(map(same_rows, before, after)):
        return None
    origins = places(before)
    return {place: origins[key] for key, place in places(after).items() if key in origins}


def _differences(module: str, before: Sequence[Frame], frame: Frame, number: int,
                 sources: dict[RowRef, RowRef] | None) -> Sequence[tuple[PricePart, ...]]:
    """The parts of a module that does not say them: what it has made of each row."""
    def parts(row: int) -> tuple[PricePart, ...]:
        source = (number, row) if sources is None else sources.get((number, row))
        price = frame.price[row]
        if source is None:
            return (PricePart(module, price or money.ZERO, f"added the point, {_amount(frame.qty[row], price)}"),)
        old_qty, old_price = before[source[0]].qty[source[1]], before[source[0]].price[source[1]]
        if (old_qty, old_price) == (frame.qty[row], price):
            return ()
        with localcontext(EXACT):      # whatever the module's numbers are: so that nothing is left of the sum
            amount = (price or money.ZERO) - (old_price or money.ZERO)
        return (PricePart(module, amount, f"{_amount(old_qty, old_price)} became {_amount(frame.qty[row], price)}"),)
    return LazySequence(len(frame), parts)


def _amount(qty: Decimal, price: Decimal | None) -> str:
    return f"{money.plain(qty)} at {'no price' if price is None else money.plain(price)}"
