"""Revisions of the past: what there is of one period beside what counts now."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from cloudkitty_like.db.ledger.visibility import unpublished
from cloudkitty_like.db.ledger.writes import COLLECTED, CurrentFrame
from cloudkitty_like.db.tables import frame, ledger_tx
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.task import Task


@dataclass(frozen=True, slots=True)
class TaskRevision:
    """What a task has made of a period of a scope: its revision, the current one, and what there was before."""

    current: CurrentFrame                 # not the task's where somebody else has been there since
    own: int                           # the task's revision
    former: CurrentFrame | None           # None: the task was the first to rate the period
    change: int                        # of the ledger, which published the task's revision

    @property
    def stands(self) -> bool:
        """Whether the task's revision is still the current one."""
        return self.current.revision == self.own


def task_revisions(tx: Connection, period: Period, tasks: dict[int, int]) -> dict[int, TaskRevision]:
    """By scope id, what these tasks (by scope id) have made of a period; scopes of which they made nothing are absent.

    One query, over all revisions of the period.
    """
    query = select(frame).where(frame.c.begin == period.begin, frame.c.origin == COLLECTED)
    own: dict[int, tuple[int, int]] = {}
    current: dict[int, CurrentFrame] = {}
    former: dict[tuple[int, int], CurrentFrame] = {}
    for row in tx.execute(query):
        if row.scope_id not in tasks:
            continue
        rated_frame = CurrentFrame(row.revision, bytes(row.digest), row.ruleset,
                                   row.forgotten is not None)
        if row.task == tasks[row.scope_id]:
            own[row.scope_id] = row.revision, row.published
        if row.current:
            current[row.scope_id] = rated_frame
        else:
            former[row.scope_id, row.superseded] = rated_frame
    return {scope_id: TaskRevision(current[scope_id], revision, former.get((scope_id, change)), change)
            for scope_id, (revision, change) in own.items()}


@dataclass(frozen=True, slots=True)
class SkippedPeriod:
    """A period that was not undone, and the ledger change that superseded it; 0: none, its former points are gone."""

    begin: datetime
    change: int
    author: str
    cause: str


def skipped_periods(tx: Connection, task: Task) -> list[SkippedPeriod]:
    """The periods that a task which undoes another has been through and left as they are."""
    scoped = (frame.c.scope_id == task.scope_id, frame.c.begin >= task.period.begin, frame.c.begin < task.next)
    undone = set(tx.execute(select(frame.c.begin).where(*scoped, frame.c.task == task.id)).scalars())
    query = (select(frame.c.begin, frame.c.superseded, ledger_tx.c.author, ledger_tx.c.cause)
             .outerjoin(ledger_tx, ledger_tx.c.id == frame.c.superseded)
             .where(*scoped, frame.c.task == task.undoes).order_by(frame.c.begin))
    return [SkippedPeriod(row.begin, row.superseded or 0, row.author or "", row.cause or "")
            for row in tx.execute(query) if row.begin not in undone]


def forgotten(tx: Connection, begin: datetime, revisions: Collection[int]) -> bool:
    """Whether points of any of these, all of periods that begin then, are forgotten."""
    query = select(frame.c.revision).where(frame.c.begin == begin, frame.c.forgotten.is_not(None))
    return not set(revisions).isdisjoint(tx.execute(query).scalars())


def other_revisions(tx: Connection, begin: datetime, revisions: Collection[int]) -> list[int]:
    """Everything of the periods that begin then but these revisions, whether it counts or not."""
    others = tx.execute(select(frame.c.revision).where(frame.c.begin == begin)).scalars()
    excluded = set(revisions)
    return [*(revision for revision in others if revision not in excluded), *unpublished(tx)]
