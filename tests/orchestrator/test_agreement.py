"""What a worker may rate by, while it runs."""
from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from cloudkitty_like.db import workers
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, METRICS, WorkerState
from cloudkitty_like.orchestrator.agreement import Agreement
from cloudkitty_like.service.metrics.acceptance import (
    Acceptances,
    DefinitionsDiffer,
    DefinitionsHeld,
)
from cloudkitty_like.service.metrics.definitions import MetricsFile
from tests.orchestrator.worker import Bench


def file(text: str) -> MetricsFile:
    return MetricsFile((), f"metrics: {{{text}: {{unit: h}}}}\n", sha256(text.encode()).hexdigest())


class Desk:
    """A worker's agreement, with the file that its host has."""

    def __init__(self, bench: Bench, definitions: MetricsFile) -> None:
        self.bench, self.on_disk = bench, definitions
        self.acceptances = Acceptances(bench.database, bench.clock, "tester")
        self.agreement = Agreement(self.acceptances, bench.heartbeat, bench.clock, definitions, lambda: self.on_disk)

    def other(self, definitions: MetricsFile | None) -> None:
        """Another worker is at work by these; None: it has ended."""
        with self.bench.database.write() as tx:
            workers.leave(tx, "other:1:now", None, self.bench.now)
            if definitions is not None:
                workers.beat(tx, WorkerState("other:1:now", "other", 1, self.bench.now, self.bench.now, "",
                                             self.bench.now, 0, 0, 0, 0, {}, definitions.digest))


@pytest.fixture
def desk(sqlite):
    return Desk(Bench(sqlite), file("old"))


def test_i8_b8_a_worker_whose_file_becomes_the_accepted_one_goes_on(desk):
    assert not desk.agreement.settle()
    desk.acceptances.accept(file("new"), "agreed")
    with pytest.raises(DefinitionsDiffer, match="agreed"):
        desk.agreement.settle()
    desk.on_disk = file("something else")
    for _ in range(2):
        with pytest.raises(DefinitionsDiffer, match="agreed"):
            desk.agreement.settle()
    desk.on_disk = file("new")
    assert desk.agreement.settle()                     # what measures has to be made anew
    assert not desk.agreement.settle()
    assert desk.bench.heartbeat.metrics == file("new").digest


def test_i8_b8_a_worker_that_waits_takes_the_place_of_others_when_they_stay_away(desk):
    other = file("new")
    desk.acceptances.accept(other, "agreed")
    desk.agreement = Agreement(desk.acceptances, desk.bench.heartbeat, desk.bench.clock,
                               file("old"), lambda: desk.on_disk)
    desk.other(other)
    with pytest.raises(DefinitionsHeld, match="other:1"):
        desk.agreement.settle()
    desk.other(None)                                   # it is restarted
    with pytest.raises(DefinitionsDiffer, match="a moment ago"):
        desk.agreement.settle()
    desk.other(other)
    with pytest.raises(DefinitionsHeld):
        desk.agreement.settle()
    desk.other(None)
    desk.bench.now += ALIVE_WITHIN + timedelta(seconds=1)
    assert not desk.agreement.settle()
    current = desk.acceptances.current()
    assert current is not None
    assert current.digest == file("old").digest


def test_i8_b8_one_that_was_killed_keeps_its_successor_waiting_for_half_a_minute_and_no_longer(desk):
    other = file("new")
    desk.acceptances.accept(other, "agreed")
    desk.agreement = Agreement(desk.acceptances, desk.bench.heartbeat, desk.bench.clock,
                               file("old"), lambda: desk.on_disk)
    desk.other(other)
    desk.bench.now += ALIVE_WITHIN
    with pytest.raises(DefinitionsHeld):
        desk.agreement.settle()
    desk.bench.now += timedelta(seconds=1)
    assert not desk.agreement.settle()


def test_i8_b8_a_file_is_read_again_only_where_it_does_not_hold(desk):
    assert not desk.agreement.settle()
    desk.on_disk = file("new")                         # edited; it holds from the next start on
    assert not desk.agreement.settle()
    assert desk.bench.heartbeat.metrics == file("old").digest


def test_i8_b8_a_worker_that_waits_rates_nothing_and_says_so_once(desk, caplog):
    bench, refused = desk.bench, 0

    def refuse():
        nonlocal refused
        refused += 1
        if refused == 3:
            bench.stop.set()
        raise DefinitionsHeld("worker south:1 has other metric definitions than north:1", bench.now)

    worker = bench.worker()
    object.__setattr__(worker._deps, "renewed", refuse)
    worker.run()
    assert caplog.text.count("than north:1") == 1
    assert bench.collector.asked == []
    assert bench.heartbeat.blocked == METRICS
    with bench.database.read() as tx:
        (beat,) = workers.everyone(tx)
    assert beat.blocked == METRICS
    assert "north:1" in beat.doing
    bench.stop.clear()
    # where somebody waits for an end it is refused at once
    with pytest.raises(DefinitionsHeld):
        worker.drain()
