"""Tasks that correct the past: which scope, from when to when, how and why, how far each is, and what it came to."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.chunks import CHUNK, chunks
from cloudkitty_like.db.ledger.rollup import UPSERTS
from cloudkitty_like.db.scopes import CLEARED_ERROR, of_row
from cloudkitty_like.db.tables import reprocess_task, reprocess_total, scope
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.task import NewTask, Task, TaskFailure, TaskTotals


class TaskStep(NamedTuple):
    """A task's progress over one period, which becomes due at ``end``."""

    task: Task
    end: datetime
    changed: bool
    left_alone: bool = False


def add(tx: Connection, tasks: Sequence[NewTask], at: datetime) -> list[int]:
    """Make these tasks; their ids, which follow each other.  Nobody else may add any at the same time."""
    last = tx.execute(select(func.max(reprocess_task.c.id))).scalar() or 0
    tx.execute(insert(reprocess_task), [
        {"scope_id": task.scope_id, "begin": task.period.begin, "end": task.period.end,
         "reason": task.reason, "author": task.author[:255], "created_at": at, "kind": task.kind,
         "undoes": task.undoes} for task in tasks])
    query = select(reprocess_task.c.id).where(reprocess_task.c.id > last)
    return list(tx.execute(query.order_by(reprocess_task.c.id)).scalars())


# --- reading --------------------------------------------------------------------------------------

_TASKS = select(reprocess_task, scope.c.identifier).join(scope, scope.c.id == reprocess_task.c.scope_id)


def everything(tx: Connection, identifiers: Collection[str] | None = None, *, waiting: bool = False) -> list[Task]:
    """All of them, or those of some scopes, or only those that have not ended, in the order in which they were made."""
    query = _TASKS.where(reprocess_task.c.ended_at.is_(None)) if waiting else _TASKS
    if identifiers is not None and len(identifiers) <= CHUNK:
        query = query.where(scope.c.identifier.in_(identifiers))
    tasks = [_task(row) for row in tx.execute(query.order_by(reprocess_task.c.id))]
    return tasks if identifiers is None else [task for task in tasks if task.scope in identifiers]


def numbered(tx: Connection, ids: Collection[int]) -> dict[int, Task]:
    """Those of these tasks that there are, by id."""
    tasks: dict[int, Task] = {}
    for numbers in chunks(sorted(ids)):
        rows = tx.execute(_TASKS.where(reprocess_task.c.id.in_(numbers)))
        tasks.update((row.id, _task(row)) for row in rows)
    return tasks


def undoing(tx: Connection, ids: Collection[int]) -> list[Task]:
    """The tasks that undo one of these, in the order in which they were made."""
    query = _TASKS.where(reprocess_task.c.undoes.is_not(None)).order_by(reprocess_task.c.id)
    return [_task(row) for row in tx.execute(query) if row.undoes in ids]


def workable(tx: Connection, now: datetime, ruleset: int) -> list[tuple[Task, ScopeState]]:
    """Tasks with a period that can be worked off now, each with its scope, in the order in which they were made.

    Not those that wait after a failure of the source, nor those parked under
    this very rule-set version; nor where live rating still has that period to
    do, or the scope is switched off.
    """
    columns = reprocess_task.c
    conditions = [
        columns.ended_at.is_(None), scope.c.active == 1,
        func.coalesce(columns.due, columns.begin) < scope.c.due,
        # See db.scopes.due: the clock may have been set back.
        or_(columns.retry_at.is_(None), columns.retry_at <= now, columns.error_at > now),
        or_(columns.parked_ruleset.is_(None), columns.parked_ruleset != ruleset)]
    tasks = [_task(row) for row in tx.execute(_TASKS.where(*conditions).order_by(columns.id))]
    if not tasks:
        return []
    states = {row.id: of_row(row) for row in tx.execute(_scopes(conditions))}
    return [(task, states[task.scope_id]) for task in tasks if task.scope_id in states]


