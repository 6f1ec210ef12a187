"""Where rating of a new scope begins."""
from __future__ import annotations

from datetime import timedelta

from cloudkitty_like.domain.errors import Unavailable
from tests.orchestrator.worker import HOUR, MONTH, Bench, hourly


def test_a_new_scope_begins_with_the_month(sqlite):
    bench = Bench(sqlite, hours=30)
    # the source knows last month too
    bench.collector.samples += hourly(["alice"], 3, MONTH - 3 * HOUR)
    bench.worker(wait_periods=10**6).drain()
    assert {state.first for state in bench.states().values()} == {MONTH}


def test_or_where_the_data_begins_if_that_is_later(sqlite):
    bench = Bench(sqlite, hours=30)
    later = MONTH + 20 * HOUR + timedelta(minutes=10)
    bench.collector.samples = [one for one in hourly(["alice"], 9, later) if one.when < bench.now]
    bench.worker().drain()
    assert {state.first for state in bench.states().values()} == {MONTH + 20 * HOUR}
    assert min(period.begin for _, period, _ in bench.collector.asked) == MONTH + 20 * HOUR


def test_or_at_a_given_date(sqlite):
    bench = Bench(sqlite, hours=30)
    bench.scope_discovery.look(timedelta(0))
    bench.scopes.reset(["bob"], MONTH + 7 * HOUR, author="tester", reason="")
    bench.worker().drain()
    assert {name: state.first for name, state in bench.states().items()} == \
        {"alice": MONTH, "bob": MONTH + 7 * HOUR}


def test_c21_the_first_period_waits_for_its_end_like_every_other(sqlite):
    bench = Bench(sqlite, hours=0)
    bench.collector.samples = hourly(["alice", "bob"], 3)
    bench.now = MONTH + timedelta(minutes=50)
    worker = bench.worker(wait_periods=1)
    worker.drain()
    assert (bench.collector.asked, set(bench.dues().values())) == ([], {MONTH})
    bench.now = MONTH + 2 * HOUR - timedelta(seconds=1)
    worker.drain()
    assert bench.collector.asked == []
    bench.now = MONTH + 2 * HOUR
    worker.drain()
    assert set(bench.dues().values()) == {MONTH + HOUR}


def test_where_data_begins_is_one_question_for_all(sqlite):
    bench = Bench(sqlite, [f"s{n}" for n in range(50)])
    asked = []
    begins = bench.collector.begins
    bench.collector.begins = lambda metrics, window: asked.append(window) or begins(metrics, window)
    bench.worker().drain()
    assert len(asked) == 1


def test_a_source_without_data_leaves_the_scope_new_and_says_so(sqlite):
    bench = Bench(sqlite)
    bench.collector.samples = []
    bench.worker().drain()
    state = bench.states()["alice"]
    assert (state.due, state.error_kind) == (None, "source")
    assert "no data since" in state.error
    assert state.retry_at > bench.now
    assert bench.collector.asked == []


def test_scopes_that_appear_later_are_found(sqlite):
    bench = Bench(sqlite, ["alice"])
    worker = bench.worker()
    worker.drain()
    bench.fetcher.known.append("zoë")
    worker.drain()
    assert bench.dues()["zoë"] == MONTH + 5 * HOUR


def test_the_fetcher_is_not_asked_more_often_than_it_should_be(sqlite):
    bench = Bench(sqlite)
    scope_discovery, asked = bench.scope_discovery, []
    bench.fetcher.scopes = lambda: asked.append(1) or ()
    assert scope_discovery.look(timedelta(minutes=1))
    assert not scope_discovery.look(timedelta(minutes=1))
    assert len(asked) == 1


def test_c43_a_fetcher_that_fails_or_has_a_bug_is_logged_and_stops_nobody(sqlite, caplog):
    bench = Bench(sqlite)
    bench.worker(until=MONTH + HOUR).drain()

    for error in (Unavailable("no route"), ZeroDivisionError("bug")):
        def scopes(error=error):
            raise error

        bench.fetcher.scopes = scopes
        bench.worker().drain()
        assert str(error) in caplog.text
    assert set(bench.dues().values()) == {MONTH + 5 * HOUR}


def test_i8_b9_a_fetcher_that_runs_out_of_memory_is_one_line_with_the_limit(sqlite, caplog):
    bench = Bench(sqlite)
    bench.worker(until=MONTH + HOUR).drain()

    def scopes():
        raise MemoryError

    bench.fetcher.scopes = scopes
    bench.worker().drain()
    assert "looking for scopes: out of memory: " in caplog.text
    assert "Traceback" not in caplog.text
    assert set(bench.dues().values()) == {MONTH + 5 * HOUR}


def test_c43_an_impossible_id_keeps_no_other_scope_out(sqlite, caplog):
    bench = Bench(sqlite)
    bench.fetcher.known = ["", "x" * 256, "nul\0", "alice", "東京"]
    bench.worker().drain()
    assert set(bench.states()) == {"alice", "東京"}
    assert "256 characters" in caplog.text
