"""Totals in their stored form add up exactly."""
from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.money import SCALE

WHOLE = st.integers(-10**15, 10**15)
PART = st.integers(0, SCALE - 1)
AMOUNTS = st.builds(Amounts, WHOLE, PART, WHOLE, PART, st.integers(0, 10**9), st.integers(0, 10**9))


def value(amounts: Amounts) -> tuple[Fraction, Fraction, int, int]:
    return (amounts.qty_whole + Fraction(amounts.qty_part, SCALE),
            amounts.price_whole + Fraction(amounts.price_part, SCALE), amounts.points,
            amounts.unpriced)


@given(AMOUNTS, AMOUNTS)
def test_a_sum_has_the_value_of_both_and_its_parts_stay_below_one(one, other):
    total = one.plus(other)
    assert value(total) == tuple(a + b for a, b in zip(value(one), value(other), strict=True))
    assert all(0 <= part < SCALE for part in (total.qty_part, total.price_part))


@given(AMOUNTS, AMOUNTS)
def test_what_was_added_can_be_taken_away(one, other):
    assert one.plus(other).minus(other) == one


def test_a_part_is_a_millionth_of_a_millionth():
    assert Decimal(1) / SCALE == Decimal("1e-12")
