"""Whether the parts of an installation answer, and how far rating is."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.period import EPOCH, Period, instant
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage


@dataclass(frozen=True, slots=True)
class Check:
    """One part, whether it answers, and what there is to say about it."""

    name: str
    well: bool
    text: str


@dataclass(frozen=True)
class Health:
    """Looks at the state database and at the storage, at little cost."""

    database: Database
    storage: Storage
    clock: Callable[[], datetime]

    def checks(self) -> list[Check]:
        """Each part, the least well informed about it."""
        return [self._tried("database", self._database), self._tried("storage", self._storage),
                self._tried("rating", self._rating)]

    def _tried(self, name: str, look: Callable[[], str]) -> Check:
        try:
            return Check(name, True, look())
        except Error as error:
            return Check(name, False, str(error))

    def _database(self) -> str:
        with self.database.read() as tx:
            scopes.identifiers(tx)
        return str(self.database)

    def _storage(self) -> str:
        nothing = Period(EPOCH, EPOCH + timedelta(seconds=1))
        self.storage.sums(Query(scopes=frozenset(), period=nothing))
        return "in the state database" if self.storage.within else "on its own"

    def _rating(self) -> str:
        with self.database.read() as tx:
            dues = [state.due for state in scopes.everything(tx) if state.active and state.rated]
        latest = max((due for due in dues if due is not None), default=None)
        if latest is None:
            return "nothing has been rated yet"
        return f"rated up to {instant(latest)}, {(self.clock() - latest).total_seconds():.0f} seconds ago"
