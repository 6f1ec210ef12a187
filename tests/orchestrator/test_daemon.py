"""The worker: what it takes up, in which order, and what it leaves alone."""
from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from time import monotonic, sleep

from sqlalchemy import text

from cloudkitty_like.db import workers
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.worker_state import WorkerState
from cloudkitty_like.orchestrator.daemon import PATIENCE
from cloudkitty_like.testing.memory import MemoryFetcher
from tests.orchestrator.worker import HOUR, METRICS, MONTH, Bench


def at(hour):
    return MONTH + hour * HOUR


def test_a_month_so_far_is_rated_and_each_period_asked_for_once_with_all_scopes(sqlite):
    bench = Bench(sqlite)
    bench.worker().drain()
    assert bench.dues() == {"alice": at(5), "bob": at(5)}
    assert bench.sums() == {(): (Decimal(2 * 5 * 2 * 2), 5 * 2 * 2)}
    asked = Counter((metric, period.begin, tuple(sorted(scopes))) for metric, period, scopes in bench.collector.asked)
    assert asked == Counter((metric.name, at(hour), ("alice", "bob")) for metric in METRICS for hour in range(5))
    assert bench.progressed == [(at(hour), 2) for hour in range(5)]


def test_periods_wait_until_the_source_is_complete(sqlite):
    bench = Bench(sqlite)
    bench.worker(wait_periods=2).drain()
    assert set(bench.dues().values()) == {at(3)}
    bench.now += HOUR
    bench.worker(wait_periods=2).drain()
    assert set(bench.dues().values()) == {at(4)}
    assert all(period.end <= at(4) for _, period, _ in bench.collector.asked), "it was asked about an open period"


def test_a_backfill_stops_at_its_end(sqlite):
    bench = Bench(sqlite)
    bench.worker(until=at(3)).drain()
    assert set(bench.dues().values()) == {at(3)}


def test_live_scopes_come_before_those_that_lag(sqlite):
    bench = Bench(sqlite, hours=40)
    bench.worker().drain()
    bench.scopes.reset(["bob"], MONTH, author="tester", reason="")
    bench.now += HOUR
    bench.progressed.clear()
    bench.worker(slice_seconds=0.0).drain()
    assert bench.progressed[0] == (at(40), 1)            # alice's new hour, before all of bob's
    assert len(bench.progressed) == 1 + 41


def test_many_groups_of_scopes_share_one_slice(sqlite):
    bench = Bench(sqlite, [f"s{n}" for n in range(20)], hours=30)
    bench.worker(until=at(20)).drain()
    for number in range(20):
        bench.scopes.reset([f"s{number}"], at(number), author="tester", reason="")
    bench.progressed.clear()
    bench.worker(slice_seconds=0.0).cycle()
    # Every group one period, and then a new look at what is due.
    assert [scopes for _, scopes in bench.progressed] == [1] * 20


def test_batches_are_no_larger_than_they_may_be(sqlite):
    bench = Bench(sqlite, [f"s{n}" for n in range(7)], hours=2)
    bench.worker(scopes_per_batch=3).drain()
    assert max(len(scopes) for _, _, scopes in bench.collector.asked) == 3
    assert bench.sums() == {(): (Decimal(7 * 2 * 2 * 2), 7 * 2 * 2)}


def test_a_scope_in_back_off_is_not_asked_about_and_the_others_go_on(sqlite):
    wrong = {"bob": Unavailable("no answer")}
    bench = Bench(sqlite, failing=lambda metric, period, scopes: wrong)
    bench.worker().drain()
    assert bench.dues() == {"alice": at(5), "bob": MONTH}
    bob = bench.states()["bob"]
    assert (bob.failures, bob.error_kind, bob.retry_at) == (1, "source", bench.now + timedelta(seconds=30))
    asked = len(bench.collector.asked)
    bench.worker().drain()
    assert len(bench.collector.asked) == asked
    for failures, seconds in ((2, 60), (3, 120)):
        bench.now = bench.states()["bob"].retry_at
        bench.worker().drain()
        bob = bench.states()["bob"]
        assert (bob.failures, bob.retry_at - bench.now) == (failures, timedelta(seconds=seconds))
    wrong.clear()
    bench.now = bob.retry_at
    bench.worker().drain()
    assert bench.dues() == {"alice": at(5), "bob": at(5)}
    assert bench.states()["bob"].error is None


