"""Figures for who watches the service."""
from __future__ import annotations

from datetime import timedelta

import pytest

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db import settings, workers
from cloudkitty_like.domain.scope_state import RATING, SOURCE, ScopeFailure
from cloudkitty_like.domain.worker_state import CAUSES, WorkerState
from cloudkitty_like.service.ledger.holes import Holes
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.operation.statistics import Statistics
from tests.books import HOUR, NOW, Books, at, usage


@pytest.fixture
def books(database):
    return Books(database)


def figures(books, wait_periods=1):
    """Values by name, then by the labels' values."""
    found = Statistics(books.database, books.summary, lambda: NOW, HOUR, wait_periods).now()
    return {one.name: {tuple(labels.values()): value for labels, value in one.values} for one in found}


def test_of_an_empty_ledger(books):
    found = figures(books)
    assert found["workers"] == found["scopes_lagging"] == found["ledger_changes_total"] == {(): 0}
    assert found["scopes"] == {("true",): 0, ("false",): 0}
    assert found["last_rated_timestamp_seconds"] == found["unpriced_points"] == found["points_rated_total"] == {}


def test_of_workers_those_seen_lately_count_and_all_have_their_sums(books):
    beat = WorkerState("w1", "host", 1, NOW, NOW, "", NOW, 3, 40, 5, 1, {"collect": (1.5, 0.5)})
    with books.database.write() as tx:
        workers.beat(tx, beat)
        workers.beat(tx, WorkerState("w2", "host", 2, NOW, NOW - timedelta(minutes=5), "", NOW, 0, 0, 0, 0, {}))
    found = figures(books)
    assert found["workers"] == {(): 1}
    assert found["points_rated_total"] == {("w1",): 40, ("w2",): 0}
    assert (found["source_requests_total"]["w1",], found["source_failures_total"]["w1",]) == (5, 1)
    assert found["stage_seconds_total"] == {("w1", "collect"): 1.5}
    assert found["stage_cpu_seconds_total"] == {("w1", "collect"): 0.5}


@pytest.mark.parametrize("cause", CAUSES)
def test_i8_m9_workers_that_cannot_rate_are_counted_by_what_keeps_them(books, cause):
    assert figures(books)["workers_blocked"] == {(one,): 0 for one in CAUSES}
    for number, ago in enumerate((timedelta(0), timedelta(0), timedelta(minutes=5))):
        with books.database.write() as tx:
            workers.beat(tx, WorkerState(f"w{number}", "host", number, NOW, NOW - ago, "", NOW, 0, 0, 0, 0, {}, None,
                                         cause if number else None))
    found = figures(books)
    assert found["workers_blocked"] == {(one,): int(one == cause) for one in CAUSES}   # one of them is lost
    assert found["workers_missing"] == {(): 0}


def test_i8_m9_a_worker_is_missing_where_one_is_to_be_and_something_is_due(books):
    books.scope("alice", due=NOW - 2 * HOUR)
    assert figures(books)["scopes_due"] == {(): 1}
    assert figures(books)["workers_missing"] == {(): 0}        # it was rated by hand
    with books.database.write() as tx:
        settings.set_daemon(tx, True)
    assert figures(books)["workers_missing"] == {(): 1}
    with books.database.write() as tx:
        settings.set_source_ends(tx, NOW - 3 * HOUR)           # nothing will ever be known of what is due
    assert figures(books)["scopes_due"] == figures(books)["workers_missing"] == {(): 0}
    assert figures(books, wait_periods=0)["scopes_lagging"] == {(): 0}


@pytest.mark.parametrize(("hours", "wait_periods", "lagging"), [
    (3, 1, 1), (2, 1, 0), (3, 2, 0), (4, 2, 1), (1, 0, 0), (2, 0, 1)])
def test_a_scope_lags_that_could_have_been_rated_a_period_ago(books, hours, wait_periods, lagging):
    # At midnight, with one period to wait, the period that began at 21 could have been rated at 23.
    books.scope("alice", due=NOW - hours * HOUR)
    assert figures(books, wait_periods)["scopes_lagging"] == {(): lagging}


def test_of_scopes_how_many_are_switched_off_failing_and_parked(books):
    states = [books.scope(name) for name in ("alice", "bob", "carol")]
    with books.database.write() as tx:
        rows.set_active(tx, [states[2].id], False, NOW)
        rows.fail(tx, [
            ScopeFailure(states[0].id, states[0].due, SOURCE, "source is away", NOW + HOUR, None),
            ScopeFailure(states[1].id, states[1].due, RATING, "rule is wrong", None, 7)], NOW)
    found = figures(books)
    assert found["scopes"] == {("true",): 2, ("false",): 1}
    assert found["scopes_failing"] == {("source",): 1, ("rating",): 1}
    assert found["scopes_parked"] == {(): 1}


def test_of_the_ledger_its_changes_its_last_period_and_this_months_points_without_a_price(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("a", "1", None)),))], 1)
    books.back_to(state, at(100).begin)
    books.ledger.record([RatedPeriod(books.state("alice"), at(100),
                                     (usage(at(100), ("a", "1", None), ("b", "1", "0")),))], 1)
    found = figures(books)
    assert found["ledger_changes_total"] == {(): 2}
    assert found["last_rated_timestamp_seconds"] == {(): at(100).end.timestamp()}
    assert found["unpriced_points"] == {("vcpu", "h"): 1}


def test_i8_m10_what_is_missing_is_counted_in_periods(books):
    assert figures(books)["periods_missing"] == {("unknown",): 0, ("skipped",): 0}
    for name in ("alice", "bob"):
        books.scope(name)
        books.ledger.record([RatedPeriod(books.state(name), at(0), ())], 1)
    holes = Holes(books.database, lambda: NOW, "tester")
    holes.leave(at(1), [books.state("alice"), books.state("bob")], "it was off", NOW)
    assert figures(books)["periods_missing"] == {("unknown",): 2, ("skipped",): 0}
