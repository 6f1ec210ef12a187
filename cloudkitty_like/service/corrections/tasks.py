"""Asking for the past to be corrected: periods rated again, tasks cancelled, tasks undone.

The tasks wait in a queue; workers take them up behind live rating.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import retention, writes
from cloudkitty_like.db.ledger import tasks as task_rows
from cloudkitty_like.db.ledger.revisions import SkippedPeriod, skipped_periods
from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.task import FROM_LEDGER, FROM_SOURCE, UNDO, NewTask, Task, TaskTotals

ALL = "ALL"
QUANTITIES = (FROM_SOURCE, FROM_LEDGER)
"""Where a task takes quantities from: it asks the source again, or takes those that the ledger has kept."""


@dataclass(frozen=True)
class CorrectionTasks:
    """``length`` is that of the ledger's periods."""

    database: Database
    clock: Callable[[], datetime]
    length: timedelta

    # --- what there is -------------------------------------------------------------------------

    def tasks(self, identifiers: Collection[str] | None = None, *, waiting: bool = False) -> list[Task]:
        """All tasks, those of some scopes, or those that have not ended, in the order in which they were made."""
        with self.database.read() as tx:
            return task_rows.everything(tx, identifiers, waiting=waiting)

    def named(self, ids: Collection[int]) -> list[Task]:
        """These tasks, by id; NotFound naming every one that there is not."""
        with self.database.read() as tx:
            return list(_known(tx, ids).values())

    def totals(self, tasks: Sequence[Task]) -> dict[int, TaskTotals]:
        """By id, what the periods that these tasks have been through added up to, before and after."""
        with self.database.read() as tx:
            return task_rows.totals(tx, [task.id for task in tasks])

    def left_alone(self, task: Task) -> list[SkippedPeriod]:
        """The periods that a task which undoes another has left as they are, and why."""
        with self.database.read() as tx:
            return [] if task.undoes is None else skipped_periods(tx, task)

    # --- what can be asked for -----------------------------------------------------------------

    def ask(self, identifiers: Sequence[str], first: datetime, last: datetime, *, author: str, reason: str,
            quantities: str = FROM_SOURCE) -> list[int]:
        """One task for each scope, or none; ``ALL`` alone is every active scope.  Their ids, which follow each other.

        About the rating periods from the one that begins ``first`` to the one
        that begins ``last``.  Invalid, with every reason, where there are none
        such or they are not rated yet, a scope is unknown or switched off, a
        task of it about some of them is waiting already, or quantities are to
        be those of the ledger, which has forgotten some.
        """
        problems = list(self._wrong(identifiers, first, last, reason))
        if problems:
            raise Invalid(*problems)
        period = Period(first, Period.starting(last, self.length).end)

        def work(tx: Connection) -> list[int]:
            writes.serialise(tx)       # one after the other, so that two cannot overlook each other
            states = self._states(tx, identifiers)
            if not states:
                raise Invalid("scope_ids: no scope is rated yet")
            waiting = _waiting(tx, {state.identifier: period for state in states})
            late = [f"scope {state.identifier!r} is not rated up to {instant(period.end)}: it is up to "
                    f"{instant(state.due) if state.due is not None else 'nothing'}"
                    for state in states if state.due is None or state.due < period.end]
            forgotten = retention.without_points(tx, period) if quantities == FROM_LEDGER else {}
            gone = [f"scope {state.identifier!r}: its points of periods up to {instant(forgotten[state.id])} are no "
                    "longer kept" for state in states if state.id in forgotten]
            if waiting or late or gone:
                raise Invalid(*waiting, *late, *gone)
            new = [NewTask(state.id, period, reason, author, quantities) for state in states]
            return task_rows.add(tx, new, self.clock())

        return self.database.transact(work)

    def cancel(self, ids: Collection[int], *, author: str) -> list[Task]:
        """End those of these tasks that have not ended; which they are.  What they have done stays.

        A period that is being worked on is not published any more.  NotFound,
        or Conflict where all have ended already.
        """
        def work(tx: Connection) -> list[Task]:
            writes.serialise(tx)
            tasks = _known(tx, ids).values()
            waiting = [task for task in tasks if task.ended_at is None]
            if not waiting:
                raise Conflict("\n".join(f"task {task.id} is {task.state} already"
                                         for task in tasks))
            task_rows.cancel(tx, [task.id for task in waiting], author, self.clock())
            return waiting

        return self.database.transact(work)

    def undo(self, ids: Collection[int], *, author: str, reason: str) -> list[int]:
        """A task for each of these that has changed something, to bring back what was there before; their ids.

        NotFound; Invalid, with every reason, where one has not ended or was
        undone already, a task about its periods is waiting, or none of them
        has changed anything.
        """
        if not reason.strip():
            raise Invalid("reason: is empty")

        def work(tx: Connection) -> list[int]:
            writes.serialise(tx)
            tasks = list(_known(tx, ids).values())
            problems = list(_not_undoable(tasks, task_rows.undoing(tx, ids)))
            changed = [task for task in tasks if task.changed]
            windows = {task.scope: Period(task.period.begin, task.next) for task in changed}
            problems += _waiting(tx, windows)
            if not changed and not problems:
                problems = ["nothing was changed that could be undone"]
            if problems:
                raise Invalid(*problems)
            return task_rows.add(tx, [NewTask(task.scope_id, windows[task.scope], reason, author,
                                              UNDO, task.id)
                                      for task in changed], self.clock())

        return self.database.transact(work)

    # --- what is wrong with it -----------------------------------------------------------------

    def _wrong(self, identifiers: Sequence[str], first: datetime, last: datetime, reason: str) -> Iterator[str]:
        if not identifiers:
            yield "scope_ids: is empty"
        if ALL in identifiers and len(identifiers) > 1:
            yield f"scope_ids: either {ALL} or ids, not both"
        if not reason.strip():
            yield "reason: is empty"
        if last < first:
            yield f"end_reprocess_time: {instant(last)} is before start_reprocess_time, {instant(first)}"
        for name, when in (("start_reprocess_time", first), ("end_reprocess_time", last)):
            nearest = Period.containing(when, self.length).begin
            if nearest != when:
                yield f"{name}: {instant(when)} is not the begin of a rating period; {instant(nearest)} is"

    def _states(self, tx: Connection, identifiers: Sequence[str]) -> list[ScopeState]:
        states = {state.identifier: state for state in scopes.everything(tx) if state.active}
        if list(identifiers) == [ALL]:
            if not states:
                raise Invalid("scope_ids: no scope is active")
            # Of those that have not begun there is nothing to be rated again.
            return [state for state in states.values() if state.due is not None]
        unknown = [name for name in identifiers if name not in states]
        if unknown:
            raise Invalid(*(f"scope_ids: no active scope is called {name!r}" for name in unknown))
        return [states[name] for name in identifiers]


