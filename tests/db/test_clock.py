"""A clock that is set back keeps nothing waiting."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudkitty_like.db import scopes, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.domain.scope_state import SOURCE, ScopeFailure
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, WorkerState

NOW = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def due(database: Database, now: datetime) -> list[str]:
    with database.read() as tx:
        return [state.identifier for state in scopes.due(tx, now, length=HOUR, wait_periods=0, ruleset=1)]


def test_i8_shows3_a_failure_of_the_future_pauses_nothing_when_the_clock_is_set_back(database: Database) -> None:
    with database.write() as tx:
        scopes.register(tx, [Scope("alice", "project_id", "finder", "reader")], NOW)
        number = scopes.named(tx, ["alice"])[0].id
        begin = NOW.replace(minute=0) - 3 * HOUR
        scopes.start(tx, {begin: [number]})
        scopes.fail(tx, [ScopeFailure(number, begin, SOURCE, "down", NOW + DAY + 30 * SECOND)], NOW + DAY)
    assert due(database, NOW + DAY + SECOND) == []         # its pause, as long as the clock goes on
    assert due(database, NOW + DAY + 30 * SECOND) == ["alice"]
    assert due(database, NOW) == ["alice"]


def test_i8_shows3_a_worker_seen_in_the_future_is_not_counted_on(database: Database) -> None:
    with database.write() as tx:
        workers.beat(tx, WorkerState("one", "host", 1, NOW, NOW + DAY, "rating", NOW, 0, 0, 0, 0, {}))
        assert workers.alive(tx, NOW + DAY, ALIVE_WITHIN) == 1
        assert workers.alive(tx, NOW, ALIVE_WITHIN) == 0
