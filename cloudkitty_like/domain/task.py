"""Tasks that correct the past: what each is to do, how far it is, and what it came to."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.period import Period

FROM_SOURCE, FROM_LEDGER, UNDO = "source", "stored", "undo"
"""The kinds of a task: rate with quantities of the source or of the ledger, or undo a task."""
OPEN = ("waiting", "running", "failing", "parked")
"""The states of a task that has not ended."""
MetricUnit = tuple[str, str]
"""A metric and its unit."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be made."""

    scope_id: int
    period: Period                     # half-open
    reason: str
    author: str
    kind: str = FROM_SOURCE            # FROM_SOURCE, FROM_LEDGER or UNDO
    undoes: int | None = None          # the task whose revisions an UNDO replaces


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the state database knows it."""

    id: int
    scope_id: int
    scope: str
    period: Period                     # half-open
    reason: str
    author: str
    created_at: datetime
    due: datetime | None               # begin of the next period to rate again; None: not begun
    ended_at: datetime | None
    kind: str
    undoes: int | None
    cancelled_by: str | None           # None: it was not
    changed: int                       # periods that got a new revision
    left_alone: int                    # periods that an undo skipped: they had been changed since
    failures: int
    error: str | None
    error_at: datetime | None
    retry_at: datetime | None
    parked_ruleset: int | None

    @property
    def next(self) -> datetime:
        """Begin of the next period."""
        return self.due or self.period.begin

    def done(self, length: timedelta) -> int:
        """How many of its periods it has been through."""
        return (self.next - self.period.begin) // length

    @property
    def state(self) -> str:
        """One of OPEN, ``done`` or ``cancelled``."""
        if self.ended_at is not None:
            return "cancelled" if self.cancelled_by is not None else "done"
        if self.error is not None:
            return "failing" if self.parked_ruleset is None else "parked"
        return "waiting" if self.due is None else "running"


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """What went wrong with one task; recorded in its state."""

    task_id: int
    due: datetime                      # begin of the period that failed
    kind: str                          # domain.scope_state.SOURCE or RATING
    message: str
    retry_at: datetime | None
    parked_ruleset: int | None = None


class TaskTotals(NamedTuple):
    """The totals of the periods that a task has been through, by metric and unit."""

    before: dict[MetricUnit, Amounts]
    after: dict[MetricUnit, Amounts]
