from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15) + 1,
                       max_value=10**15 - 1, places=18)
anything = st.one_of(st.decimals(), st.decimals(places=13), st.floats().map(Decimal))


@given(st.lists(decimals))
def test_many_numbers_are_rounded_as_each_is(values: list[Decimal]) -> None:
    assert list(map(str, money.all_rounded(values))) == [str(money.rounded(value))
                                                         for value in values]
    assert list(map(str, money.numbers(map(str, values)))) == list(map(str, values))


@given(anything)
def test_what_is_rounded_is_within_its_limits_or_invalid(value: Decimal) -> None:
    for once in (money.rounded, lambda value: money.all_rounded([value])[0]):
        try:
            result = once(value)
        except Invalid:
            assert not value.is_finite() or abs(value) >= money.POINT_LIMIT - money.QUANTUM
        else:
            assert abs(result) < money.POINT_LIMIT
            assert result.as_tuple().exponent == -money.PLACES
            assert abs(Fraction(result) - Fraction(value)) <= Fraction(money.QUANTUM) / 2


@pytest.mark.parametrize(
    "text",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1e15", "-1e15", "999999999999999.9999999999996"],
)
def test_a_point_that_is_out_of_range_is_invalid(text: str) -> None:
    with pytest.raises(Invalid, match="out of range"):
        money.rounded(Decimal(text))
    with pytest.raises(Invalid, match="out of range"):
        money.all_rounded([Decimal(1), Decimal(text)])


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "", "one", "0x10"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(Invalid, match="number") as caught:
        money.numbers(["1", text, "2"])
    assert repr(text) in str(caught.value)


@given(st.lists(decimals))
def test_stored_numbers_come_back(values: list[Decimal]) -> None:
    rounded = money.all_rounded(values)
    whole, part = money.fixed(rounded)
    assert [money.decimal(*number) for number in zip(whole, part, strict=True)] == rounded
    assert all(0 <= number < money.SCALE for number in part)


@given(decimals, st.fractions(-1000, 1000, max_denominator=10**6),
       st.fractions(-1000, 1000, max_denominator=10**6))
def test_c10_factor_is_exact(value: Decimal, factor: Fraction, offset: Fraction) -> None:
    exact = Fraction(value) * factor + offset
    metric = Metric("m", "unit", factor=factor, offset=offset)
    try:
        quantity = metric.quantity(value)
    except Invalid:
        assert abs(exact) >= money.POINT_LIMIT - money.QUANTUM
    else:
        assert abs(Fraction(quantity) - exact) <= Fraction(money.QUANTUM) / 2 + Fraction(1, 10**40)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_i8_b2_nothing_is_written_with_more_digits_than_can_be_stored(value: Decimal) -> None:
    assert len(money.plain(value)) <= 2 * 60 + 3
    if -60 <= value.adjusted() <= 18:
        assert abs(Decimal(money.plain(value)) - value) <= abs(value) * Decimal("1E-27")


@pytest.mark.parametrize(("text", "written"), [
    ("1E-300000000", "0"), ("-1E-300000000", "0"), ("0E+300000000", "0"), ("0E-300000000", "0"),
    ("1E-61", "0"),
    ("1E-60", "0." + "0" * 59 + "1"), ("1E+300000000", "1E+300000000"),
    ("1." + "3" * 900, "1." + "3" * 59),
    ("999999999999999.999999999999", "999999999999999.999999999999"), ("-0E-12", "0"),
    ("1.500", "1.5"),
])
def test_i8_b2_a_number_of_any_exponent_is_written_short(text: str, written: str) -> None:
    assert money.plain(Decimal(text)) == written
