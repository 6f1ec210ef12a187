"""The queue of tasks: what workers see of it."""
from __future__ import annotations

from datetime import timedelta

from cloudkitty_like.domain.scope_state import RATING, SOURCE
from cloudkitty_like.domain.task import TaskFailure
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from tests.orchestrator.worker import HOUR, MONTH, Bench


def test_a_task_waits_for_its_turn_its_source_or_other_rules(database):
    bench = Bench(database)
    bench.worker().drain()
    desk = CorrectionTasks(database, bench.clock, HOUR)
    first, second = desk.ask(["ALL"], MONTH, MONTH + HOUR, author="ann", reason="why")
    assert [task.id for task, _ in bench.tasks.workable(1)] == [first, second]
    assert {state.identifier for _, state in bench.tasks.workable(1)} == {"alice", "bob"}
    bench.tasks.fail([
        TaskFailure(first, MONTH, SOURCE, "no answer", bench.now + HOUR),
        TaskFailure(second, MONTH, RATING, "a rule is wrong", None, 1)])
    assert bench.tasks.workable(1) == []
    assert [task.id for task, _ in bench.tasks.workable(2)] == [second]
    assert sorted(bench.tasks.errors()) == ["a rule is wrong", "no answer"]


def test_a_failure_of_a_period_that_the_task_has_left_is_not_recorded(sqlite):
    bench = Bench(sqlite)
    bench.worker().drain()
    (task, _) = CorrectionTasks(sqlite, bench.clock, HOUR).ask(
        ["ALL"], MONTH, MONTH + HOUR, author="ann", reason="why")
    bench.tasks.fail([TaskFailure(task, MONTH + timedelta(days=1), SOURCE, "no answer", None)])
    assert bench.tasks.errors() == []
