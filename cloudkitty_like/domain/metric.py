"""What is measured, and how a raw number becomes a quantity."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Clamped, Decimal, Overflow
from fractions import Fraction
from itertools import repeat
from math import lcm
from types import MappingProxyType
from typing import Any, Literal

from cloudkitty_like.domain import money
from cloudkitty_like.domain.expression import Predicate

MutationName = Literal["NONE", "NUMBOOL", "NOTNUMBOOL", "FLOOR", "CEIL", "MAP"]
MUTATIONS: tuple[MutationName, ...] = ("NONE", "NUMBOOL", "NOTNUMBOOL", "FLOOR", "CEIL", "MAP")


@dataclass(frozen=True, slots=True)
class Metric:
    """One definition of metrics.yml.

    A quantity is ``raw * factor + offset``, computed exactly, then mutated,
    then rounded to 12 decimals (:func:`cloudkitty_like.domain.money.rounded`).
    """

    name: str                          # in the source
    unit: str
    alt_name: str = ""                 # in frames, rules and reports; ``name`` where not given
    description: str = ""
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    groupby: tuple[str, ...] = ()      # the scope key among them
    metadata: tuple[str, ...] = ()
    mutate: MutationName = "NONE"
    mutate_map: Mapping[Decimal, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    skip: Predicate | None = None      # rated points for which it holds are dropped; None: the default's turn
    args: Any = None                   # the collector's own, already checked

    def __post_init__(self) -> None:
        if not self.alt_name:
            object.__setattr__(self, "alt_name", self.name)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that is read from the source: groupby, then metadata."""
        return (*self.groupby, *self.metadata)

    def quantity(self, raw: str | int | Decimal) -> Decimal:
        """The quantity of one raw value; Invalid where it is no finite number or out of range."""
        return self.quantities([raw])[0]

    def quantities(self, raws: Iterable[str | int | Decimal]) -> list[Decimal]:
        """The quantities of many raw values, in their order."""
        values = money.numbers(raws)
        if self.factor != 1 or self.offset != 0:
            values = _scaled(values, self.factor, self.offset)
        if self.mutate != "NONE":
            values = [self._mutated(value) for value in values]
        return money.all_rounded(values)

    def _mutated(self, value: Decimal) -> Decimal:
        match self.mutate:
            case "NUMBOOL":
                return Decimal(value != 0)
            case "NOTNUMBOOL":
                return Decimal(value == 0)
            case "FLOOR":
                return value.to_integral_value(ROUND_FLOOR)
            case "CEIL":
                return value.to_integral_value(ROUND_CEILING)
            case "MAP":
                return self.mutate_map.get(value, money.ZERO)
            case _:
                return value


def _scaled(values: list[Decimal], factor: Fraction, offset: Fraction) -> list[Decimal]:
    """``value * factor + offset`` of each: exact where decimals can say it, else to 60 digits."""
    # One division, and that last: 1/3 of 3 is 1 then, and 181.4 * 5/9 - 160/9 is 83, where two rounded
    # quotients would differ from it by what CEIL, FLOOR and MAP notice.
    common = lcm(factor.denominator, offset.denominator)
    numerator, more, denominator = Decimal(int(factor * common)), Decimal(int(offset * common)), Decimal(common)
    with money.arithmetic() as context:
        # Beyond 10^999999 is infinite, thus out of range; what is as small as that is nothing.
        context.traps[Overflow] = context.traps[Clamped] = False
        results = list(map(context.multiply, values, repeat(numerator))) if numerator != 1 else values
        if more:
            results = list(map(context.add, results, repeat(more)))
        return list(map(context.divide, results, repeat(denominator))) if denominator != 1 else results
