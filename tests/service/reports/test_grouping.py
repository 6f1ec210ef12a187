"""Rows of a summary: from the ledger's sums, by anything."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query, Sum
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.reports.grouping import Extremes, GroupedSummary, Grouping
from tests.books import HOUR, Books, at, usage

GROUPINGS = [(), ("metric",), ("scope",), ("time",), ("flavor",), ("day",), ("time-d",), ("time-m", "time-y"),
             ("flavor", "time-w"), ("metric", "scope", "flavor", "time"), ("bogus",), ("time", "time-y")]


@pytest.fixture
def groups(sqlite):
    books = Books(sqlite)
    books.scope()
    for hour, points in ((0, [("s", "1", "0.1"), ("l", "2", None)]), (1, [("s", "3", "0.5")]),
                         (30, [("s", "5", "1"), ("l", "7", "2")])):
        books.back_to(books.state("alice"), at(hour).begin)
        books.ledger.record([RatedPeriod(books.state("alice"), at(hour), (
            usage(at(hour), *points), usage(at(hour), ("s", "10", "0"), metric="disk", unit="GiB")))], 1)
    return GroupedSummary(books.summary)


def rows(groups, *names, period=None, **query):
    return groups.rows(Query(scopes=None, period=period, **query), Grouping(names), HOUR)


def test_quantities_of_several_units_are_not_added(groups):
    (row,) = rows(groups)
    assert (row.qty, row.mixed, row.sum.price, row.sum.points, row.sum.unpriced) == (None, True, Decimal("3.6"), 8, 1)
    assert {row.key: row.qty for row in rows(groups, "metric")} == {("disk",): 30, ("vcpu",): 18}
    assert {row.key: row.qty for row in rows(groups, "flavor")} == {("l",): 9, ("s",): None}


@pytest.mark.parametrize("names", GROUPINGS, ids=str)
def test_rows_add_up_to_the_whole_however_they_are_grouped(groups, names):
    whole = rows(groups)[0].sum
    total = sum((row.sum for row in rows(groups, *names)), Sum())
    assert (total.price, total.points, total.unpriced) == (whole.price, whole.points, whole.unpriced)
    assert all(len(row.key) == len(Grouping(names).columns) for row in rows(groups, *names))


@pytest.mark.parametrize("names", GROUPINGS, ids=str)
def test_extremes_are_found_for_every_row(groups, names):
    query = Query(scopes=None, period=Period(at(0).begin, at(100).end), metrics=frozenset({"vcpu"}))
    extremes = groups.extremes(query, Grouping(names), HOUR)
    found = groups.rows(query, Grouping(names), HOUR)
    assert extremes.keys() == {(row.key, row.period) for row in found}
    for row in found:
        one = extremes[row.key, row.period]
        assert one.min_qty * row.sum.points <= row.qty <= one.max_qty * row.sum.points


def test_extremes_of_prices_are_those_of_the_priced_points():
    one = Extremes(Decimal(1), Decimal(1), None, None).with_point(Decimal(3), None)
    assert one == Extremes(Decimal(1), Decimal(3), None, None)
    assert one.with_point(Decimal(2), Decimal(5)).with_point(Decimal(0), Decimal(4)) == Extremes(
        Decimal(0), Decimal(3), Decimal(4), Decimal(5))


def test_a_row_by_the_calendar_has_the_units_bounds_cut_to_the_window(groups):
    window = Period(at(0).begin, at(40).begin)
    assert [(row.key, row.period) for row in rows(groups, "time-m", period=window)] == [
        (("10",), Period(window.begin, datetime(2026, 11, 1, tzinfo=UTC))),
        (("11",), Period(datetime(2026, 11, 1, tzinfo=UTC), window.end))]


def test_a_row_by_time_is_a_whole_period_and_a_week_is_cut_to_its_month(groups):
    first = at(0).begin
    assert [row.period for row in rows(groups, "time", period=Period(first, first + timedelta(minutes=5)))] == [at(0)]
    assert [row.period for row in rows(groups, "time-w", "time-m")] == [
        Period(datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC))]
