"""One batch, one period: who is recorded, and what happens to the others."""
from __future__ import annotations

from decimal import Decimal
from functools import cache
from threading import Timer
from time import monotonic

import pytest
from sqlalchemy import text

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.scope_state import RATING
from cloudkitty_like.domain.script import Script
from cloudkitty_like.rating.pyscripts.sandbox import Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import PyscriptsTariff
from cloudkitty_like.service.ledger.writer import Ledger
from cloudkitty_like.service.pricing.tariffs import Pricing
from cloudkitty_like.testing.collector import Sample
from tests.orchestrator.worker import HOUR, METRICS, MONTH, Bench

END = MONTH + 5 * HOUR


@cache
def large(period):
    """So many of the largest points that their total cannot be kept."""
    frame = Frame.of_usage("cpu", "h", period, [Decimal(1)] * 9001, {"id": [str(n) for n in range(9001)]})
    return frame.with_price([Decimal(10)**15 - 1] * 9001)


def failing(bench, error, *scopes):
    rate = bench.rate

    def broken(scope, period, frames):
        if scope in scopes:
            raise error
        return rate(scope, period, frames)

    bench.rate = broken


def test_a_bug_in_a_rating_module_parks_its_scope_alone_and_is_loud(sqlite, caplog):
    bench = Bench(sqlite, ["alice", "bob", "carol"])
    failing(bench, ZeroDivisionError("division by zero"), "bob")
    bench.worker().drain()
    assert bench.dues() == {"alice": END, "bob": MONTH, "carol": END}
    bob = bench.states()["bob"]
    assert (bob.error_kind, bob.parked_ruleset) == ("rating", 1)
    assert "ZeroDivisionError" in bob.error
    assert "Traceback" in caplog.text
    assert "'bob'" in caplog.text


def test_i8_b9_rating_that_runs_out_of_memory_is_tried_again_and_says_the_limit(sqlite, caplog):
    bench = Bench(sqlite, ["alice", "bob"])
    failing(bench, MemoryError(), "bob")
    bench.worker().drain()
    bob = bench.states()["bob"]
    assert bob.error_kind == "source"
    assert bob.error.startswith("out of memory: ")
    assert "Traceback" not in caplog.text
    assert bench.dues()["alice"] == END


def test_an_error_of_the_rules_is_no_traceback(sqlite, caplog):
    bench = Bench(sqlite)
    failing(bench, Invalid("rule 7: no number"), "bob")
    bench.worker().drain()
    assert bench.states()["bob"].error == "rule 7: no number"
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("bad", [["s03"], ["s00", "s15"], [f"s{n:02}" for n in range(16)]])
def test_a_total_out_of_range_is_found_by_halving_and_holds_nobody_else(database, bad):
    bench = Bench(database, [f"s{n:02}" for n in range(16)], hours=3)
    rate = bench.rate

    def much(scope, period, frames):
        if scope not in bad:
            return rate(scope, period, frames)
        return [large(period)]

    bench.rate = much
    bench.worker().drain()
    assert bench.dues() == {f"s{n:02}": MONTH if f"s{n:02}" in bad else MONTH + 3 * HOUR for n in range(16)}
    assert {name for name, state in bench.states().items() if state.error_kind == "rating"} == set(bad)
    with database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM frame")).scalar() == (16 - len(bad)) * 3
        assert tx.execute(text("SELECT count(*) FROM revision_block")).scalar() == 0


def test_what_another_worker_has_recorded_is_left_to_it_in_one_step(sqlite):
    bench = Bench(sqlite, [f"s{n:02}" for n in range(16)], hours=3)
    bench.worker(until=MONTH + HOUR).drain()
    raced = []
    rate = bench.rate

    def overtaken(scope, period, frames):
        if not raced:
            raced.append(scope)
            with sqlite.write() as tx:             # somebody else is done with the first ten
                tx.execute(text("UPDATE scope SET due = due + 3600 WHERE identifier < 's10'"))
        return rate(scope, period, frames)

    bench.rate = overtaken
    worker = bench.worker()
    look = worker.cycle()
    assert look.left == 10
    assert look.recorded >= 6
    with sqlite.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM revision_block")).scalar() == 0
        changes = tx.execute(text("SELECT count(*) FROM ledger_tx")).scalar()
    assert changes <= 4                            # not one for each scope


