"""Working off tasks that correct the past: period by period, many scopes at once, behind live rating."""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic

from cloudkitty_like.domain.errors import Conflict, Error, Invalid
from cloudkitty_like.domain.expression import Predicate
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.scope_state import RATING, SOURCE, ScopeState
from cloudkitty_like.domain.task import FROM_LEDGER, UNDO, Task
from cloudkitty_like.domain.text import counted
from cloudkitty_like.orchestrator.batches import Batch, CorrectionBudget
from cloudkitty_like.orchestrator.collection import CollectedUsage, UsageCollector
from cloudkitty_like.orchestrator.failures import FailureLog
from cloudkitty_like.orchestrator.gaps import Gaps
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.service.corrections.queue import TaskQueue
from cloudkitty_like.service.corrections.revision_store import RevisionStore
from cloudkitty_like.service.ledger.holes import Holes

LOG = logging.getLogger(__name__)
TaskBacklog = dict[int, tuple[Task, ScopeState]]
"""Tasks by id, each with its scope, in the order in which they were made."""


@dataclass
class _Outcome:
    """What became of one period of some tasks, by id."""

    recorded: set[int] = field(default_factory=set)
    stale: set[int] = field(default_factory=set)
    failed: list[tuple[Task, str, Error]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaskRunner:
    """Works off tasks.

    ``skip`` says, by metric, which rated points to drop; ``set_activity`` is told what is done.
    """

    tasks: TaskQueue
    revisions: RevisionStore
    holes: Holes
    usage_collector: UsageCollector
    skip: Mapping[str, Predicate]
    stages: StageTimings
    failures: FailureLog
    gaps: Gaps
    set_activity: Callable[[str], None]
    stop: threading.Event
    length: timedelta                          # of a period
    most: int                                  # scopes in a batch

    def work(self, budget: CorrectionBudget) -> tuple[int, int]:
        """One period of the oldest tasks, and more of them while there is time and nothing live is due.

        How many scopes' periods were worked off, and how many are left for
        the moment because other workers are at them.  Raises WorkerStop.
        """
        workable = self.tasks.workable(budget.ruleset)
        waiting: TaskBacklog = {task.id: (task, state) for task, state in workable if budget.mine(state.shard_hash)}
        recorded, left = 0, len(workable) - len(waiting)
        while waiting and not self.stop.is_set():
            batch = _next(waiting, self.most)
            period = Period.starting(batch[0][0].next, self.length)
            outcome = self._period(period, batch, budget)
            recorded, left = recorded + len(outcome.recorded), left + len(outcome.stale)
            if outcome.recorded:
                budget.progressed(period, len(outcome.recorded))
            for task, state in batch:
                moved = replace(task, due=period.end, failures=0)
                goes_on = task.id in outcome.recorded and period.end < task.period.end
                if goes_on and state.due is not None and period.end < state.due:
                    waiting[task.id] = moved, state
                else:
                    del waiting[task.id]
            if monotonic() > budget.ends or budget.live():
                break
        return recorded, left

    def _period(self, period: Period, batch: Sequence[tuple[Task, ScopeState]], budget: CorrectionBudget) -> _Outcome:
        tasks = [task for task, _ in batch]
        kind = tasks[0].kind
        self.set_activity(f"{'undoing' if kind == UNDO else 'rating again'} {counted(len(batch), 'scope')} "
                          f"from {instant(period.begin)}")
        if kind == UNDO:
            outcome = self._undone(period, tasks)
        elif kind == FROM_LEDGER:
            outcome = self._from_ledger(period, batch, budget)
        else:
            outcome = self._from_source(period, batch, budget)
        self.failures.keep_of_tasks(outcome.failed, budget.ruleset)
        self.failures.over_of_tasks(task for task in tasks if task.id in outcome.recorded)
        return outcome

    def _undone(self, period: Period, tasks: Sequence[Task]) -> _Outcome:
        try:
            failed = self.revisions.undo(period, tasks)
        except Conflict as error:
            LOG.info("undoing %d tasks in %s: %s; looking again", len(tasks), period, error)
            return _Outcome(stale={task.id for task in tasks})
        return _Outcome({task.id for task in tasks if task.id not in failed},
                        failed=[(task, RATING, failed[task.id]) for task in tasks if task.id in failed])

    def _from_source(self, period: Period, batch: Sequence[tuple[Task, ScopeState]],
                     budget: CorrectionBudget) -> _Outcome:
        names = {state.identifier for _, state in batch}
        usage = self.usage_collector.usage(period, sorted(names),
                                           [name for name in budget.everybody if name not in names])
        accepted = self.holes.accepted(period) if usage.unproven else set()
        return self._rated(period, batch, usage, accepted, budget)

    def _from_ledger(self, period: Period, batch: Sequence[tuple[Task, ScopeState]],
                     budget: CorrectionBudget) -> _Outcome:
        """From what the current revisions were rated from; where there is none nothing is to be done."""
        current = self.revisions.rated([state.id for _, state in batch], period)
        nothing = [task for task, state in batch if state.id not in current]
        current_frames = {state.identifier: current[state.id]
                          for _, state in batch if state.id in current}
        gone = Invalid(f"the points of {period} are no longer kept: its quantities can only be had from the source")
        try:
            frames = self.revisions.quantities(
                period, {name: frame.revision for name, frame in current_frames.items()
                         if not frame.forgotten})
        except Conflict as error:
            LOG.info("%s; looking again", error)
            return _Outcome(stale={task.id for task, _ in batch})
        usage = CollectedUsage(
            {name: list(scope_frames) for name, scope_frames in frames.items()},
            {name: gone for name, frame in current_frames.items() if frame.forgotten})
        outcome = self._rated(period, [pair for pair in batch if pair[1].id in current], usage,
                              set(), budget)
        self._pass(period, nothing, outcome)
        return outcome

    def _pass(self, period: Period, tasks: Sequence[Task], outcome: _Outcome) -> None:
        """Tasks that have nothing to do in a period go on to the next."""
        if not tasks:
            return
        try:
            self.revisions.advance(period, tasks)
            outcome.recorded |= {task.id for task in tasks}
        except Conflict:
            outcome.stale |= {task.id for task in tasks}

    def _rated(self, period: Period, batch: Sequence[tuple[Task, ScopeState]], usage: CollectedUsage,
               accepted: Collection[int | None], budget: CorrectionBudget) -> _Outcome:
        """Rate and publish by the very way of live rating, but under the tasks."""
        tasks = {state.id: task for task, state in batch}
        recorder = self.revisions.recorder(tasks)
        done = BatchRating(recorder, self.skip, self.stages, self.stop).process(
            Batch(period, tuple(state for _, state in batch)), usage, accepted, budget.rate, budget.ruleset)
        outcome = _Outcome({tasks[number].id for number in done.recorded},
                           {tasks[number].id for number in done.stale},
                           [(tasks[state.id], kind, error) for state, kind, error in done.failed])
        self._silent(period, done.silent, tasks, outcome)
        return outcome

    def _silent(self, period: Period, silent: Sequence[ScopeState], tasks: Mapping[int, Task],
                outcome: _Outcome) -> None:
        """What the source was not alive to tell: a hole stays one, and the task goes on; else the task waits."""
        if not silent:
            return
        missing = self.holes.missing([state.id for state in silent], period)
        self._pass(period, [tasks[number] for number in sorted(missing)], outcome)
        waiting = [state for state in silent if state.id not in missing]
        if waiting:
            error = self.gaps.error(period, [state.identifier for state in waiting])
            outcome.failed += [(tasks[state.id], SOURCE, error) for state in waiting]


def _next(waiting: TaskBacklog, most: int) -> list[tuple[Task, ScopeState]]:
    """The oldest task, and those that have the same to do in the same period."""
    first = next(iter(waiting.values()))[0]
    return [(task, state) for task, state in waiting.values()
            if (task.next, task.kind) == (first.next, first.kind)][:most]
