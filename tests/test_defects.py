"""CloudKitty's numbered weaknesses that belong to no single module: counted here, so that they stay away.

Those of one module stand with its tests; every name carries the number.
"""
from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, text

from cloudkitty_like.app import OPTS
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.orchestrator.batches import Batch
from cloudkitty_like.orchestrator.collection import CollectedUsage, UsageCollector
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.rating.noop import NoopModule
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.pricing.tariffs import Pricing
from cloudkitty_like.testing.collector import BEGIN as SAMPLES_BEGIN
from cloudkitty_like.testing.collector import METRIC, Sample
from cloudkitty_like.testing.databases import KINDS
from cloudkitty_like.testing.memory import MemoryCollector
from tests.books import HOUR, Books, answer, at, usage
from tests.databases import new_database


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield Books(database)


@pytest.fixture
def sqlite():
    with new_database("sqlite") as database:
        yield Books(database)


def test_c8_the_whole_period_counts_and_not_its_first_sample():
    samples = [Sample(SAMPLES_BEGIN + timedelta(minutes=5 * n), METRIC, "1.5", {"project_id": "p"}) for n in range(12)]
    period = at(0).starting(SAMPLES_BEGIN, HOUR)
    collected = MemoryCollector(samples).collect(Metric(METRIC, "u", groupby=("project_id",)), period, ["p"])
    assert collected.frames["p"].qty == (Decimal(18),)


@pytest.mark.slow
def test_c22_another_collector_goes_on_where_the_last_one_stopped(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    with books.database.write() as tx:
        assert rows.register(tx, [Scope("alice", "project_id", "other fetcher", "other collector")], books.now) == []
        assert len(rows.everything(tx)) == 1
    assert books.state("alice").due == at(1).begin
    assert answer(books) == {(): (Decimal(1), 1, 0)}


def test_p9_a_worker_has_one_process_and_a_fixed_number_of_threads():
    assert {opt.dest: opt.default for opt in OPTS["orchestrator"]}["max_workers"] == 1
    collector = MemoryCollector([Sample(SAMPLES_BEGIN, METRIC, "1", {"project_id": "p"})])
    metrics = [Metric(METRIC, "u", alt_name=f"m{n}", groupby=("project_id",)) for n in range(20)]
    usage_collector = UsageCollector(collector, metrics, threads=4, deadline_seconds=60,
                                     stages=StageTimings(), stop=threading.Event())
    before = threading.active_count()
    for number in range(50):
        usage_collector.usage(at(number), ["p"], [])
    assert threading.active_count() - before <= 4
    usage_collector.close()


class Keeping:
    """A ledger that remembers what it was given."""

    def __init__(self):
        self.rated = []

    def record(self, batch, ruleset):
        self.rated.extend(batch)


def test_p11_p12_frames_are_not_copied_for_modules_that_leave_them_alone(sqlite):
    states = [sqlite.scope(f"s{n}") for n in range(3)]
    frames = {state.identifier: [usage(at(0), ("a", "1", None), ("b", "2", None))] for state in states}
    ledger = Keeping()
    pricing = Pricing([("noop", NoopModule().tariff(0))])
    outcome = BatchRating(ledger, {}, StageTimings()).process(
        Batch(at(0), tuple(states)), CollectedUsage(dict(frames)), set(), pricing.rate, 1)
    assert outcome.failed == []
    assert [rated.frames[0] is frames[rated.state.identifier][0] for rated in ledger.rated] == [True] * 3
    assert [rated.collected for rated in ledger.rated] == [None] * 3


def test_p17_transactions_do_not_grow_with_scopes_or_points(books):
    states = [books.scope(f"s{n}") for n in range(20)]
    commits = []
    event.listen(books.database.engine, "commit", commits.append)

    def record(number, points):
        frames = (usage(at(number), *((str(n), "1", "1") for n in range(points))),)
        del commits[:]
        books.ledger.record([RatedPeriod(books.state(state.identifier), at(number), frames) for state in states], 1)
        return len(commits)

    assert record(0, 1) == record(1, 50) == 2        # one for the revisions' numbers, one for all the rest


def test_p20_rules_of_a_change_are_found_by_an_index(sqlite):
    with sqlite.database.read() as tx:
        plan = tx.execute(text("EXPLAIN QUERY PLAN SELECT * FROM hashmap_rule WHERE recorded_to IS NULL")).all()
    assert "USING INDEX" in str(plan[0])


def test_a_frame_of_nothing_is_no_frame(sqlite):
    state, ledger = sqlite.scope(), Keeping()
    nothing = Frame.of_usage("vcpu", "h", at(0), [], {"flavor": []})
    BatchRating(ledger, {}, StageTimings()).process(
        Batch(at(0), (state,)), CollectedUsage({"alice": [nothing]}), set(), Pricing([]).rate, 1)
    assert [(rated.frames, rated.collected) for rated in ledger.rated] == [((), None)]
