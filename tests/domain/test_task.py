"""The state of a task, and how far it is."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import FROM_SOURCE, OPEN, Task

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
NEW = Task(
    id=1, scope_id=1, scope="alice", period=Period(BEGIN, BEGIN + 3 * HOUR), reason="why",
    author="ann", created_at=BEGIN, due=None, ended_at=None, kind=FROM_SOURCE, undoes=None,
    cancelled_by=None, changed=0, left_alone=0, failures=0, error=None, error_at=None,
    retry_at=None, parked_ruleset=None)


@pytest.mark.parametrize(("changed", "state"), [
    ({}, "waiting"),
    ({"due": BEGIN + HOUR}, "running"),
    ({"due": BEGIN + HOUR, "error": "no answer"}, "failing"),
    ({"error": "a rule is wrong", "parked_ruleset": 4}, "parked"),
    ({"ended_at": BEGIN}, "done"),
    ({"ended_at": BEGIN, "cancelled_by": "ann"}, "cancelled")])
def test_its_state_follows_from_what_happened_to_it(changed, state):
    task = replace(NEW, **changed)
    assert task.state == state
    assert (state in OPEN) == (task.ended_at is None)


def test_it_has_done_the_periods_before_the_next_one():
    moved = replace(NEW, due=BEGIN + 2 * HOUR)
    assert [(task.next, task.done(HOUR)) for task in (NEW, moved)] == [
        (BEGIN, 0), (BEGIN + 2 * HOUR, 2)]
