"""Whether the parts of an installation answer, and how far rating is."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.period import EPOCH, Period, instant
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.metrics.acceptance import standing_of
from cloudkitty_like.service.operation.timed_call import TimedCall
from cloudkitty_like.service.operation.workers import workforce

SECONDS = 4.0           # before the five after which who asks takes it for dead
PARTS = ("database", "storage", "rating", "workers")


@dataclass(frozen=True, slots=True)
class Check:
    """One part, whether it answers, and what there is to say about it.

    ``warns``: it answers, and rating needs somebody to look.
    """

    name: str
    well: bool
    text: str
    warns: bool = False


class Health:
    """Looks at the state database and at the storage, at little cost.

    It answers within some ``seconds``, whatever hangs.  ``length`` is that of a period.
    """

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime],
                 length: timedelta, wait_periods: int, seconds: float = SECONDS) -> None:
        self._database, self._storage, self._clock, self._seconds = database, storage, clock, seconds
        self._length, self._wait_periods = length, wait_periods
        self._done: list[Check] = []
        self._look = TimedCall(self._looked, seconds)

    def checks(self) -> list[Check]:
        """Each part, the least well informed about it."""
        try:
            return self._look()
        except Unavailable as error:
            done = list(self._done)
            return [*done, *(Check(name, False, str(error)) for name in PARTS[len(done):])]

    def _looked(self) -> list[Check]:
        # A new list: who is late in reading the last one may still do so.
        done = self._done = []
        for name, look in zip(PARTS[:-1], (self._of_database, self._of_storage, self._of_rating), strict=True):
            done.append(self._tried(name, look))
        done.append(self._of_work())
        return done

    def _tried(self, name: str, look: Callable[[], str]) -> Check:
        try:
            return Check(name, True, look())
        except Error as error:
            return Check(name, False, str(error))

    def _of_work(self) -> Check:
        """Who is at work; what keeps them from rating is no reason to take the API away."""
        now = self._clock()
        try:
            with self._database.read() as tx:
                known = workforce(tx, now, self._length, self._wait_periods)
                standing = standing_of(tx, now)
        except Error as error:
            return Check(PARTS[-1], False, str(error))
        blocked = [beat for beat in known.alive if beat.blocked]
        parts = [f"{len(known.alive)} at work",
                 *(f"worker {beat.place} cannot rate anything: {beat.doing}" for beat in blocked)]
        parts += ["the one that is to rate what is due is gone"] if known.missing else []
        differing = standing is not None and bool(standing.differing)
        parts += [str(standing)] if differing else []
        return Check(PARTS[-1], True, "; ".join(parts), bool(blocked) or known.missing or differing)

    def _of_database(self) -> str:
        with self._database.read() as tx:
            scopes.identifiers(tx)
        return str(self._database)

    def _of_storage(self) -> str:
        nothing = Period(EPOCH, EPOCH + timedelta(seconds=1))
        self._storage.sums(Query(scopes=frozenset(), period=nothing))
        return "in the state database" if self._storage.within else "on its own"

    def _of_rating(self) -> str:
        with self._database.read() as tx:
            dues = [state.due for state in scopes.everything(tx) if state.active and state.rated]
        latest = max((due for due in dues if due is not None), default=None)
        if latest is None:
            return "nothing has been rated yet"
        return f"rated up to {instant(latest)}, {(self._clock() - latest).total_seconds():.0f} seconds ago"
