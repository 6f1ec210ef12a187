"""How corrections read and write revisions of the past: one object for a worker."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, writes
from cloudkitty_like.db.ledger.writes import CurrentFrame
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import Task
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.corrections.publisher import (
    CorrectionPublisher,
    TaskRecorder,
    TaskResult,
)
from cloudkitty_like.service.corrections.undo import UndoPublisher
from cloudkitty_like.service.ledger.revision_reader import RevisionReader


class RevisionStore:
    """Reads the current revisions of a period, publishes those of tasks, and undoes tasks."""

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._publisher = CorrectionPublisher(database, storage, clock)
        self._reader = RevisionReader(database, storage)
        self._undo = UndoPublisher(database, self._reader, self._publisher)

    def rated(self, scope_ids: Sequence[int], period: Period) -> dict[int, CurrentFrame]:
        """The current revisions of a period that say something about usage, by scope id.

        A revision that an undo left as a hole is not among them.
        """
        with self._database.read() as tx:
            current = writes.current(tx, scope_ids, period)
            for scope_id in holes.missing(tx, current, period):
                del current[scope_id]
            return current

    def quantities(self, period: Period,
                   revisions: Mapping[str, int]) -> dict[str, Sequence[Frame]]:
        """The frames, without prices, that these revisions were rated from; both by scope.

        :raises Conflict: when their points are being forgotten.
        """
        return self._reader.quantities(period, revisions)

    def recorder(self, tasks: Mapping[int, Task]) -> TaskRecorder:
        """What publishes rated frames under these tasks, given by scope id."""
        return TaskRecorder(self._database, self._publisher, tasks)

    def advance(self, period: Period, tasks: Sequence[Task]) -> None:
        """Move tasks on that have nothing to change in the period.

        :raises Conflict: when another worker has moved one of them.
        """
        with self._database.read() as tx:
            current = writes.current(tx, [task.scope_id for task in tasks], period)
        self._publisher.publish(
            period, [TaskResult(task, current.get(task.scope_id), None) for task in tasks])

    def undo(self, period: Period, tasks: Sequence[Task]) -> dict[int, Error]:
        """Undo one period for at most one task of each scope; the error of each task that failed, by id.

        :raises Conflict: when somebody else changes one of the periods at this moment.
        """
        return self._undo.undo(period, tasks)
