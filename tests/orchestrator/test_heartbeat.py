"""What a worker says about itself."""
from __future__ import annotations

import os
import socket

from cloudkitty_like.db import workers
from tests.orchestrator.worker import HOUR, MONTH, Bench


def row(database):
    with database.read() as tx:
        found = workers.everyone(tx)
    assert len(found) == 1
    return found[0]


def test_a_heartbeat_says_who_does_what_since_when_and_how_much_was_done(database):
    bench = Bench(database)
    worker = bench.worker()
    with worker.heartbeat:
        first = row(database)
        assert (first.host, first.pid, first.doing) == (socket.gethostname(), os.getpid(),
                                                        "starting")
        assert (first.periods, first.points, first.requests, first.stages) == (0, 0, 0, {})
        assert first.started_at == first.seen_at == first.since == MONTH + 5 * HOUR
        worker.drain()
        bench.now += HOUR
        worker.heartbeat.beat()
        second = row(database)
        assert second.id == first.id
        assert (second.periods, second.points, second.requests) == (10, 20, 10)
        assert second.seen_at == MONTH + 6 * HOUR
        assert second.since == MONTH + 5 * HOUR
        assert second.doing.startswith("rating 2 scopes from 2026-11-01T04:00:00Z")
        assert set(second.stages) == {"collect", "rate", "record"}
        assert all(wall >= 0 and cpu >= 0 for wall, cpu in second.stages.values())
        assert second.stages["record"][0] > 0
    with database.read() as tx:
        assert workers.everyone(tx) == []


def test_what_it_does_may_be_long(sqlite):
    bench = Bench(sqlite)
    with bench.worker().heartbeat as heartbeat:
        heartbeat.set_activity("waiting: " + "x" * 1000)
        heartbeat.beat()
        assert len(row(sqlite).doing) <= 255