def _known(tx: Connection, ids: Collection[int]) -> dict[int, Task]:
    tasks = task_rows.numbered(tx, ids)
    missing = sorted(set(ids) - tasks.keys())
    if missing:
        raise NotFound("\n".join(f"there is no task {number}" for number in missing),
                       hint="'cloudkitty-like reprocess list' shows them all")
    return tasks


def _waiting(tx: Connection, windows: Mapping[str, Period]) -> list[str]:
    """What is waiting already for these scopes about some of these periods."""
    return [f"scope {task.scope!r} is waiting already to be rated again, in {task.period}"
            for task in task_rows.everything(tx, waiting=True)
            if task.scope in windows and task.period.overlaps(windows[task.scope])]


def _not_undoable(tasks: Sequence[Task], undoing: Sequence[Task]) -> Iterator[str]:
    undone = {task.undoes: task for task in undoing if task.cancelled_by is None}
    scopes: set[str] = set()
    for task in tasks:
        if task.ended_at is None:
            yield f"task {task.id} has not ended: cancel it first"
        elif task.id in undone:
            yield f"task {task.id} is undone by task {undone[task.id].id}; to have it back undo that one"
        elif task.changed and task.scope in scopes:
            yield f"task {task.id} is of the same scope as another one: undo one after the other"
        if task.changed:
            scopes.add(task.scope)