def test_i8_b11_a_label_that_no_database_keeps_holds_no_scope(database):
    bench = Bench(database, ["alice", "bob"], hours=3)
    strange = {"a": "nul\0", "b": "half\ud800", "c": "long" * 2000, "d": "long" * 2000 + "er"}
    for value in strange.values():
        bench.collector.samples.append(Sample(MONTH, "disk", "1", {"project_id": "bob", "id": value}))
    bench.metrics = (*METRICS, Metric("disk", "GiB", groupby=("project_id", "id")))
    bench.worker().drain()
    assert set(bench.dues().values()) == {MONTH + 3 * HOUR}
    kept = {key[0] for key in bench.sums("id") if key[0]}
    assert len(kept) == 4
    assert {"nul\N{REPLACEMENT CHARACTER}", "half\N{REPLACEMENT CHARACTER}"} < kept
    assert max(map(len, kept)) == 4096


HANGING = """
import time
from decimal import Decimal

for points in data["usage"].values():
    for point in points:
        if point["groupby"]["project_id"].startswith("a"):
            time.sleep(1000)
        point["rating"]["price"] = Decimal(2)
"""


class Timed(Ledger):
    """A ledger that says when it has recorded which scopes."""

    def __init__(self, bench):
        super().__init__(bench.database, bench.storage, bench.clock, "tester")
        self.begun, self.recorded = monotonic(), {}

    def record(self, batch, ruleset):
        super().record(batch, ruleset)
        self.recorded.update((rated.state.identifier, monotonic() - self.begun) for rated in batch)


@pytest.fixture
def scripted():
    """Makes what rates by a script, so many scopes at a time."""
    sandboxes = []

    def pricing(text, lanes, **limits):
        sandboxes.append(Sandbox(Confinement(side_by_side=lanes, memory_bytes=64 << 20, **limits)))
        return Pricing([("pyscripts", PyscriptsTariff({"1": Script(name="night", text=text)}, sandboxes[-1],
                                                      "project_id", recheck=0))])

    yield pricing
    for sandbox in sandboxes:
        sandbox.close()


HUNG = ["a1", "a2", "a3", "a4"]
HEALTHY = [f"b{number}" for number in range(20)]


@pytest.mark.parametrize(("lanes", "wall"), [
    (4, 6.0),
    pytest.param(1, 8.0, marks=pytest.mark.slow),
    pytest.param(2, 8.0, marks=pytest.mark.slow),
])
def test_i8_b10_healthy_scopes_of_a_batch_are_recorded_before_the_hanging_ones_end(sqlite, scripted, lanes, wall):
    bench = Bench(sqlite, [*HUNG, *HEALTHY], hours=1)
    bench.rate = scripted(HANGING, lanes, wall_seconds=wall)
    bench.worker().discover()
    bench.ledger = times = Timed(bench)
    bench.worker().cycle()

    assert set(times.recorded) == set(HEALTHY)
    assert max(times.recorded.values()) < 0.8 * wall
    states = bench.states()
    assert {name for name, state in states.items() if state.error is not None} == set(HUNG)
    for name in HUNG:
        assert states[name].error_kind == RATING
        assert f"script 'night': it ran longer than {wall:g} seconds" in states[name].error
    assert bench.sums() == {(): (Decimal(4 * len(HEALTHY)), 2 * len(HEALTHY))}


def test_i8_b10_side_by_side_comes_to_what_one_after_the_other_comes_to(sqlite, scripted):
    text = ("for points in data['usage'].values():\n    for point in points:\n"
            "        point['rating']['price'] = point['vol']['qty'] / 7\n")
    bench = Bench(sqlite, [f"s{number}" for number in range(30)], hours=3)
    bench.rate = scripted(text, 4)
    bench.worker().drain()
    price = sum(((hour / 7).quantize(Decimal("1E-12")) for hour in map(Decimal, (1, 2, 3))), Decimal(0))
    assert bench.sums("project_id") == {(name,): (2 * price, 6) for name in bench.dues()}
    assert set(bench.dues().values()) == {MONTH + 3 * HOUR}


@pytest.mark.slow
def test_i8_b10_told_to_stop_a_worker_does_not_wait_for_hanging_scripts(sqlite, scripted):
    bench = Bench(sqlite, [*HUNG, *HEALTHY], hours=1)
    bench.rate = scripted(HANGING, 2, wall_seconds=60.0)
    Timer(5, bench.stop.set).start()
    begun = monotonic()
    bench.worker().run()
    assert monotonic() - begun < 12
    assert {name for name, due in bench.dues().items() if due == MONTH + HOUR} == set(HEALTHY)
    assert {bench.states()[name].error for name in HUNG} == {None}
