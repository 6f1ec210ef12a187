"""Why something costs what it costs: what each rule did to the price of a point."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, localcontext
from types import MappingProxyType
from typing import TypeVar, overload

from cloudkitty_like.domain import money
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.rule import ALWAYS, Validity

T = TypeVar("T")
EXACT = Context(prec=4000)
"""For sums of parts: exact whatever the rules, so that nothing is left that only looks like a rounding."""

HALF = money.QUANTUM / 2
"""The most that rounding a price can change it by."""


@dataclass(frozen=True, slots=True)
class PricePart:
    """What one cause added to the price of one point, not rounded.

    An amount of zero is a rule that was met and made no difference, because
    another outranked it or what it is a rate of is nothing.
    """

    module: str                        # the rating module
    amount: Decimal
    what: str                          # for people: "mapping flavor=m1: 0.12 x 720 hour"
    rule: str | None = None            # id of the rule or the script; None where no single one did it


@dataclass(frozen=True)
class ExplainedFrames:
    """What a tariff answers, and for every row of every frame the parts that it added; they may be made when read."""

    frames: Sequence[Frame]
    parts: Sequence[Sequence[tuple[PricePart, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a rule or a script comes from, in the state in which it priced something."""

    module: str
    id: str
    kind: str                          # mapping, threshold, script
    version: int                       # which recorded state of it, from 1 on
    change: int                        # the rule change that recorded this state
    author: str
    recorded: datetime
    name: str = ""
    reason: str = ""                   # given for the change
    valid: Validity = ALWAYS


@dataclass(frozen=True, slots=True)
class ExplainedPoint:
    """One row of a frame, by itself."""

    metric: str
    unit: str
    groupby: Mapping[str, str]
    metadata: Mapping[str, str]
    qty: Decimal
    price: Decimal | None              # None: unpriced

    @classmethod
    def of(cls, frame: Frame, row: int) -> ExplainedPoint:
        groupby, metadata = (MappingProxyType({name: column.values[column.codes[row]]
                                               for name, column in labels.items()})
                             for labels in (frame.groupby, frame.metadata))
        return cls(frame.metric, frame.unit, groupby, metadata, frame.qty[row], frame.price[row])

    @property
    def labels(self) -> Mapping[str, str]:
        """As rules see them: a groupby label hides a metadata label of its name."""
        return {**self.metadata, **self.groupby}


class LazySequence(Sequence[T]):
    """A sequence of ``length`` whose elements are made when they are read."""

    def __init__(self, length: int, make: Callable[[int], T]) -> None:
        self._length, self._make = length, make

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self._make(number) for number in range(*index.indices(self._length))]
        return self._make(range(self._length)[index])

    def __len__(self) -> int:
        return self._length


def total(parts: Iterable[PricePart]) -> Decimal:
    """All of them together, exactly."""
    with localcontext(EXACT):
        return sum((part.amount for part in parts), money.ZERO)


def rounding(price: Decimal | None, parts: Iterable[PricePart]) -> Decimal:
    """What the price as it is stored has beyond its parts; of what is unpriced, beyond zero."""
    with localcontext(EXACT):
        return (money.ZERO if price is None else price) - total(parts)
