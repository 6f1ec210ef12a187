from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import EPOCH, Period, instant, parse_instant

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD = Period(NOON, NOON + HOUR)
TICK = timedelta(microseconds=1)

INSTANTS = st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.one_of(
    st.just(UTC), st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns")]),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
LENGTHS = st.sampled_from([timedelta(seconds=n) for n in (1, 60, 300, 3600, 6 * 3600, 86400)])
PERIODS = st.builds(Period.starting, INSTANTS, st.timedeltas(TICK, timedelta(days=3)))
NEAR = st.integers(0, 6).map(lambda hours: NOON + hours * HOUR)
NEAR_PERIODS = st.tuples(NEAR, NEAR).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Period(*pair))
thoroughly = settings(max_examples=200, deadline=None)


def at(text):
    return datetime.fromisoformat(text)


def test_a_period_is_half_open():
    assert [when in PERIOD for when in (NOON - TICK, NOON, NOON + HOUR - TICK, NOON + HOUR)] == [
        False, True, True, False]


@pytest.mark.parametrize("length", [timedelta(0), -TICK, -HOUR])
def test_a_period_ends_after_it_begins(length):
    with pytest.raises(Invalid, match="end after it begins"):
        Period(NOON, NOON + length)
    with pytest.raises(Invalid, match="end after it begins"):
        Period.starting(NOON, length)
    with pytest.raises(Invalid, match="end after it begins"):
        list(PERIOD.split(length))


@pytest.mark.parametrize("ask", [
    lambda naive: Period(naive, NOON + HOUR),
    lambda naive: Period(NOON - HOUR, naive),
    lambda naive: Period.starting(naive, HOUR),
    lambda naive: Period.containing(naive, HOUR),
    Period.month_of,
    Period.day_of,
    instant,
])
def test_an_instant_without_a_time_zone_is_refused_and_not_taken_for_local(ask):
    with pytest.raises(Invalid, match="time zone"):
        ask(NOON.replace(tzinfo=None))


def test_offsets_are_kept_in_utc():
    east = timezone(timedelta(hours=5, minutes=30))
    made = Period(at("2026-03-01T17:30:00+05:30"), NOON.astimezone(east) + HOUR)
    assert made == PERIOD
    assert (made.begin.tzinfo, made.end.tzinfo) == (UTC, UTC)
    assert str(made) == "2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z"
    with pytest.raises(Invalid, match="end after it begins"):
        Period(at("2026-03-01T12:00:00+00:00"), at("2026-03-01T13:00:00+02:00"))


def test_an_hour_is_an_hour_when_the_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = datetime(2026, 3, 29, 1, 30, tzinfo=berlin), datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    assert Period.starting(spring, HOUR) == Period(at("2026-03-29T00:30:00Z"), at("2026-03-29T01:30:00Z"))
    assert Period.starting(autumn, HOUR).end == at("2026-10-25T01:30:00Z")
    assert Period.starting(autumn.replace(fold=1), HOUR).begin == at("2026-10-25T01:30:00Z")
    assert Period(autumn, autumn.replace(fold=1)).length == HOUR


