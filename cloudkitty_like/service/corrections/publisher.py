"""Correcting the past: what a task makes of a period supersedes what was there, in one transaction with its progress.

Nothing is overwritten.  Whoever has read something that does not hold any more,
another revision or another progress, gets a Conflict and looks again.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from cloudkitty_like.db import acceptances
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, writes
from cloudkitty_like.db.ledger import tasks as task_rows
from cloudkitty_like.db.ledger.rollup import read_totals
from cloudkitty_like.db.ledger.tasks import TaskStep
from cloudkitty_like.db.ledger.writes import CurrentFrame
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.frame import Frame, digest
from cloudkitty_like.domain.hole import SKIPPED
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import UNDO, MetricUnit, Task, TaskTotals
from cloudkitty_like.ports import Addition, Storage
from cloudkitty_like.service.ledger.publication import RevisionPublication
from cloudkitty_like.service.ledger.writer import RatedPeriod, totals_of

CAUSES = {UNDO: "undo"}
REPROCESS = "reprocess"
MetricAmounts = Mapping[MetricUnit, Amounts]


@dataclass(frozen=True, slots=True)
class RevisionContent:
    """What a revision is to hold."""

    frames: Sequence[Frame]
    collected: Sequence[Frame] | None  # where the rated rows are not those that were collected
    ruleset: int
    digest: bytes
    totals: dict[MetricUnit, Amounts]

    @property
    def points(self) -> int:
        return sum(map(len, self.frames))


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What is to become of one period of a task."""

    task: Task
    current: CurrentFrame | None          # what is believed to count now
    content: RevisionContent | None            # None: it stays
    left_alone: bool = False
    unrated: bool = False              # the content says nothing about usage: the period is to be a hole


class CorrectionPublisher:
    """Publishes the results of tasks.  Safe beside any number of other writers, live rating among them."""

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._database, self._storage, self._clock = database, storage, clock
        self._revisions = RevisionPublication(database, storage, clock)

    def publish(self, period: Period, results: Sequence[TaskResult]) -> None:
        """Make these contents current and move the tasks on, all or nothing.

        Conflict where a task, its scope's progress or a current revision is
        not what it was believed to be; ReplacedDefinitions where a content was measured
        by metric definitions that hold no more; Invalid where a total is out of range.
        """
        changed = [result for result in results if result.content is not None]
        if not changed:
            self._database.transact(lambda tx: self._unchanged(tx, period, results))
            return
        block, first = self._revisions.allocate(len(changed))
        numbered = list(enumerate(changed, first))
        self._revisions.store(
            block, [Addition(revision, result.task.scope, period, result.content.frames, result.content.collected)
                    for revision, result in numbered if result.content is not None],
            lambda tx: self._publish(tx, period, results, numbered))

    def _unchanged(self, tx: Connection, period: Period, results: Sequence[TaskResult]) -> None:
        writes.serialise(tx)
        self._advance(tx, period, results)

    def _publish(self, tx: Connection, period: Period, results: Sequence[TaskResult],
                 numbered: Sequence[tuple[int, TaskResult]]) -> None:
        self._advance(tx, period, results)
        # What an undo brings back was measured by the definitions of its own time.
        acceptances.require(tx, {result.content.ruleset for result in results
                                 if result.content is not None and result.task.kind != UNDO})
        for (author, reason, cause, _), group in groupby(sorted(numbered, key=_request), _request):
            numbered_results = list(group)
            change = writes.open_tx(tx, at=self._clock(), author=author, cause=cause, reason=reason)
            writes.publish(tx, change, list(_publications(period, numbered_results)))
            self._fill(tx, change, period, [result for _, result in numbered_results])

    def _fill(self, tx: Connection, change: int, period: Period, results: Sequence[TaskResult]) -> None:
        """What is rated is no hole any more; what is undone to one is one again."""
        holes.close(tx, change, [(result.task.scope_id, period) for result in results])
        holes.leave(tx, change, SKIPPED, [(result.task.scope_id, period) for result in results if result.unrated])

    def _advance(self, tx: Connection, period: Period, results: Sequence[TaskResult]) -> None:
        tasks = [result.task for result in results]
        if task_rows.stale_scopes(tx, period.begin, period.end, tasks):
            raise Conflict("a task, or the progress of its scope, was moved by somebody else meanwhile")
        current = writes.current(tx, [task.scope_id for task in tasks], period)
        if any(current.get(result.task.scope_id) != result.current for result in results):
            raise Conflict("a frame was superseded by somebody else meanwhile")
        task_rows.advance(tx, period.begin, [
            TaskStep(result.task, period.end, result.content is not None, result.left_alone) for result in results],
            self._clock())
        before = read_totals(tx, [frame.revision for frame in current.values()])
        task_rows.add_totals(tx, {
            result.task.id: TaskTotals(was, was if result.content is None else result.content.totals)
            for result in results for was in [before.get(result.current.revision, {}) if result.current else {}]})


def _request(numbered: tuple[int, TaskResult]) -> tuple[str, str, str, datetime]:
    """What one change of the ledger has in common: who wants it, why, and since when."""
    task = numbered[1].task
    return task.author, task.reason, CAUSES.get(task.kind, REPROCESS), task.created_at


def _publications(period: Period,
                  numbered: Iterable[tuple[int, TaskResult]]) -> Iterable[writes.Publication]:
    for revision, result in numbered:
        content = result.content
        if content is not None:
            yield writes.Publication(
                revision, result.task.scope_id, period, result.current.revision if result.current else None,
                content.ruleset, content.digest, content.points, content.totals, task=result.task.id)


class TaskRecorder:
    """Where rated frames go that are made for tasks, one task for each scope (by scope id): as to the ledger."""

    def __init__(self, database: Database, corrections: CorrectionPublisher, tasks: Mapping[int, Task]) -> None:
        self._database, self._corrections, self._tasks = database, corrections, tasks

    def record(self, batch: Sequence[RatedPeriod], ruleset: int) -> None:
        """Publish what differs, in content or rule-set version, from what is current, and what fills a hole.

        All of one period.
        """
        if not batch:
            return
        period = batch[0].period
        with self._database.read() as tx:
            current = writes.current(tx, [rated.state.id for rated in batch], period)
            missing = holes.missing(tx, [rated.state.id for rated in batch], period)
        results = []
        for rated in batch:
            frame, new_digest = current.get(rated.state.id), digest(rated.frames)
            content = None
            if (frame is None or (frame.digest, frame.ruleset) != (new_digest, ruleset)
                or rated.state.id in missing):
                content = RevisionContent(rated.frames, rated.collected, ruleset, new_digest,
                                          totals_of(rated.frames))
            results.append(TaskResult(self._tasks[rated.state.id], frame, content))
        self._corrections.publish(period, results)

    def stale_scopes(self, batch: Sequence[RatedPeriod]) -> set[int]:
        """The ids of those scopes whose task somebody else has moved, or ended, or whose live rating is due there."""
        period = batch[0].period
        with self._database.read() as tx:
            return task_rows.stale_scopes(tx, period.begin, period.end,
                                          [self._tasks[rated.state.id] for rated in batch])
