"""The progress of scopes, as workers move it."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.domain.scope_state import RATING, SOURCE, ScopeFailure
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.scopes import Scopes

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def progress(database):
    Scopes(database, lambda: BEGIN, HOUR).register(
        ["alice", "bob"], key="project_id", fetcher="source", collector="prometheus")
    return ScopeProgress(database, lambda: BEGIN + 3 * HOUR, HOUR, 1)


def due(progress, ruleset=1):
    scopes = progress.due(ruleset)
    assert set(scopes.identifiers) == {"alice", "bob"}
    return {state.identifier: state for state in scopes.due}


def test_a_period_is_due_when_it_and_those_to_wait_for_are_over(progress):
    states = due(progress)
    assert {state.due for state in states.values()} == {None}
    progress.start({BEGIN + HOUR: [states["alice"].id], BEGIN + 2 * HOUR: [states["bob"].id]})
    assert list(due(progress)) == ["alice"]
    assert set(progress.identifiers()) == {"alice", "bob"}


def test_a_scope_that_failed_waits_and_a_parked_one_waits_for_other_rules(progress):
    states = due(progress)
    progress.start({BEGIN: [state.id for state in states.values()]})
    progress.fail([
        ScopeFailure(states["alice"].id, BEGIN, SOURCE, "no answer", BEGIN + 4 * HOUR),
        ScopeFailure(states["bob"].id, BEGIN, RATING, "a rule is wrong", None, 1)])
    assert due(progress) == {}
    assert list(due(progress, ruleset=2)) == ["bob"]
    assert sorted(progress.errors()) == ["a rule is wrong", "no answer"]


def test_what_failed_elsewhere_is_not_recorded(progress):
    states = due(progress)
    progress.start({BEGIN: [states["alice"].id]})
    progress.fail([ScopeFailure(states["alice"].id, BEGIN - HOUR, SOURCE, "no answer", None)])
    assert progress.errors() == []


def test_where_the_source_ends_is_recorded_and_forgotten(progress):
    assert progress.source_ends() is None
    progress.record_source_ends(BEGIN)
    assert progress.source_ends() == BEGIN
    progress.record_source_ends(None)
    assert progress.source_ends() is None
