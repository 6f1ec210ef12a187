"""Who is at work on a ledger, what keeps them from rating, and how much there is to rate."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import scopes, settings, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, WorkerState


@dataclass(frozen=True)
class Workers:
    """The heartbeats of a ledger's workers."""

    database: Database
    clock: Callable[[], datetime]

    def beat(self, state: WorkerState, daemon: bool | None = None) -> None:
        """Record a worker's state.

        ``daemon``: whether a worker is missing once this one has ended; None: as before.
        """
        self.database.transact(lambda tx: workers.beat(tx, state, daemon))

    def leave(self, worker_id: str, daemon: bool | None) -> None:
        """Remove a worker that ends; ``daemon`` as for :meth:`beat`."""
        self.database.transact(lambda tx: workers.leave(tx, worker_id, daemon, self.clock()))

    def alive(self) -> int:
        """How many workers gave a sign of life within ALIVE_WITHIN."""
        with self.database.read() as tx:
            return workers.alive(tx, self.clock(), ALIVE_WITHIN)

    def sweep(self, silent: timedelta) -> None:
        """Forget the workers that have given no sign of life for so long."""
        self.database.transact(lambda tx: workers.sweep(tx, self.clock() - silent))


@dataclass(frozen=True, slots=True)
class WorkerOverview:
    """The workers that were seen lately, those that were lost, and the scopes with a period that could be rated now.

    ``daemon``: whether one is to be at work, as the last was told; a ledger
    that is rated by hand, or now and then, misses nobody.
    """

    alive: Sequence[WorkerState]
    lost: Sequence[WorkerState]
    due: int
    daemon: bool
    source_ends: datetime | None       # the last instant that the source will ever know of; None: it goes on

    @property
    def missing(self) -> bool:
        """Whether something is due that nobody will rate."""
        return not self.alive and bool(self.due) and (self.daemon or bool(self.lost))

    def blocked(self, *causes: str) -> list[WorkerState]:
        """The living workers that one of these causes keeps from rating.

        For the causes see :data:`cloudkitty_like.domain.worker_state.CAUSES`.
        """
        return [beat for beat in self.alive if beat.blocked in causes]


def worker_overview(tx: Connection, now: datetime, length: timedelta, wait_periods: int) -> WorkerOverview:
    """As it is now.  ``length``: of a period."""
    beats, ends = workers.everyone(tx), settings.source_ends(tx)
    latest = now - (1 + wait_periods) * length
    due = sum(_is_due(state, latest, ends) for state in scopes.everything(tx))
    return WorkerOverview([beat for beat in beats if beat.alive(now)], [beat for beat in beats if not beat.alive(now)],
                          due, settings.daemon(tx), ends)


def _is_due(state: ScopeState, latest: datetime, ends: datetime | None) -> bool:
    """Whether a worker would take it up now or after a pause; a parked scope waits for other rules."""
    if not state.active or not state.found or state.parked_ruleset is not None:
        return False
    if state.due is None:
        begin = state.starts_at or Period.month_of(state.seen_at).begin
        return ends is None or begin <= ends
    return state.due <= latest and (ends is None or state.due <= ends)
