"""Reading the ledger: sums of what counts, by scope, metric, time and label.

The index answers by scope, metric and time (:mod:`cloudkitty_like.db.ledger.totals`);
the storage answers by label, from the points.  Both give the same to the last digit.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import totals, visibility, writes
from cloudkitty_like.domain.errors import NotFound, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.query import METRIC, Query, SummaryRow
from cloudkitty_like.ports import Storage

ATTEMPTS = 5


class Summary:
    """Answers queries over the ledger."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self._storage = database, storage

    def rows(self, query: Query) -> list[SummaryRow]:
        """The sums asked for, ordered by key.  Quantities only where ``metric`` is in the grouping."""
        if query.filters or not totals.KEYS.issuperset(query.groupby):
            return self.points(query)
        with self._database.read() as tx:
            return totals.rows(tx, query)

    def points(self, query: Query) -> list[SummaryRow]:
        """The same sums, always worked out from the points: what ``status --verify`` compares, and filters need."""
        with self._database.read() as tx:
            invisible, max_revision = visibility.invisible_revisions(tx, query.as_of, query.period, query.scopes)
        sums = self._storage.sums(query, invisible, max_revision)
        self._check(query)
        return _without_mixed_units(sums, query)

    def points_and_forgotten(self, query: Query) -> tuple[list[SummaryRow], list[SummaryRow]]:
        """The sums of the points that there are, and of the totals of those that are forgotten."""
        for _ in range(ATTEMPTS):
            with self._database.read() as tx:
                invisible, max_revision = visibility.invisible_revisions(
                    tx, query.as_of, query.period, query.scopes, forgotten=True)
                forgotten = totals.forgotten_rows(tx, query)
            sums = self._storage.sums(query, invisible, max_revision)
            with self._database.read() as tx:
                if totals.forgotten_rows(tx, query) == forgotten:
                    return _without_mixed_units(sums, query), forgotten
        raise Unavailable("points are being forgotten at this moment", hint="try again when that has ended")

    def frames(self, query: Query) -> Iterator[tuple[str, Frame]]:
        """Scope and frame of what counts now, as the storage orders them; read while it is taken.

        Invalid, also at the very end, where points that count are forgotten.
        """
        with self._database.read() as tx:
            invisible, max_revision = visibility.invisible_revisions(tx, query.as_of, query.period, query.scopes)
        return self._whole(self._storage.frames(query, invisible, max_revision), query)

    def _whole(self, frames: Iterator[tuple[str, Frame]], query: Query) -> Iterator[tuple[str, Frame]]:
        yield from frames
        self._check(query)

    def _check(self, query: Query) -> None:
        """Whether points were forgotten while they were read: they are marked so before they go."""
        with self._database.read() as tx:
            visibility.require_points(tx, query.as_of, query.period, query.scopes)

    def change_at(self, when: datetime) -> int:
        """The ledger change that was the last one at an instant; NotFound where there was none."""
        with self._database.read() as tx:
            change = writes.tx_at(tx, when)
        if not change:
            raise NotFound(f"the ledger has no change up to {instant(when)}")
        return change

    def last_change(self) -> int:
        """The number of the ledger's last change; 0 before the first."""
        with self._database.read() as tx:
            return writes.last_tx(tx)


def _without_mixed_units(rows: Sequence[SummaryRow], query: Query) -> list[SummaryRow]:
    """The storage's rows, without quantities where points of several units were added up."""
    if METRIC in query.groupby:
        return list(rows)
    return [SummaryRow(row.key, row.sum.without_qty()) for row in rows]
