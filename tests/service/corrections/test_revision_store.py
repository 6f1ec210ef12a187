"""Corrections read current revisions, move tasks on, and publish under tasks."""
from __future__ import annotations

import pytest

from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.period import Period
from cloudkitty_like.service.corrections.revision_store import RevisionStore
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from tests.orchestrator.worker import HOUR, MONTH, Bench

PERIOD = Period(MONTH, MONTH + HOUR)


@pytest.fixture
def bench(database):
    bench = Bench(database)
    bench.worker().drain()
    return bench


@pytest.fixture
def store(bench):
    return RevisionStore(bench.database, bench.storage, bench.clock)


def asked(bench):
    (number,) = CorrectionTasks(bench.database, bench.clock, HOUR).ask(
        ["alice"], MONTH, MONTH + HOUR, author="ann", reason="why")
    (task, state), = bench.tasks.workable(1)
    assert task.id == number
    return task, state


def test_quantities_are_those_that_the_current_revision_was_rated_from(bench, store):
    state = bench.states()["alice"]
    current = store.rated([state.id], PERIOD)[state.id]
    frames = store.quantities(PERIOD, {"alice": current.revision})["alice"]
    assert {(frame.metric, len(frame), frame.unpriced) for frame in frames} == {
        ("cpu", 1, 1), ("ram", 1, 1)}


def test_a_period_that_was_not_rated_has_no_revision(bench, store):
    late = Period(bench.now, bench.now + HOUR)
    assert store.rated([state.id for state in bench.states().values()], late) == {}


def test_a_task_with_nothing_to_change_goes_on_and_only_once(bench, store):
    task, _ = asked(bench)
    store.advance(PERIOD, [task])
    (moved, _), = bench.tasks.workable(1)
    assert (moved.next, moved.changed) == (MONTH + HOUR, 0)
    with pytest.raises(Conflict):
        store.advance(PERIOD, [task])
