"""The queue of tasks that correct the past, as workers see it: what can be worked off, and what failed."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import tasks
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.task import Task, TaskFailure


@dataclass(frozen=True)
class TaskQueue:
    """Tasks wait here behind live rating, in the order in which they were made."""

    database: Database
    clock: Callable[[], datetime]

    def workable(self, ruleset: int) -> list[tuple[Task, ScopeState]]:
        """The tasks with a period that can be worked off now, each with its scope.

        A task that was parked under the rule-set version ``ruleset`` is not among them.
        """
        with self.database.read() as tx:
            return tasks.workable(tx, self.clock(), ruleset)

    def fail(self, failures: Sequence[TaskFailure]) -> None:
        """Record what went wrong with tasks; their progress stays where it is."""
        self.database.transact(lambda tx: tasks.fail(tx, failures, self.clock()))

    def errors(self) -> list[str]:
        """The errors of the tasks that have not ended."""
        with self.database.read() as tx:
            return [task.error for task in tasks.everything(tx, waiting=True)
                    if task.error is not None]
