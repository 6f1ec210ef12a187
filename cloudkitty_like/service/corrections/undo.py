"""Undoing a task: where its revision still counts, the content before it comes back, as a new revision."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, revisions, writes
from cloudkitty_like.db.ledger.revisions import TaskRevision
from cloudkitty_like.db.ledger.rollup import read_totals
from cloudkitty_like.db.ledger.writes import CurrentFrame
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.errors import Conflict, Error, Invalid
from cloudkitty_like.domain.frame import digest
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import Task
from cloudkitty_like.service.corrections.publisher import (
    CorrectionPublisher,
    RevisionContent,
    TaskResult,
)
from cloudkitty_like.service.ledger.revision_reader import RevisionReader
from cloudkitty_like.service.ledger.writer import totals_of

RevisionTotals = Mapping[int, Mapping[tuple[str, str], Amounts]]


class UndoPublisher:
    """Works off tasks that undo others, period by period."""

    def __init__(self, database: Database, kept: RevisionReader, corrections: CorrectionPublisher) -> None:
        self._database, self._kept, self._corrections = database, kept, corrections

    def undo(self, period: Period, tasks: Sequence[Task]) -> dict[int, Error]:
        """Do so in one period, for one task at most of each scope; by id those that could not be, and why.

        A period that somebody else has changed since, or whose former points
        are forgotten, is left as it is, and counted.  Conflict where somebody
        else changes one of them at this moment.
        """
        undone_tasks = {task.scope_id: task.undoes for task in tasks if task.undoes is not None}
        with self._database.read() as tx:
            current = writes.current(tx, undone_tasks, period)
            task_revisions = revisions.task_revisions(tx, period, undone_tasks)
            old = {revision.former.revision: revision.former for revision in task_revisions.values()
                   if _can(revision) and revision.former is not None}
            totals = read_totals(tx, old)
            filled = holes.filled(tx, {scope_id: revision.change
                                       for scope_id, revision in task_revisions.items()}, period)
        contents = self._contents(period, {
            task.scope: old[revision.former.revision] for task in tasks
            if (revision := task_revisions.get(task.scope_id)) and revision.former
            and revision.former.revision in old})
        results: list[TaskResult] = []
        failed: dict[int, Error] = {}
        for task in tasks:
            revision = task_revisions.get(task.scope_id)
            content = None
            if revision is not None and _can(revision):
                content = (contents[task.scope] if revision.former
                           else _nothing(revision.current.ruleset))
                if revision.former and content.totals != totals.get(revision.former.revision, {}):
                    failed[task.id] = Invalid("the storage does not have revision "
                                              f"{revision.former.revision} any more")
                    continue
            results.append(TaskResult(task, current.get(task.scope_id), content,
                                      left_alone=revision is not None and not _can(revision),
                                      unrated=content is not None and task.scope_id in filled))
        self._publish(period, results, failed)
        return failed

    def _contents(self, period: Period, old: Mapping[str, CurrentFrame]) -> dict[str, RevisionContent]:
        """What these revisions hold, by scope."""
        numbers = {scope: frame.revision for scope, frame in old.items()}
        rated, collected = self._kept.rated(period, numbers), self._kept.collected(numbers)
        with self._database.read() as tx:
            if revisions.forgotten(tx, period.begin, numbers.values()):        # marked before they go
                raise Conflict(f"points of {period} were forgotten meanwhile")
        return {scope: RevisionContent(rated[scope], collected.get(scope), frame.ruleset,
                                       frame.digest, totals_of(rated[scope]))
                for scope, frame in old.items()}

    def _publish(self, period: Period, results: Sequence[TaskResult], failed: dict[int, Error]) -> None:
        """Together; where that is Invalid in halves, until what fails is single tasks."""
        if not results:
            return
        try:
            self._corrections.publish(period, results)
        except Invalid as error:
            if len(results) == 1:
                failed[results[0].task.id] = error
                return
            middle = len(results) // 2
            self._publish(period, results[:middle], failed)
            self._publish(period, results[middle:], failed)


def _can(revision: TaskRevision) -> bool:
    return revision.stands and not (revision.former and revision.former.forgotten)


def _nothing(ruleset: int) -> RevisionContent:
    """Of a period that was not rated before: no points, which says nothing about usage."""
    return RevisionContent((), None, ruleset, digest(()), {})
