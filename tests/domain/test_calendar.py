"""Days, weeks, months and years as reports group by them."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.calendar import UNITS, bounds, number
from cloudkitty_like.domain.errors import Invalid

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(8999, 1, 1), timezones=st.just(UTC))
each_unit = pytest.mark.parametrize("unit", UNITS.values())


@pytest.mark.parametrize(("when", "numbers"), [
    (datetime(2026, 1, 1), ("1", "00", "1", "2026")), (datetime(2026, 1, 4), ("4", "01", "1", "2026")),
    (datetime(2026, 11, 1), ("305", "44", "11", "2026")), (datetime(2024, 12, 31), ("366", "52", "12", "2024"))])
def test_the_numbers_are_those_of_cloudkitty(when, numbers):
    assert tuple(number(unit, when.replace(tzinfo=UTC)) for unit in UNITS.values()) == numbers


@each_unit
@given(when=INSTANTS)
def test_an_instant_is_within_its_unit_and_all_of_it_has_its_number(unit, when):
    period = bounds(unit, when)
    assert when in period
    last = period.end - timedelta(seconds=1)
    assert number(unit, period.begin) == number(unit, last) == number(unit, when)
    assert period.begin.year == last.year == when.year
    assert bounds(unit, last) == period


@each_unit
@given(when=INSTANTS)
def test_units_follow_each_other_without_a_gap(unit, when):
    period = bounds(unit, when)
    assert bounds(unit, period.end).begin == period.end


def test_a_week_ends_with_its_year():
    assert [one.length.days for one in (bounds("week_of_the_year", datetime(2026, 12, 31, tzinfo=UTC)),
                                        bounds("week_of_the_year", datetime(2027, 1, 1, tzinfo=UTC)))] == [5, 2]


@each_unit
def test_at_the_end_of_time_there_is_no_whole_unit(unit):
    with pytest.raises(Invalid, match="out of range"):
        bounds(unit, datetime(9999, 12, 31, tzinfo=UTC))
