"""Revisions of the past: what there is of one period beside what counts now."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from cloudkitty_like.db.ledger import COLLECTED, Published
from cloudkitty_like.db.tables import frame
from cloudkitty_like.db.visibility import unpublished
from cloudkitty_like.domain.period import Period


@dataclass(frozen=True, slots=True)
class Made:
    """What a task has made of a period of a scope: its revision, the current one, and what there was before."""

    current: Published                 # not the task's where somebody else has been there since
    own: int                           # the task's revision
    former: Published | None           # None: the task was the first to rate the period

    @property
    def stands(self) -> bool:
        """Whether the task's revision is still the current one."""
        return self.current.revision == self.own


def made(tx: Connection, period: Period, tasks: dict[int, int]) -> dict[int, Made]:
    """By scope id, what these tasks (by scope id) have made of a period; scopes of which they made nothing are absent.

    One query, over all revisions of the period.
    """
    query = select(frame).where(frame.c.begin == period.begin, frame.c.origin == COLLECTED)
    own: dict[int, tuple[int, int]] = {}
    current: dict[int, Published] = {}
    former: dict[tuple[int, int], Published] = {}
    for row in tx.execute(query):
        if row.scope_id not in tasks:
            continue
        found = Published(row.revision, bytes(row.digest), row.ruleset, row.forgotten is not None)
        if row.task == tasks[row.scope_id]:
            own[row.scope_id] = row.revision, row.published
        if row.current:
            current[row.scope_id] = found
        else:
            former[row.scope_id, row.superseded] = found
    return {scope_id: Made(current[scope_id], revision, former.get((scope_id, change)))
            for scope_id, (revision, change) in own.items()}


def besides(tx: Connection, begin: datetime, revisions: Collection[int]) -> list[int]:
    """Everything of the periods that begin then but these revisions, whether it counts or not."""
    others = tx.execute(select(frame.c.revision).where(frame.c.begin == begin)).scalars()
    wanted = set(revisions)
    return [*(revision for revision in others if revision not in wanted), *unpublished(tx)]
