"""The state of a worker."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, WorkerState

NOW = datetime(2026, 11, 1, tzinfo=UTC)
STATE = WorkerState(
    id="host:7:1", host="host", pid=7, started_at=NOW, seen_at=NOW, doing="waiting", since=NOW,
    periods=0, points=0, requests=0, failures=0, stages={})


def test_a_worker_is_alive_as_long_as_it_was_seen_lately():
    assert STATE.alive(NOW + ALIVE_WITHIN)
    assert not STATE.alive(NOW + ALIVE_WITHIN + timedelta(seconds=1))


def test_messages_name_its_host_and_process():
    assert STATE.place == "host:7"