def test_back_off_begins_anew_after_a_period_that_was_recorded(sqlite):
    wrong = {"bob": Unavailable("no answer")}
    bench = Bench(sqlite, failing=lambda metric, period, scopes: wrong if period.begin in failing_at else {})
    failing_at = {MONTH}
    for _ in range(3):
        bench.worker().drain()
        bench.now = bench.states()["bob"].retry_at
    assert bench.states()["bob"].failures == 3
    failing_at = {at(2)}
    bench.worker().drain()
    assert (bench.dues()["bob"], bench.states()["bob"].failures) == (at(2), 1)


def test_a_parked_scope_waits_for_another_rule_set_version(sqlite):
    bench = Bench(sqlite)
    rate = bench.rate

    def by_the_rules(scope, period, frames):
        if scope == "bob" and bench.ruleset == 1:
            raise Invalid("rule 7: 'north' is no number")
        return rate(scope, period, frames)

    bench.rate = by_the_rules
    bench.worker().drain()
    assert bench.dues() == {"alice": at(5), "bob": MONTH}
    assert bench.states()["bob"].parked_ruleset == 1
    asked = len(bench.collector.asked)
    bench.now += 100 * HOUR
    bench.worker(until=at(5)).drain()
    assert len(bench.collector.asked) == asked
    bench.ruleset = 2
    bench.worker(until=at(5)).drain()
    assert bench.dues()["bob"] == at(5)


def test_answers_begun_ahead_are_not_used_once_their_turn_has_passed(sqlite):
    bench = Bench(sqlite, ["alice"], hours=10)
    worker = bench.worker(slice_seconds=0.0)
    worker.cycle()                                     # how large an hour is is known after the first
    assert {period.begin for _, period, _ in bench.collector.asked} == {MONTH}
    worker.cycle()                                     # the third hour is being asked about, by another thread
    deadline = monotonic() + 30
    while not any(period.begin == at(2) for _, period, _ in bench.collector.asked) and monotonic() < deadline:
        sleep(0.01)
    assert {period.begin for _, period, _ in bench.collector.asked} == {MONTH, at(1), at(2)}
    other = bench.worker()
    other.drain()                                      # somebody else has rated it meanwhile
    worker.cycle()
    bench.collector.samples = []                       # the source is corrected
    bench.scopes.reset(["alice"], at(2), author="tester", reason="the source was corrected")
    worker.drain()
    assert bench.sums("time") == {(instant(hour),): (Decimal(4), 2) for hour in (MONTH, at(1))}


def test_large_periods_are_not_collected_ahead(sqlite):
    bench = Bench(sqlite, ["alice"], hours=10)
    worker = bench.worker(slice_seconds=0.0, points_ahead=1)
    for hours in range(1, 4):
        worker.cycle()
        assert {period.begin for _, period, _ in bench.collector.asked} == {MONTH, *map(at, range(hours))}


class Taken:
    """A lease of which somebody else holds some shards, until they are let go."""

    def __init__(self, taken, shards=8):
        self.free, self.asked = set(range(shards)) - set(taken), []

    @contextmanager
    def hold(self, shards):
        self.asked.append(shards)
        yield frozenset(sorted(self.free)[:shards])


def test_draining_waits_for_what_others_are_at(sqlite):
    bench = Bench(sqlite)
    bench.scope_discovery.look(timedelta(0))
    shards = {state.shard_hash % 8 for state in bench.states().values()}
    bench.lease = lease = Taken(shards)
    threading.Timer(0.5, lambda: lease.free.update(shards)).start()
    bench.worker().drain()
    assert set(bench.dues().values()) == {at(5)}


def test_shards_of_workers_that_were_killed_are_taken_over_at_once(sqlite):
    bench = Bench(sqlite)
    with sqlite.write() as tx:
        for number in range(7):                        # they have left nothing but their heartbeats
            workers.beat(tx, WorkerState(f"w{number}", "host", number, bench.now, bench.now, "", bench.now,
                                         0, 0, 0, 0, {}))
    bench.lease = Taken(set())
    bench.worker().drain()
    assert set(bench.dues().values()) == {at(5)}
    assert bench.lease.asked[0] == 2                   # its share among eight comes first


