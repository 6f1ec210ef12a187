"""How points come to count: appended under new revisions, then published in one transaction of the index.

Whoever changes the ledger's frames goes this way.  A crash before that
transaction leaves points that nobody counts; after it everything is there.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import writes
from cloudkitty_like.domain.errors import Conflict, Invalid, Unavailable
from cloudkitty_like.ports import Addition, Storage

Clock = Callable[[], datetime]


class RevisionPublication:
    """Gives out revision numbers, and stores what is to be published under them."""

    def __init__(self, database: Database, storage: Storage, clock: Clock) -> None:
        self._database, self._storage, self._clock = database, storage, clock

    def allocate(self, count: int) -> tuple[int, int]:
        """``count`` new revision numbers: their block's id and the first of them."""
        return self._database.transact(lambda tx: writes.allocate(tx, count, self._clock()))

    def store(self, block: int, additions: Sequence[Addition], publish: Callable[[Connection], None]) -> None:
        """Append these, the revisions of a block, and ``publish(tx)`` them: all or nothing.

        ``publish`` is called where nobody else changes the index, perhaps
        several times.  Where it raises Conflict or Invalid the revisions are
        given back.
        """
        def work(tx: Connection) -> None:
            if self._storage.shares_transaction:
                self._storage.append(additions, tx)
            writes.serialise(tx)
            writes.release(tx, block)
            publish(tx)

        try:
            if not self._storage.shares_transaction:
                self._storage.append(additions)
            self._database.transact(work)
        except (Conflict, Invalid):
            # Certainly not published, unlike after Unavailable: then the commit may have come through.
            self._give_back(block, [addition.revision for addition in additions])
            raise

    def _give_back(self, block: int, revisions: Sequence[int]) -> None:
        """Forget what was not published; where that fails it stays hidden, and is swept later."""
        with suppress(Unavailable):
            if not self._storage.shares_transaction:
                self._storage.purge(revisions)
            self._database.transact(lambda tx: writes.forget_blocks(tx, [block]))
