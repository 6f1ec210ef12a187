from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.schedule import back_off, first_period, is_over

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PERIOD = Period.starting(NOON, HOUR)
MONTH = datetime(2026, 3, 1, tzinfo=UTC)
thoroughly = settings(max_examples=200, deadline=None)


def test_a_period_is_over_at_the_very_instant_of_its_end():
    assert is_over(PERIOD, PERIOD.end, 0)
    assert not is_over(PERIOD, PERIOD.end - TICK, 0)
    assert not is_over(PERIOD, PERIOD.begin, 0)


@thoroughly
@given(st.integers(0, 100), st.timedeltas(timedelta(minutes=1), timedelta(days=1)))
def test_the_source_has_as_many_periods_more_as_it_is_given(wait_periods, length):
    period = Period.starting(NOON, length)
    due = NOON + (1 + wait_periods) * length
    assert [is_over(period, when, wait_periods) for when in (due - TICK, due, due + TICK)] == [False, True, True]


@thoroughly
@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.integers(0, 3))
def test_c21_the_first_period_waits_until_it_has_ended(now, wait_periods):
    first = first_period(now, HOUR, given=None, data_begins=now)
    assert now in first
    assert not is_over(first, now, wait_periods)
    assert not is_over(first, first.end + wait_periods * HOUR - TICK, wait_periods)
    assert is_over(first, first.end + wait_periods * HOUR, wait_periods)


def test_c21_a_scope_that_is_new_when_the_month_is_waits():
    first = first_period(MONTH, HOUR, given=None, data_begins=None)
    assert first == Period.starting(MONTH, HOUR)
    assert [is_over(first, MONTH + wait, 0) for wait in (timedelta(0), HOUR - TICK, HOUR)] == [False, False, True]


@pytest.mark.parametrize(("data_begins", "begin"), [
    (None, MONTH),
    (MONTH - timedelta(days=40), MONTH),
    (MONTH - TICK, MONTH),
    (MONTH, MONTH),
    (NOON, NOON),
    (NOON + TICK, NOON),
    (NOON + timedelta(minutes=59), NOON),
    (NOON + HOUR, NOON + HOUR),
])
def test_a_new_scope_begins_with_the_month_or_in_the_period_where_data_begins(data_begins, begin):
    now = NOON + timedelta(days=3)
    assert first_period(now, HOUR, given=None, data_begins=data_begins) == Period.starting(begin, HOUR)


def test_a_scope_begins_at_the_date_that_is_given_whatever_else_is_known():
    for given_date in (MONTH - timedelta(days=400), NOON, NOON + timedelta(minutes=20), NOON + timedelta(days=400)):
        for data_begins in (None, MONTH, NOON + timedelta(days=1)):
            first = first_period(NOON, HOUR, given=given_date, data_begins=data_begins)
            assert first == Period.containing(given_date, HOUR)
            assert given_date in first


def test_a_scope_is_left_alone_for_twice_as_long_each_time_up_to_a_bound():
    first, most = timedelta(seconds=30), timedelta(seconds=200)
    waits = [back_off(failures, first=first, most=most).total_seconds() for failures in range(1, 7)]
    assert waits == [30, 60, 120, 200, 200, 200]
    assert back_off(0, first=first, most=most) == first
    assert back_off(2, first=TICK, most=3 * TICK) == 2 * TICK


DURATIONS = st.timedeltas(timedelta(0), timedelta(days=100_000))


@thoroughly
@given(DURATIONS, DURATIONS, st.integers(1, 10**9))
def test_a_wait_never_shrinks_with_failures_and_is_bounded(first, most, failures):
    wait, longer = (back_off(count, first=first, most=most) for count in (failures, failures + 1))
    assert min(first, most) <= wait <= longer <= most
    assert longer in (most, 2 * wait) or failures > 30


def test_a_wait_ends_at_its_bound_where_its_double_would_be_no_duration():
    assert back_off(31, first=timedelta(days=1), most=timedelta.max) == timedelta.max
    assert back_off(10**9, first=TICK, most=timedelta(days=1)) == TICK * 2**30
