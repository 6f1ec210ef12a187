"""What went wrong with scopes, in their states and in the log."""
from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from cloudkitty_like.db import workers
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.worker_state import MODULES, SOURCE, SYSTEM
from tests.orchestrator.worker import HOUR, Bench

NAMES = [f"s{number:02}" for number in range(40)]


@pytest.fixture
def lines(caplog):
    """What was logged so far."""
    caplog.set_level(logging.INFO, "cloudkitty_like")
    return lambda: [record.getMessage() for record in caplog.records if "new scopes" not in record.getMessage()]


class Source:
    """A source that fails for as long as ``error`` is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __call__(self, metric, period, scopes):
        if self.error is not None:
            raise self.error
        return {}


def retried(bench: Bench, times: int) -> None:
    worker = bench.worker()
    for _ in range(times):
        worker.drain()
        bench.now += timedelta(hours=1)


def test_i8_m12_a_source_that_is_down_is_two_lines_for_all_scopes_and_tries(sqlite, lines):
    source = Source(Unavailable("http://source cannot be reached"))
    bench = Bench(sqlite, NAMES, failing=source)
    retried(bench, 8)
    (line,) = lines()
    assert line == ("40 scopes ('s00', 's01', 's02', 's03', 's04' and 35 more) cannot be rated, tried again, later and "
                    "later: http://source cannot be reached")
    source.error = None
    retried(bench, 2)
    assert set(bench.dues().values()) != {None}
    assert [line.partition(" after ")[0] for line in lines()[1:]] == ["over"]
    assert lines()[1].endswith("http://source cannot be reached")


def test_i8_m12_a_rule_that_fails_for_many_scopes_is_one_line(sqlite, lines):
    bench = Bench(sqlite, NAMES)
    good = bench.rate

    def broken(scope, period, frames):
        raise Invalid("rule 7: 'north' is no number")

    bench.rate = broken
    retried(bench, 3)
    assert len(lines()) == 1
    assert "cannot be rated, until the rules change: rule 7" in lines()[0]
    bench.ruleset, bench.rate = 2, good
    retried(bench, 1)
    assert len(lines()) == 2
    assert lines()[1].startswith("over after")


def test_i8_m12_it_is_over_with_the_last_scope_whichever_worker_rates_it(sqlite, lines):
    wrong = {name: Unavailable("no answer") for name in NAMES[:2]}
    bench = Bench(sqlite, NAMES[:3], failing=lambda metric, period, scopes: wrong)
    retried(bench, 2)
    assert len(lines()) == 1
    del wrong[NAMES[0]]
    bench.failures = bench.new_failures()      # another process's
    retried(bench, 1)
    assert len(lines()) == 1                           # one still suffers
    wrong.clear()
    bench.now += HOUR
    retried(bench, 2)
    assert len(lines()) == 2
    assert lines()[1] == "over: scopes: no answer"


def test_i8_m12_modules_that_cannot_be_loaded_are_told_once(sqlite, lines):
    bench, tries = Bench(sqlite), 0

    def broken():
        nonlocal tries
        tries += 1
        if tries == 6:
            bench.stop.set()
        if tries > 3:
            return 1, bench.rate
        raise Invalid("the rating 'scripts' cannot be loaded")

    worker = bench.worker(discovery=HOUR)
    object.__setattr__(worker._deps, "rating", broken)
    worker.run()
    assert [line for line in lines() if "scripts" in line] == [
        "nothing can be rated: the rating 'scripts' cannot be loaded",
        "over after 0 s: nothing can be rated: the rating 'scripts' cannot be loaded"]


@pytest.mark.parametrize(("broken", "blocked"), [
    ("rating", MODULES), ("lease", SYSTEM), ("source", SOURCE), ("fetcher", SOURCE), ("", None)])
def test_i8_m9_a_heartbeat_says_what_keeps_the_worker_from_rating(sqlite, broken, blocked):
    source = Source(Unavailable("no answer") if broken == "source" else None)
    bench = Bench(sqlite, failing=source)
    seen: list[str | None] = []

    def fails(error):
        def raises(*_):
            raise error
        return raises

    worker = bench.worker()
    if broken == "rating":
        object.__setattr__(worker._deps, "rating", fails(Invalid("module x cannot be loaded")))
    if broken == "lease":
        bench.lease.hold = fails(Unavailable("the coordinator is away"))
    if broken == "fetcher":
        bench.fetcher.scopes = fails(Unavailable("no answer"))
    looks = 0

    def look():
        nonlocal looks
        looks += 1
        if looks == 4:
            with sqlite.read() as tx:
                seen.extend(beat.blocked for beat in workers.everyone(tx))
            bench.stop.set()

    object.__setattr__(worker._deps, "renewed", look)
    with worker.heartbeat:
        worker.run()
    assert seen == [blocked]


def test_i8_m12_no_period_after_the_end_of_a_source_is_due(sqlite, lines):
    bench = Bench(sqlite, hours=3)
    bench.collector.proven = False
    end = max(sample.when for sample in bench.collector.samples)
    bench.ends = lambda: end
    bench.now += 10 * HOUR
    retried(bench, 3)
    assert set(bench.dues().values()) == {end + HOUR}
    assert [state.error for state in bench.states().values()] == [None, None]
    assert lines() == []
    assert max(period.begin for _, period, _ in bench.collector.asked) == end


def test_i8_m12_a_scope_that_would_start_after_the_end_of_a_source_is_not_failing(sqlite, lines):
    bench = Bench(sqlite, hours=3)
    end = max(sample.when for sample in bench.collector.samples)
    bench.ends = lambda: end
    bench.now += timedelta(days=40)
    retried(bench, 2)
    assert [(state.due, state.error) for state in bench.states().values()] == [(None, None), (None, None)]
    assert lines() == []
