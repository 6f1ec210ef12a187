"""Whether the parts of an installation answer, and how far rating is."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.period import EPOCH, Period, instant
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.metrics.acceptance import standing_of
from cloudkitty_like.service.operation.check import HealthCheck, checked
from cloudkitty_like.service.operation.timed_call import TimedCall
from cloudkitty_like.service.operation.workers import worker_overview

SECONDS = 4.0           # before the five after which who asks takes it for dead
PARTS = ("database", "storage", "rating", "workers")


def storage_place(storage: Storage) -> str:
    """Say where the points are stored.

    :raises Error: when the storage does not answer a question about nobody's usage
    """
    nothing = Period(EPOCH, EPOCH + timedelta(seconds=1))
    storage.sums(Query(scopes=frozenset(), period=nothing))
    return "in the state database" if storage.shares_transaction else "on its own"


def rated_up_to(states: Iterable[ScopeState]) -> datetime | None:
    """The end of the last period rated of any scope; None before the first."""
    return max((state.due for state in states
                if state.active and state.rated and state.due is not None), default=None)


class Health:
    """Looks at the state database and at the storage, at little cost.

    It answers within some ``seconds``, whatever hangs.  ``length`` is that of a period.
    """

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime],
                 length: timedelta, wait_periods: int, seconds: float = SECONDS) -> None:
        self._database, self._storage, self._clock, self._seconds = database, storage, clock, seconds
        self._length, self._wait_periods = length, wait_periods
        self._done: list[HealthCheck] = []
        self._look = TimedCall(self._looked, seconds)

    def checks(self) -> list[HealthCheck]:
        """Each part, the least well informed about it."""
        try:
            return self._look()
        except Unavailable as error:
            done = list(self._done)
            return [*done, *(HealthCheck(name, "error", str(error)) for name in PARTS[len(done):])]

    def _looked(self) -> list[HealthCheck]:
        # A new list: who is late in reading the last one may still do so.
        done = self._done = []
        for name, look in zip(PARTS[:-1], (self._of_database, self._of_storage, self._of_rating), strict=True):
            done.append(checked(name, look))
        done.append(self._of_work())
        return done

    def _of_work(self) -> HealthCheck:
        """Who is at work; what keeps them from rating is no reason to take the API away."""
        now = self._clock()
        try:
            with self._database.read() as tx:
                overview = worker_overview(tx, now, self._length, self._wait_periods)
                standing = standing_of(tx, now)
        except Error as error:
            return HealthCheck(PARTS[-1], "error", str(error))
        blocked = [beat for beat in overview.alive if beat.blocked]
        parts = [f"{len(overview.alive)} at work",
                 *(f"worker {beat.place} cannot rate anything: {beat.doing}" for beat in blocked)]
        parts += ["the one that is to rate what is due is gone"] if overview.missing else []
        differing = standing is not None and bool(standing.differing)
        parts += [str(standing)] if differing else []
        warns = bool(blocked) or overview.missing or differing
        return HealthCheck(PARTS[-1], "warning" if warns else "ok", "; ".join(parts))

    def _of_database(self) -> str:
        with self._database.read() as tx:
            scopes.identifiers(tx)
        return str(self._database)

    def _of_storage(self) -> str:
        return storage_place(self._storage)

    def _of_rating(self) -> str:
        with self._database.read() as tx:
            latest = rated_up_to(scopes.everything(tx))
        if latest is None:
            return "nothing has been rated yet"
        return f"rated up to {instant(latest)}, {(self._clock() - latest).total_seconds():.0f} seconds ago"
