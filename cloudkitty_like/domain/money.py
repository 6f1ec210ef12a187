"""Numbers that are money: decimal arithmetic and the form in which it is kept.

Everything is :class:`~decimal.Decimal`, computed in a context of our own (60
digits, so that a quantity of 27 digits times a cost of 28 decimals is exact)
and rounded half-even to 12 decimals at two places only: a quantity before
rating, a price after the last module.

At rest a number is two integers, *whole* and *part*: ``whole + part / 10**12``
with ``0 <= part < 10**12`` (so -0.3 is whole -1, part 700000000000).  No
database we use has to know decimals then, and sums stay exact.
"""
from __future__ import annotations

from array import array
from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)

from cloudkitty_like.domain.errors import Invalid

PLACES = 12
SCALE = 10**PLACES
QUANTUM = Decimal(1).scaleb(-PLACES)
ZERO = Decimal(0)

POINT_LIMIT = Decimal(10**15)
"""A quantity or a price of one data point is smaller than this in size."""

TOTAL_LIMIT = Decimal(9 * 10**18)
"""A total is smaller than this in size: its whole part fits a 64-bit integer."""

CONTEXT = Context(
    prec=60, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999, capitals=1, clamp=0,
    traps=[InvalidOperation, DivisionByZero, Overflow, Clamped],
)


def arithmetic() -> AbstractContextManager[Context]:
    """``with arithmetic():`` computes in our context, whatever the thread's own is."""
    return localcontext(CONTEXT)


def number(text: str | int | Decimal) -> Decimal:
    """A finite decimal, exactly as written; Invalid for anything else, NaN and infinities too."""
    try:
        value = Decimal(text.strip() if isinstance(text, str) else text)
    except (InvalidOperation, ValueError, TypeError, AttributeError):
        raise Invalid(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise Invalid(f"{text!r} is not a finite number")
    return value


def rounded(value: Decimal) -> Decimal:
    """``value`` half-even to 12 decimals; Invalid where it is no possible quantity or price."""
    if not -POINT_LIMIT < value < POINT_LIMIT:      # false for NaN too
        raise Invalid(f"{value} is out of range: a point stays below 10^15 in size")
    return value.quantize(QUANTUM, context=CONTEXT)


def fixed(values: Iterable[Decimal]) -> tuple[array[int], array[int]]:
    """The whole and the part of each of ``values``, all of them already rounded."""
    whole, part = array("q"), array("q")
    for value in values:
        w, p = divmod(int(value.scaleb(PLACES, CONTEXT)), SCALE)
        whole.append(w)
        part.append(p)
    return whole, part


def exact_sum(whole: int, part: int) -> tuple[int, int]:
    """A sum of wholes and a sum of parts as one number in its normal form."""
    carry, part = divmod(part, SCALE)
    return whole + carry, part


def decimal(whole: int, part: int) -> Decimal:
    """The number kept as ``whole`` and ``part`` (a sum of parts may exceed 10**12)."""
    return Decimal(whole * SCALE + part).scaleb(-PLACES, CONTEXT)


def plain(value: Decimal) -> str:
    """``value`` for people and programs: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
