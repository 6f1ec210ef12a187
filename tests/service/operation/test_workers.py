"""Heartbeats are recorded, counted and forgotten."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, SOURCE, WorkerState
from cloudkitty_like.service.operation.workers import Workers, worker_overview

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATE = WorkerState(
    id="host:7:1", host="host", pid=7, started_at=NOW, seen_at=NOW, doing="waiting", since=NOW,
    periods=0, points=0, requests=0, failures=0, stages={}, blocked=SOURCE)


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def workers(database, clock):
    return Workers(database, clock)


def seen(workers):
    with workers.database.read() as tx:
        return worker_overview(tx, workers.clock(), HOUR, 0)


def test_a_worker_counts_while_it_gives_signs_of_life(workers, clock):
    workers.beat(STATE, daemon=True)
    assert workers.alive() == 1
    assert seen(workers).blocked(SOURCE) == [STATE]
    clock.now += ALIVE_WITHIN + timedelta(seconds=1)
    assert workers.alive() == 0
    assert seen(workers).lost == [STATE]


def test_a_worker_that_ends_is_not_lost_and_one_that_is_silent_is_forgotten(workers, clock):
    workers.beat(STATE)
    workers.beat(replace(STATE, id="host:8:1", pid=8))
    workers.leave("host:8:1", daemon=None)
    clock.now += HOUR
    assert [state.pid for state in seen(workers).lost] == [7]
    workers.sweep(2 * HOUR)
    assert len(seen(workers).lost) == 1
    workers.sweep(HOUR / 2)
    assert not seen(workers).lost