def _scopes(conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    return select(scope).distinct().join(reprocess_task, reprocess_task.c.scope_id == scope.c.id).where(*conditions)


def _task(row: Row[Any]) -> Task:
    return Task(
        row.id, row.scope_id, row.identifier, Period(row.begin, row.end), row.reason, row.author, row.created_at,
        row.due, row.ended_at, row.kind, row.undoes, row.cancelled_by, row.changed, row.left_alone, row.failures,
        row.error, row.error_at, row.retry_at, row.parked_ruleset)


def totals(tx: Connection, ids: Collection[int]) -> dict[int, TaskTotals]:
    """The totals of these tasks, by id."""
    task_totals = {number: TaskTotals({}, {}) for number in sorted(ids)}
    for numbers in chunks(list(task_totals)):
        for row in tx.execute(select(reprocess_total).where(reprocess_total.c.task.in_(numbers))):
            amounts = Amounts(row.qty_whole, row.qty_part, row.price_whole, row.price_part, row.points, row.unpriced)
            task_totals[row.task][row.after][row.metric, row.unit] = amounts
    return task_totals


# --- progress --------------------------------------------------------------------------------------


def advance(tx: Connection, begin: datetime, steps: Sequence[TaskStep], at: datetime) -> None:
    """Move these tasks on from the period that begins then; Conflict where one is elsewhere or has ended."""
    task = reprocess_task.c
    statement = update(reprocess_task).where(
        task.id == bindparam("task_id"), func.coalesce(task.due, task.begin) == seconds(begin), task.ended_at.is_(None))
    done = tx.execute(
        statement.values(due=bindparam("to_due"), ended_at=bindparam("over_at"), **CLEARED_ERROR,
                         changed=task.changed + bindparam("more_changed"),
                         left_alone=task.left_alone + bindparam("more_left")),
        [{"task_id": step.task.id, "to_due": seconds(step.end), "more_changed": int(step.changed),
          "more_left": int(step.left_alone), "over_at": at if step.end >= step.task.period.end else None}
         for step in steps])
    if done.rowcount != len(steps):
        raise Conflict("a task was moved on, or cancelled, by somebody else meanwhile")


def add_totals(tx: Connection, sums: Mapping[int, TaskTotals]) -> None:
    """Add to the totals of these tasks; Invalid where one is out of range."""
    rows = [(number, after, *kind, *amounts) for number, task_totals in sorted(sums.items())
            for after, by_kind in enumerate(task_totals)
            for kind, amounts in sorted(by_kind.items())]
    try:
        UPSERTS[reprocess_total].run(tx, rows)
    except (IntegrityError, DataError) as error:
        raise Invalid(f"the total of a task is out of range: {error.orig}") from error
    except DBAPIError as error:
        if "range" in str(error.orig):
            raise Invalid(f"the total of a task is out of range: {error.orig}") from error
        raise


def fail(tx: Connection, failures: Sequence[TaskFailure], at: datetime) -> None:
    """Record what went wrong with tasks; their progress stays where it is.

    A task that somebody else has moved on meanwhile is left alone.
    """
    task = reprocess_task.c
    statement = update(reprocess_task).where(
        task.id == bindparam("task_id"), task.ended_at.is_(None),
        func.coalesce(task.due, task.begin) == bindparam("was_due"))
    tx.execute(
        statement.values(failures=task.failures + 1, error=bindparam("message"), error_kind=bindparam("kind_of"),
                         error_at=at, retry_at=bindparam("not_before"), parked_ruleset=bindparam("parked")),
        [{"task_id": failure.task_id, "was_due": seconds(failure.due), "message": failure.message,
          "kind_of": failure.kind, "not_before": failure.retry_at, "parked": failure.parked_ruleset}
         for failure in failures])


def cancel(tx: Connection, ids: Collection[int], author: str, at: datetime) -> None:
    """End these tasks where they are."""
    for numbers in chunks(sorted(ids)):
        tx.execute(update(reprocess_task).where(reprocess_task.c.id.in_(numbers),
                                                reprocess_task.c.ended_at.is_(None))
                   .values(ended_at=at, cancelled_by=author[:255]))


def stale_scopes(tx: Connection, begin: datetime, end: datetime, tasks: Collection[Task]) -> set[int]:
    """The ids of those scopes whose task is not at the period any more, or whose live rating is not past it."""
    now = numbered(tx, [task.id for task in tasks])
    past: set[int] = set()
    for scope_ids in chunks([task.scope_id for task in tasks]):
        past.update(tx.execute(select(scope.c.id).where(
            scope.c.id.in_(scope_ids), scope.c.due >= seconds(end))).scalars())
    return {task.scope_id for task in tasks
            if now[task.id].next != begin or now[task.id].ended_at is not None or task.scope_id not in past}
