"""A total as it is stored: whole units and millionths of millionths, as integers."""
from __future__ import annotations

from typing import NamedTuple

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame


class Amounts(NamedTuple):
    """A total in its stored form; the fields are columns.  See :mod:`cloudkitty_like.domain.money`."""

    qty_whole: int = 0
    qty_part: int = 0
    price_whole: int = 0
    price_part: int = 0
    points: int = 0
    unpriced: int = 0

    @classmethod
    def of(cls, frame: Frame) -> Amounts:
        """The total of a frame.

        :raises Invalid: when the total is out of range.
        """
        qty = money.exact_sum(*map(sum, frame.fixed_qty))
        price = money.exact_sum(*map(sum, frame.fixed_price))
        for name, (whole, _) in (("quantity", qty), ("price", price)):
            if abs(whole) >= money.TOTAL_LIMIT:
                raise Invalid(f"{frame.metric}: the total {name} {whole} is out of range")
        return cls(*qty, *price, len(frame), frame.unpriced)

    def plus(self, other: Amounts) -> Amounts:
        """The sum of both."""
        return self._with(other, 1)

    def minus(self, other: Amounts) -> Amounts:
        """What is left when the other is taken away."""
        return self._with(other, -1)

    def _with(self, other: Amounts, sign: int) -> Amounts:
        qty = money.exact_sum(self.qty_whole + sign * other.qty_whole,
                              self.qty_part + sign * other.qty_part)
        price = money.exact_sum(self.price_whole + sign * other.price_whole,
                                self.price_part + sign * other.price_part)
        return Amounts(*qty, *price, self.points + sign * other.points,
                       self.unpriced + sign * other.unpriced)
