"""Totals from the rollups and the frames are the sums of the points, on each database."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from cloudkitty_like.db.ledger import retention, totals
from cloudkitty_like.domain.period import LATEST, Period, instant
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Sum, SummaryRow
from cloudkitty_like.domain.retention import RetentionBounds
from cloudkitty_like.service.ledger.writer import RatedPeriod
from tests.books import BEGIN, HOUR, Books, at, usage

NAMES = (SCOPE, METRIC, DAY, TIME)
GROUPINGS = [names for size in range(5) for names in combinations(NAMES, size)]
# The hours of a last day but one, of a last day, of the month that follows and of the one after it.
HOURS = (0, 1, 2, 25, 26, 50, 745, 746, 747)
UNITS = {"vcpu": "h", "disk": "GiB"}
WINDOWS = [
    None,
    Period(at(0).begin, at(1).begin),                      # a part of a day
    Period(at(1).begin, at(51).begin),                     # parts of days and of a month
    Period(at(2).begin, at(26).begin),                     # a whole day
    Period(at(26).begin, at(746).begin),                   # a whole month
    Period(at(1).begin, at(748).begin),                    # days, a whole month, days, hours
    Period(at(100).begin, at(200).begin),                  # where there is nothing
    Period(BEGIN.replace(year=1), LATEST)]


def recorded(hour, metric):
    """What was used in an hour: a flavor, a quantity and a price (None: unpriced) a point."""
    qty = Decimal(hour + 1) / 8
    return [("s", qty, None if hour == 2 else qty * 3), ("l", -qty / 2, Decimal(hour) / 4)][
        :1 if metric == "disk" else 2]


def record(books, state, hour, metrics):
    books.back_to(state, at(hour).begin)
    books.ledger.record([RatedPeriod(books.state(state.identifier), at(hour), tuple(
        usage(at(hour), *recorded(hour, metric), metric=metric, unit=UNITS[metric])
        for metric in metrics))], 1)


@pytest.fixture
def books(database):
    """Two scopes; alice's fourth hour was rated again and then had nothing."""
    made = Books(database)
    states = {name: made.scope(name) for name in ("alice", "bob")}
    for hour in HOURS:
        record(made, states["alice"], hour, ("vcpu", "disk"))
    record(made, states["alice"], HOURS[3], ())
    record(made, states["bob"], HOURS[-1], ("vcpu",))
    return made


def points(gone=()):
    """Cells by name, and the sum of one point, of all that counts in the fixture."""
    for scope, hours, metrics in (
            ("alice", HOURS, ("vcpu", "disk")), ("bob", HOURS[-1:], ("vcpu",))):
        for hour in hours:
            for metric in metrics if (scope, hour) not in gone else ():
                begin = instant(at(hour).begin)
                for _, qty, price in recorded(hour, metric):
                    cells = {SCOPE: scope, METRIC: metric, DAY: begin[:10], TIME: begin}
                    yield (cells, at(hour).begin,
                           Sum(qty, price or Decimal(0), 1, int(price is None)))


def expected(query, gone=(("alice", HOURS[3]),)):
    sums = {}
    for cells, begin, point in points(gone):
        if ((query.period is None or begin in query.period)
            and (query.scopes is None or cells[SCOPE] in query.scopes)
            and (query.metrics is None or cells[METRIC] in query.metrics)):
            key = tuple(cells[name] for name in query.groupby)
            unit = UNITS[cells[METRIC]] if METRIC in query.groupby else ""
            sums[key, unit] = sums.get((key, unit), Sum()) + point
    return [SummaryRow(key, found if METRIC in query.groupby else found.without_qty(), unit)
            for (key, unit), found in sorted(sums.items(), key=lambda item: item[0])]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_every_grouping_of_every_window_has_the_sums_of_its_points(books, window):
    with books.database.read() as tx:
        for names in GROUPINGS:
            for restriction in ({"scopes": None}, {"scopes": frozenset({"bob"})},
                                {"scopes": None, "metrics": frozenset({"disk"})}):
                query = Query(period=window, groupby=names, **restriction)
                assert totals.rows(tx, query) == expected(query), (names, restriction)


def test_as_of_a_change_the_totals_are_those_that_counted_then(books):
    before = len(HOURS)                    # the change before the fourth hour was emptied
    for names in GROUPINGS:
        query = Query(scopes=frozenset({"alice"}), groupby=names, as_of=before)
        with books.database.read() as tx:
            assert totals.rows(tx, query) == expected(query, gone=()), names


def test_the_names_of_a_key_are_in_the_order_of_the_grouping(books):
    query = Query(scopes=frozenset({"bob"}), groupby=(DAY, METRIC, SCOPE))
    with books.database.read() as tx:
        assert [(row.key, row.unit) for row in totals.rows(tx, query)] == [
            ((f"{at(HOURS[-1]).begin:%Y-%m-%d}", "vcpu", "bob"), "h")]


def test_the_forgotten_part_is_of_frames_whose_points_are_gone(books):
    query = Query(scopes=None, groupby=(SCOPE, METRIC, TIME))
    with books.database.read() as tx:
        assert totals.forgotten_rows(tx, query) == []
    with books.database.write() as tx:
        retention.mark(tx, RetentionBounds(None, at(2).begin + timedelta(minutes=1)), 10)
    with books.database.read() as tx:
        forgotten = totals.forgotten_rows(tx, query)
        everything = totals.rows(tx, query)
    first = Query(scopes=None, groupby=query.groupby, period=Period(BEGIN, BEGIN + 2 * HOUR))
    assert forgotten == expected(first)
    assert everything == expected(query)
