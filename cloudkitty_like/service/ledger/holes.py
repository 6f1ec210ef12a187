"""The ledger's holes: left where the source was not alive, looked at, and asked about again."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes as rows
from cloudkitty_like.db.ledger import tasks
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.domain.hole import MISSING, UNKNOWN, Hole, HoleExtent, Stretch, UnknownHole, merged
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.task import NewTask

GAP = "gap"
"""The cause of a change that leaves a period unknown."""


@dataclass(frozen=True)
class Holes:
    """``author`` is who leaves gaps, and who asks for what is known after all to be rated."""

    database: Database
    clock: Callable[[], datetime]
    author: str

    # --- what there is ---------------------------------------------------------------------------

    def known(self, kinds: Collection[str] = MISSING) -> list[Hole]:
        """The holes that there are now, those that follow each other as one, by scope and begin."""
        with self.database.read() as tx:
            return merged(rows.known(tx, kinds))

    def extents(self) -> dict[str, HoleExtent]:
        """How much is missing now, by kind; a kind of which there is nothing is absent."""
        with self.database.read() as tx:
            return rows.extents(tx)

    def of_query(self, query: Query) -> list[Stretch]:
        """What is missing from the answer to a query: of its scopes, in its window, as of its change."""
        with self.database.read() as tx:
            return rows.stretches(tx, query.scopes, query.period, query.as_of)

    def accepted(self, period: Period) -> set[int | None]:
        """The ids of the scopes for which an empty answer is believed; None among them: all."""
        with self.database.read() as tx:
            return rows.accepted(tx, period)

    def missing(self, scope_ids: Collection[int], period: Period) -> set[int]:
        """The ids of those of these scopes that have a hole in the period."""
        with self.database.read() as tx:
            return rows.missing(tx, scope_ids, period)

    # --- gaps ------------------------------------------------------------------------------------

    def leave(self, period: Period, states: Sequence[ScopeState], reason: str,
              retry_at: datetime) -> set[int]:
        """Rating goes on past a period of which nothing is known; the ids of the scopes that do.

        Those that somebody else has moved meanwhile are left alone, and a period
        that was rated before keeps what it has.
        """
        steps = [index.ScopeStep(state.id, period.begin, period.end) for state in states]

        def work(tx: Connection) -> set[int]:
            index.serialise(tx)
            overtaken = index.stale_scopes(tx, steps)
            mine = [step for step in steps if step.scope_id not in overtaken]
            if mine:
                index.advance(tx, mine)
                change = index.open_tx(tx, at=self.clock(), author=self.author, cause=GAP,
                                       reason=reason)
                unrated = rows.unrated(tx, [(step.scope_id, period) for step in mine])
                rows.leave(tx, change, UNKNOWN, unrated, retry_at)
            return {step.scope_id for step in mine}

        return self.database.transact(work)

    def waiting(self) -> list[UnknownHole]:
        """The unknown holes whose source may be asked again now, oldest first."""
        with self.database.read() as tx:
            return rows.unknown(tx, self.clock())

    def postpone(self, tried: Mapping[int, datetime]) -> None:
        """When the source is asked again about these holes, by id."""
        self.database.transact(lambda tx: rows.postpone(tx, tried))

    def fill(self, known: Iterable[tuple[int, Period]]) -> int:
        """Ask for these periods of scopes, which the source knows now, to be rated; how many tasks.

        What is no hole any more, or is waiting already, is left out.
        """
        wanted = sorted(known)

        def work(tx: Connection) -> int:
            index.serialise(tx)
            still = {(hole.scope_id, hole.period) for hole in rows.unknown(tx, self.clock())}
            new = [NewTask(scope_id, stretch, f"the source knows {stretch} after all", self.author)
                   for scope_id, stretch in _joined(one for one in wanted if one in still)]
            return len(tasks.add(tx, new, self.clock())) if new else 0

        return self.database.transact(work)


def _joined(periods: Iterable[tuple[int, Period]]) -> list[tuple[int, Period]]:
    """Periods of scopes, in order, with those that follow each other as one."""
    joined: list[tuple[int, Period]] = []
    for scope_id, some in groupby(periods, lambda one: one[0]):
        for _, period in some:
            if joined and joined[-1][0] == scope_id and joined[-1][1].end == period.begin:
                joined[-1] = scope_id, Period(joined[-1][1].begin, period.end)
            else:
                joined.append((scope_id, period))
    return joined
