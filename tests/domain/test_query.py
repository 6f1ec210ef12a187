from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.query import Query, Sum, parse_as_of

AMOUNTS = st.decimals(-9 * 10**18, 9 * 10**18, places=12)
COUNTS = st.integers(0, 2**62)
SUMS = st.builds(Sum, AMOUNTS, AMOUNTS, COUNTS, COUNTS)
FIELDS = ("qty", "price", "points", "unpriced")


def spelt(total):
    return [Fraction(getattr(total, name)) for name in FIELDS]


def test_sums_are_exact_beyond_the_28_digits_of_python():
    big, small = Decimal("8999999999999999999.999999999999"), Decimal("0.000000000001")
    less = Decimal("-8999999999999999999.999999999999")
    total = Sum(big, less, 1, 0) + Sum(small, -small, 2, 1)
    assert total == Sum(Decimal(9 * 10**18), Decimal(-9 * 10**18), 3, 1)
    assert (Sum(big) + Sum(big)).qty == Decimal("17999999999999999999.999999999998")
    assert (Sum(big) + Sum(less) + Sum(small)).qty == small


@settings(max_examples=200)
@given(st.lists(SUMS, max_size=10), st.randoms(), st.integers(1, 28))
def test_sums_are_exact_in_any_order_whatever_the_precision_around_them(sums, random, precision):
    with localcontext(Context(prec=precision)):
        total = sum(sums, Sum())
        assert total == sum(random.sample(sums, len(sums)), Sum())
    assert spelt(total) == [sum(column) for column in zip(*map(spelt, [Sum(), *sums]), strict=True)]


@given(SUMS)
def test_nothing_added_changes_nothing(total):
    assert total + Sum() == Sum() + total == total


def test_a_question_without_conditions_is_about_everything_known_now():
    assert Query(scopes=None) == Query(scopes=None, period=None, metrics=None, filters={},
                                       groupby=(), as_of=None)


def test_nobody_can_forget_to_say_whose_usage_is_asked_for():
    with pytest.raises(TypeError, match="scopes"):
        Query(groupby=("metric",))


@given(SUMS)
def test_a_sum_without_its_quantity_is_otherwise_the_same(total):
    without = total.without_qty()
    assert without.qty == 0
    assert Sum(total.qty, without.price, without.points, without.unpriced) == total


@pytest.mark.parametrize(("text", "named"), [
    ("0", 0), ("7", 7), ("9999999", 9999999), ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC))])
def test_as_of_is_the_number_of_a_change_or_an_instant(text, named):
    assert parse_as_of(text) == named


@pytest.mark.parametrize("text", ["20261101", "-1", "1.5", "x", ""])
def test_eight_digits_are_a_date_without_its_dashes_and_no_change(text):
    with pytest.raises(Invalid, match="is not a date or time"):
        parse_as_of(text)