@pytest.mark.parametrize(("when", "begin", "end"), [
    ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("2026-03-31T23:59:59.999999Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("2026-12-31T23:30:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
    ("2026-03-01T00:30:00+01:00", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
])
def test_a_month_is_that_of_utc(when, begin, end):
    assert Period.month_of(at(when)) == Period(at(begin), at(end))


def test_a_day_is_that_of_utc():
    assert Period.day_of(at("2026-03-01T23:30:00-01:00")) == Period(at("2026-03-02T00:00:00Z"),
                                                                    at("2026-03-03T00:00:00Z"))
    assert Period.day_of(at("1969-12-31T23:59:59Z")).end == EPOCH


@thoroughly
@given(INSTANTS, LENGTHS)
def test_an_instant_is_in_the_one_period_that_is_counted_from_1970(when, length):
    found = Period.containing(when, length)
    assert when in found
    assert found.length == length
    assert (found.begin - EPOCH) % length == timedelta(0)
    assert when not in found.next()
    assert Period.containing(found.begin, length) == found
    assert Period.containing(found.end, length) == found.next()


@thoroughly
@given(INSTANTS)
def test_days_and_months_hold_their_instants_and_end_where_the_next_begin(when):
    for of in (Period.day_of, Period.month_of):
        found = of(when)
        assert when in found
        assert of(found.end).begin == found.end
        assert of(found.end - TICK) == of(found.begin) == found
    assert Period.month_of(when).covers(Period.day_of(when))
    assert Period.month_of(when).begin.day == 1


@thoroughly
@given(PERIODS, st.integers(1, 20))
def test_the_parts_of_a_period_are_the_period(period, parts):
    length = max(period.length / parts, TICK)
    found = list(period.split(length))
    assert (found[0].begin, found[-1].end) == (period.begin, period.end)
    assert all(one.end == other.begin for one, other in pairwise(found))
    assert {one.length for one in found[:-1]} <= {length}
    assert found[-1].length <= length
    assert all(period.covers(one) for one in found)
    assert list(period.split(2 * period.length)) == [period]


@given(PERIODS)
def test_the_next_period_follows_at_once_and_is_as_long(period):
    after = period.next()
    assert (after.begin, after.length) == (period.end, period.length)
    assert not after.overlaps(period)
    assert period < after


def test_the_length_of_a_period_in_seconds():
    assert (PERIOD.length, PERIOD.seconds) == (HOUR, 3600)


@thoroughly
@given(NEAR_PERIODS, NEAR_PERIODS)
def test_periods_overlap_and_cover_by_the_instants_they_hold(one, other):
    halves = [NOON + half * HOUR / 2 for half in range(14)]
    mine, theirs = ({when for when in halves if when in period} for period in (one, other))
    assert one.overlaps(other) == other.overlaps(one) == bool(mine & theirs)
    assert one.covers(other) == (mine >= theirs)


@pytest.mark.parametrize("ask", [
    lambda when: Period.starting(when, HOUR),
    lambda when: Period.containing(when, HOUR),
    lambda when: Period(when - HOUR, when).next(),
    Period.day_of,
    Period.month_of,
])
def test_what_ends_after_the_last_date_is_invalid(ask):
    with pytest.raises(Invalid, match="out of range"):
        ask(at("9999-12-31T23:30:00Z"))


def test_what_begins_before_the_first_date_is_invalid():
    with pytest.raises(Invalid, match="0001-01-01T00:00:00Z is out of range"):
        Period.containing(at("0001-01-01T00:00:00Z"), timedelta(days=7))


def test_the_last_of_all_periods_can_be_split():
    last = Period(at("9999-12-31T22:30:00Z"), at("9999-12-31T23:45:00Z"))
    assert [part.seconds for part in last.split(HOUR)] == [3600, 900]


# --- instants as text ---------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "expected"), [
    ("2026-11-01", "2026-11-01T00:00:00"),
    ("2026-11-01T10:00", "2026-11-01T10:00:00"),
    ("2026-11-01 10:00", "2026-11-01T10:00:00"),
    ("2026-11-01T10:00:30", "2026-11-01T10:00:30"),
    ("2026-11-01T10:00Z", "2026-11-01T10:00:00"),
    ("2026-11-01T10:00:30Z", "2026-11-01T10:00:30"),
    ("2026-11-01T10:00:30.5Z", "2026-11-01T10:00:30.500000"),
    ("2026-11-01T10:00:30.000001", "2026-11-01T10:00:30.000001"),
    ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00"),
    ("2026-11-01T10:00:00+0200", "2026-11-01T08:00:00"),
    ("2026-11-01T10:00-03:30", "2026-11-01T13:30:00"),
    ("2026-01-01T00:30+01:00", "2025-12-31T23:30:00"),
    ("2026-11-01T10:00-00:00", "2026-11-01T10:00:00"),
    ("2024-02-29", "2024-02-29T00:00:00"),
    ("  2026-11-01\n", "2026-11-01T00:00:00"),
])
def test_c29_dates_and_times_are_read_in_utc_whatever_their_offset(text, expected):
    found = parse_instant(text)
    assert found == at(expected + "+00:00")
    assert found.tzinfo is UTC


@pytest.mark.parametrize("text", [
    "", " ", "now", "yesterday", "1772366400", "2026", "2026-11", "20261101", "2026-11-1", "26-11-01", "01.11.2026",
    "2026/11/01", "11/01/2026", "2026-W45-1", "2026-305", "2026-11-01T", "2026-11-01T10", "2026-11-01T1000",
    "2026-11-01T10:00:", "2026-11-01T10:00:00.", "2026-11-01T10:00:00.1234567", "2026-11-01T10:00:00,5",
    "2026-11-01t10:00", "2026-11-01T10:00z", "2026-11-01Z", "2026-11-01+02:00", "2026-11-01T10:00+02",
    "2026-11-01T10:00 Z", "2026-11-01T10:00UTC", "2026-11-01T10:00 Europe/Berlin", "2026-11-01  10:00",
    "2026-11-01T10:00+24:00", "2026-11-01T10:00+02:60", "2026-11-01T24:00", "2026-11-01T10:60", "2026-11-01T10:00:60",
    "2026-00-01", "2026-13-01", "2026-11-00", "2026-11-31", "2026-02-29", "0000-01-01", "-2026-11-01", "+2026-11-01",
    "2026-11-01\n2026-11-02", "2026-11-01\0", "２０２６-11-01", "0001-01-01T00:00+01:00", "9999-12-31T23:00-02:00",
])
def test_what_is_no_date_or_time_is_invalid_and_quoted(text):
    with pytest.raises(Invalid) as caught:
        parse_instant(text)
    assert repr(text) in str(caught.value)


def test_an_instant_is_written_in_utc_and_with_a_fraction_only_where_there_is_one():
    assert instant(at("2026-11-01T12:00:00+02:00")) == "2026-11-01T10:00:00Z"
    assert instant(at("2026-11-01T10:00:00.5+00:00")) == "2026-11-01T10:00:00.500000Z"


@thoroughly
@given(st.one_of(INSTANTS, st.datetimes(timezones=st.just(UTC))))
def test_an_instant_that_is_written_is_read_again(when):
    assert parse_instant(instant(when)) == when.astimezone(UTC)
    assert instant(parse_instant(instant(when))) == instant(when)
    assert parse_instant(when.isoformat()) == when.astimezone(UTC)


@thoroughly
@given(st.one_of(st.text(max_size=30), st.text("0123456789-:TZ+. ", max_size=30)))
def test_any_text_is_an_instant_or_invalid(text):
    try:
        found = parse_instant(text)
    except Invalid:
        return
    assert found.tzinfo is UTC
