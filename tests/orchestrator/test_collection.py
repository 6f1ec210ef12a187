"""A batch that is refused is split, and one bad scope costs the others nothing but a few questions."""
from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic

import pytest

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.collection import UsageCollector, WorkerStop, collect_splitting
from cloudkitty_like.orchestrator.timings import COLLECT, StageTimings
from cloudkitty_like.ports import CollectorAnswer

HOUR = Period.starting(datetime(2026, 10, 1, tzinfo=UTC), timedelta(hours=1))
SCOPES = [f"s{n:03d}" for n in range(128)]


def frame(qty=1):
    return Frame.of_usage("cpu", "h", HOUR, [Decimal(qty)], {"project_id": ["x"]})


class Source:
    """Answers about every scope unless a bad one is among those asked for."""

    def __init__(self, bad=(), error=None):
        self.bad, self.error, self.asked = set(bad), error or Unavailable("500", smaller=False), []

    def __call__(self, scopes, others):
        assert set(scopes).isdisjoint(others)
        self.asked.append(tuple(scopes))
        if self.bad.intersection(scopes):
            raise self.error
        return CollectorAnswer({scope: frame() for scope in scopes})


def ask(source, scopes=SCOPES, others=(), seconds=60.0, stop=None):
    return collect_splitting(source, scopes, others, deadline=monotonic() + seconds, stop=stop or threading.Event())


def test_one_question_is_enough_where_nothing_is_wrong():
    source = Source()
    assert set(ask(source).frames) == set(SCOPES)
    assert len(source.asked) == 1


@pytest.mark.parametrize("error", [Unavailable("500"), Unavailable("too large", smaller=True), Invalid("refused")])
@pytest.mark.parametrize("bad", [{"s000"}, {"s077"}, {"s127"}, {"s003", "s100"}])
def test_bad_scopes_are_found_by_halving_and_all_others_are_answered(bad, error):
    source = Source(bad, error)
    collected = ask(source)
    assert set(collected.failed) == bad
    assert all(found is error for found in collected.failed.values())
    assert set(collected.frames) == set(SCOPES) - bad
    assert len(source.asked) <= len(bad) * 2 * 7 + 1


def test_a_source_that_is_down_is_not_asked_about_every_scope():
    source = Source(SCOPES)
    collected = ask(source)
    assert set(collected.failed) == set(SCOPES)
    assert len(source.asked) <= 6


def test_answers_that_are_too_large_are_asked_for_in_ever_smaller_pieces():
    def at_most_ten(scopes, others):
        if len(scopes) > 10:
            raise Unavailable("too many samples", smaller=True)
        return CollectorAnswer({scope: frame() for scope in scopes})

    assert set(ask(at_most_ten).frames) == set(SCOPES)


def test_after_the_deadline_nothing_more_is_asked():
    source = Source({"s000"}, Unavailable("time-out", smaller=True))
    collected = ask(source, seconds=-1)
    assert set(collected.failed) == set(SCOPES)
    assert source.asked == []


def test_a_piece_without_a_sign_of_life_makes_all_unproven():
    def unproven(scopes, others):
        if len(scopes) > 1:
            raise Unavailable("too large", smaller=True)
        return CollectorAnswer({}, proven=scopes[0] != "s005")

    assert not ask(unproven, SCOPES[:8]).proven


class SlowCollector:
    """A collector that answers only when it is let."""

    def __init__(self):
        self.let = threading.Event()

    def collect(self, metric, period, scopes, others=()):
        self.let.wait(30)
        return CollectorAnswer({scope: frame() for scope in scopes})


def usage_collector(collector, stop):
    metrics = Metric("cpu", "h"), Metric("ram", "MB")
    return UsageCollector(collector, metrics, threads=2, deadline_seconds=60, stages=StageTimings(), stop=stop)


def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_source():
    collector, stop = SlowCollector(), threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = monotonic()
    with pytest.raises(WorkerStop):
        usage_collector(collector, stop).usage(HOUR, SCOPES, [])
    assert monotonic() - began < 5
    collector.let.set()


def test_frames_of_all_metrics_come_together_by_scope():
    collector, stages = SlowCollector(), StageTimings()
    collector.let.set()
    usage = usage_collector(collector, threading.Event()).usage(HOUR, SCOPES, [])
    assert {scope: len(frames) for scope, frames in usage.frames.items()} == dict.fromkeys(SCOPES, 2)
    assert usage.failed == {}
    assert usage.unproven == set()
    assert stages.seconds.get(COLLECT) is None


def test_c43_a_bug_of_a_collector_is_loud_and_the_affair_of_the_scopes_it_concerns(caplog):
    class Broken:
        def collect(self, metric, period, scopes, others=()):
            if "s007" in scopes:
                raise ZeroDivisionError
            return CollectorAnswer({scope: frame() for scope in scopes})

    usage = usage_collector(Broken(), threading.Event()).usage(HOUR, SCOPES, [])
    assert set(usage.failed) == {"s007"}
    assert "ZeroDivisionError" in str(usage.failed["s007"])
    assert set(usage.frames) == set(SCOPES) - {"s007"}
    assert "Traceback" in caplog.text


def test_i8_b9_a_collector_that_runs_out_of_memory_says_the_limit_and_is_asked_about_less(caplog):
    class Large:
        def collect(self, metric, period, scopes, others=()):
            if len(scopes) > 10:
                raise MemoryError
            return CollectorAnswer({scope: frame() for scope in scopes})

    usage = usage_collector(Large(), threading.Event()).usage(HOUR, SCOPES, [])
    assert usage.failed == {}
    assert set(usage.frames) == set(SCOPES)
    assert "Traceback" not in caplog.text


def test_i8_b11_labels_that_no_database_keeps_are_replaced_whatever_the_collector():
    class Strange:
        def collect(self, metric, period, scopes, others=()):
            cells = {"project_id": ["x"] * 4, "id": ["a\0", "a\N{REPLACEMENT CHARACTER}", "y" * 5000, "y" * 5001]}
            return CollectorAnswer({"x": Frame.of_usage("cpu", "h", HOUR, [Decimal(1)] * 4, cells)})

    for frames in usage_collector(Strange(), threading.Event()).usage(HOUR, ["x"], []).frames.values():
        for made in frames:
            ids = {qty: list(made.where([other == qty for other in made.qty]).groupby["id"]) for qty in made.qty}
            assert ids[Decimal(2)] == ["a\N{REPLACEMENT CHARACTER}"]       # equal by now: added up
            assert len(set(ids[Decimal(1)])) == 2
            assert {len(value) for value in ids[Decimal(1)]} == {4096}
