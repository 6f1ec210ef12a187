"""Undoing a task: where its revision still counts, the content before it comes back, as a new revision."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, revisions
from cloudkitty_like.db.ledger import writes as index
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
        wanted = {task.scope_id: task.undoes for task in tasks if task.undoes is not None}
        with self._database.read() as tx:
            current = index.current(tx, wanted, period)
            made = revisions.task_revisions(tx, period, wanted)
            old = {one.former.revision: one.former for one in made.values() if _can(one) and one.former is not None}
            totals = read_totals(tx, old)
            filled = holes.filled(tx, {scope_id: one.change for scope_id, one in made.items()}, period)
        contents = self._contents(period, {task.scope: old[one.former.revision] for task in tasks
                                           if (one := made.get(task.scope_id)) and one.former
                                           and one.former.revision in old})
        results: list[TaskResult] = []
        failed: dict[int, Error] = {}
        for task in tasks:
            one = made.get(task.scope_id)
            content = None
            if one is not None and _can(one):
                content = contents[task.scope] if one.former else _nothing(one.current.ruleset)
                if one.former and content.totals != totals.get(one.former.revision, {}):
                    failed[task.id] = Invalid(f"the storage does not have revision {one.former.revision} any more")
                    continue
            results.append(TaskResult(task, current.get(task.scope_id), content,
                                  left_alone=one is not None and not _can(one),
                                  unrated=content is not None and task.scope_id in filled))
        self._publish(period, results, failed)
        return failed

    def _contents(self, period: Period, old: Mapping[str, CurrentFrame]) -> dict[str, RevisionContent]:
        """What these revisions hold, by scope."""
        numbers = {scope: found.revision for scope, found in old.items()}
        rated, collected = self._kept.rated(period, numbers), self._kept.collected(numbers)
        with self._database.read() as tx:
            if revisions.forgotten(tx, period.begin, numbers.values()):        # marked before they go
                raise Conflict(f"points of {period} were forgotten meanwhile")
        return {scope: RevisionContent(rated[scope], collected.get(scope), found.ruleset, found.digest,
                               totals_of(rated[scope]))
                for scope, found in old.items()}

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


def _can(made: TaskRevision) -> bool:
    return made.stands and not (made.former and made.former.forgotten)


def _nothing(ruleset: int) -> RevisionContent:
    """Of a period that was not rated before: no points, which says nothing about usage."""
    return RevisionContent((), None, ruleset, digest(()), {})
