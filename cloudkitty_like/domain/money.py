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
    MAX_EMAX,
    MIN_EMIN,
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from itertools import repeat

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

_POINTS = Context(
    prec=15 + PLACES, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999, capitals=1, clamp=0,
    traps=[InvalidOperation],
)
"""As many digits as a point has, so that rounding to what is out of range is an invalid operation."""

_SHOWN = Context(prec=CONTEXT.prec, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


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


def numbers(texts: Iterable[str | int | Decimal]) -> list[Decimal]:
    """:func:`number` of each, faster."""
    texts = list(texts)
    try:
        values = list(map(Decimal, texts))
    except (InvalidOperation, ValueError, TypeError, AttributeError):
        return [number(text) for text in texts]     # it says which
    return values if all(map(Decimal.is_finite, values)) else [number(text) for text in texts]


def rounded(value: Decimal) -> Decimal:
    """``value`` half-even to 12 decimals; Invalid where it is no possible quantity or price."""
    try:
        result = value.quantize(QUANTUM, None, _POINTS)
    except InvalidOperation:                        # infinities too
        result = None
    if result is None or result.is_nan():
        raise Invalid(f"{value} is out of range: a point stays below 10^15 in size")
    return result


def all_rounded(values: Iterable[Decimal]) -> list[Decimal]:
    """:func:`rounded` of each, faster."""
    values = list(values)
    try:
        results = list(map(_POINTS.quantize, values, repeat(QUANTUM)))
    except InvalidOperation:
        return [rounded(value) for value in values]
    return [rounded(value) for value in values] if any(map(Decimal.is_nan, results)) else results


def fixed(values: Iterable[Decimal]) -> tuple[array[int], array[int]]:
    """The whole and the part of each of ``values``, all of them already rounded."""
    scaled = list(map(int, map(CONTEXT.scaleb, values, repeat(PLACES))))
    return array("q", [number // SCALE for number in scaled]), array("q", [number % SCALE for number in scaled])


def exact_sum(whole: int, part: int) -> tuple[int, int]:
    """A sum of wholes and a sum of parts as one number in its normal form."""
    carry, part = divmod(part, SCALE)
    return whole + carry, part


def decimal(whole: int, part: int) -> Decimal:
    """The number kept as ``whole`` and ``part`` (a sum of parts may exceed 10**12)."""
    return Decimal(whole * SCALE + part).scaleb(-PLACES, CONTEXT)


def plain(value: Decimal) -> str:
    """``value`` for people and programs: no exponent, no trailing zeros.

    Of more than 60 digits the first 60.  What is smaller than anything that is read is 0;
    what is larger than anything that is read (no number of ours is) keeps its exponent.
    """
    exponent = value.adjusted()
    if not -CONTEXT.prec <= exponent <= CONTEXT.prec:
        return f"{_SHOWN.plus(value):E}" if value and exponent > 0 else "0"
    text = format(value, "f")
    if len(text) > CONTEXT.prec:
        text = format(_SHOWN.plus(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
