"""Retention: the points of what is old are forgotten; what they added up to is kept."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from cloudkitty_like.db.compaction import FileSizes, compact
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import retention, writes
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.retention import RetentionBounds, RetentionExtent
from cloudkitty_like.ports import Storage

PORTION = 2000                         # revisions at a time


class Retention:
    """Forgets points, some revisions at a time.  May be killed at any moment, and goes on where it was."""

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime],
                 portion: int = PORTION) -> None:
        self._database, self._storage, self._clock, self._portion = database, storage, clock, portion

    def extent(self, bounds: RetentionBounds) -> RetentionExtent:
        """What :meth:`purge` would forget; Invalid where the bounds are in the future, or there are none."""
        self._check(bounds)
        with self._database.read() as tx:
            return retention.extent(tx, bounds)

    def purge(self, bounds: RetentionBounds, *, author: str,
              progressed: Callable[[int], None] = lambda revisions: None) -> int:
        """Forget; how many revisions.  ``progressed`` is told how many are done.  Recorded as a change of the ledger.

        First what somebody who was killed has left half done.
        """
        self._check(bounds)
        done, by = self._finish(0, progressed), author
        while self._database.transact(partial(self._mark, bounds=bounds, author=by)):
            by = ""                    # one change of the ledger is enough
            done = self._finish(done, progressed)
        return done

    def compact(self) -> list[FileSizes]:
        """Give back to the disk what was forgotten; the sizes of each database file that has become smaller.

        :raises Unavailable: when there is too little room for that, or a database fails; nothing is lost.
        """
        of_storage = getattr(self._storage, "compact", None)
        sizes = [compact(self._database), of_storage() if of_storage is not None else None]
        return [size for size in sizes if size is not None]

    def _check(self, bounds: RetentionBounds) -> None:
        instants = {"superseded-before": bounds.superseded_before,
                    "rated-before": bounds.rated_before}
        if not any(instants.values()):
            raise Invalid("say what is to be forgotten: --superseded-before or --rated-before")
        late = [f"--{name}: {instant(when)} is in the future" for name, when in instants.items()
                if when is not None and when > self._clock()]
        if late:
            raise Invalid(*late)

    def _mark(self, tx: Connection, bounds: RetentionBounds, author: str) -> list[int]:
        writes.serialise(tx)
        revisions = retention.mark(tx, bounds, self._portion)
        if revisions and author:
            said = [f"{name} before {instant(when)}" for name, when in (
                ("superseded", bounds.superseded_before), ("rated", bounds.rated_before)) if when is not None]
            writes.open_tx(tx, at=self._clock(), author=author, cause="purge",
                           reason=f"points {', '.join(said)}")
        return revisions

    def _finish(self, done: int, progressed: Callable[[int], None]) -> int:
        """Let the storage forget what is marked; the points go first and then the mark says so."""
        while True:
            with self._database.read() as tx:
                revisions = retention.going(tx, self._portion)
            if not revisions:
                return done
            self._storage.purge(revisions)
            self._database.transact(partial(retention.gone, revisions=revisions))
            done += len(revisions)
            progressed(done)