def test_heartbeats_of_the_dead_are_swept(sqlite):
    bench = Bench(sqlite)
    long_ago = bench.now - timedelta(hours=1)
    with sqlite.write() as tx:
        workers.beat(tx, WorkerState("dead", "host", 1, long_ago, long_ago, "", long_ago, 0, 0, 0, 0, {}))
    bench.worker().drain()
    with sqlite.read() as tx:
        assert workers.everyone(tx) == []


def test_a_failure_that_is_late_spares_a_scope_that_somebody_has_moved_on(sqlite):
    bench = Bench(sqlite)
    bench.worker(until=at(2)).drain()
    stale = bench.states()["bob"]
    bench.worker().drain()
    bench.failures.keep([(stale, "rating", Invalid("old"))], bench.ruleset)
    bob = bench.states()["bob"]
    assert (bob.error, bob.parked_ruleset, bob.due) == (None, None, at(5))


def test_a_lease_that_fails_is_tried_again_and_not_for_ever_where_somebody_waits(sqlite):
    class Broken:
        def __init__(self):
            self.asked = 0

        def hold(self, shards):
            self.asked += 1
            raise Unavailable("the coordinator is away")

    bench = Bench(sqlite)
    bench.lease = Broken()
    worker = bench.worker()
    try:
        worker.drain()
    except Unavailable:
        assert bench.lease.asked == PATIENCE
    else:
        raise AssertionError("it gave up silently")
    threading.Timer(0.3, bench.stop.set).start()
    worker.run()
    assert bench.lease.asked > PATIENCE + 1


def test_c6_rules_that_nothing_can_be_rated_with_are_said_and_tried_again(sqlite, caplog):
    bench = Bench(sqlite)
    worker = bench.worker()
    mended = threading.Event()

    def broken():
        if mended.is_set():
            return 1, bench.rate
        raise Invalid("the rating 'scripts' cannot be loaded")

    object.__setattr__(worker._deps, "rating", broken)
    runner = threading.Thread(target=worker.run)
    runner.start()
    mended.wait(0.2)
    assert bench.sums() == {}
    assert "cannot be loaded" in caplog.text
    mended.set()
    while set(bench.dues().values()) != {at(5)}:
        assert runner.is_alive()
    bench.stop.set()
    runner.join(5)
    assert not runner.is_alive()


def test_two_workers_without_leases_between_them_record_everything_once(sqlite):
    bench = Bench(sqlite, [f"s{n}" for n in range(6)], hours=30)
    bench.scope_discovery.look(timedelta(0))
    one, two = bench.worker(), bench.worker()
    bench.lease = None
    for worker in (one, two):
        object.__setattr__(worker._deps, "lease", Taken(set()))
    threads = [threading.Thread(target=worker.drain) for worker in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(bench.dues().values()) == {at(30)}
    assert bench.sums() == {(): (Decimal(6 * 30 * 2 * 2), 6 * 30 * 2)}
    with sqlite.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM frame")).scalar() == 6 * 30
        assert tx.execute(text("SELECT count(*) FROM revision_block")).scalar() == 0


def test_unknown_is_not_zero_until_it_is_accepted(sqlite):
    bench = Bench(sqlite, proven=False)
    bench.collector.samples = [one for one in bench.collector.samples if one.when != at(2)]
    bench.worker().drain()
    assert set(bench.dues().values()) == {at(2)}
    bench.scopes.accept_empty(Period(at(2), at(3)), ["alice"], author="tester", reason="power cut")
    bench.now += HOUR
    bench.worker(until=at(5)).drain()
    assert bench.dues() == {"alice": at(5), "bob": at(2)}


class Counted(MemoryFetcher):
    """A fetcher that counts how often it is asked."""

    asked = 0

    def scopes(self):
        self.asked += 1
        return super().scopes()


def test_p8_scopes_are_looked_for_by_one_worker_and_now_and_then(sqlite):
    bench = Bench(sqlite)
    bench.fetcher = fetcher = Counted(bench.fetcher.known)
    bench.lease = Taken({0})
    without_the_first_shard = bench.worker(discovery=HOUR)
    for _ in range(3):
        without_the_first_shard.cycle()
    assert fetcher.asked == 0
    bench.lease = Taken(())
    with_it = bench.worker(discovery=HOUR)
    for _ in range(3):
        with_it.cycle()
    assert fetcher.asked == 1
    assert set(bench.dues()) == {"alice", "bob"}
