"""The ledger's holes: left where the source was not alive, looked at, and asked about again."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, tasks, writes
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
            return merged(holes.known(tx, kinds))

    def extents(self) -> dict[str, HoleExtent]:
        """How much is missing now, by kind; a kind of which there is nothing is absent."""
        with self.database.read() as tx:
            return holes.extents(tx)

    def of_query(self, query: Query) -> list[Stretch]:
        """What is missing from the answer to a query: of its scopes, in its window, as of its change."""
        with self.database.read() as tx:
            return holes.stretches(tx, query.scopes, query.period, query.as_of)

    def accepted(self, period: Period) -> set[int | None]:
        """The ids of the scopes for which an empty answer is believed; None among them: all."""
        with self.database.read() as tx:
            return holes.accepted(tx, period)

    def missing(self, scope_ids: Collection[int], period: Period) -> set[int]:
        """The ids of those of these scopes that have a hole in the period."""
        with self.database.read() as tx:
            return holes.missing(tx, scope_ids, period)

    # --- gaps ------------------------------------------------------------------------------------

    def leave(self, period: Period, states: Sequence[ScopeState], reason: str,
              retry_at: datetime) -> set[int]:
        """Rating goes on past a period of which nothing is known; the ids of the scopes that do.

        Those that somebody else has moved meanwhile are left alone, and a period
        that was rated before keeps what it has.
        """
        steps = [writes.ScopeStep(state.id, period.begin, period.end) for state in states]

        def work(tx: Connection) -> set[int]:
            writes.serialise(tx)
            overtaken = writes.stale_scopes(tx, steps)
            mine = [step for step in steps if step.scope_id not in overtaken]
            if mine:
                writes.advance(tx, mine)
                change = writes.open_tx(tx, at=self.clock(), author=self.author, cause=GAP,
                                        reason=reason)
                unrated = holes.unrated(tx, [(step.scope_id, period) for step in mine])
                holes.leave(tx, change, UNKNOWN, unrated, retry_at)
            return {step.scope_id for step in mine}

        return self.database.transact(work)

    def waiting(self) -> list[UnknownHole]:
        """The unknown holes whose source may be asked again now, oldest first."""
        with self.database.read() as tx:
            return holes.unknown(tx, self.clock())

    def postpone(self, tried: Mapping[int, datetime]) -> None:
        """When the source is asked again about these holes, by id."""
        self.database.transact(lambda tx: holes.postpone(tx, tried))

    def fill(self, periods: Iterable[tuple[int, Period]]) -> int:
        """Ask for these periods of scopes, which the source knows now, to be rated; how many tasks.

        What is no hole any more, or is waiting already, is left out.
        """
        ordered = sorted(periods)

        def work(tx: Connection) -> int:
            writes.serialise(tx)
            still = {(hole.scope_id, hole.period) for hole in holes.unknown(tx, self.clock())}
            new = [NewTask(scope_id, stretch, f"the source knows {stretch} after all", self.author)
                   for scope_id, stretch in _joined(place for place in ordered if place in still)]
            return len(tasks.add(tx, new, self.clock())) if new else 0

        return self.database.transact(work)


def _joined(periods: Iterable[tuple[int, Period]]) -> list[tuple[int, Period]]:
    """Periods of scopes, in order, with those that follow each other as one."""
    joined: list[tuple[int, Period]] = []
    for scope_id, own_periods in groupby(periods, lambda place: place[0]):
        for _, period in own_periods:
            if joined and joined[-1][0] == scope_id and joined[-1][1].end == period.begin:
                joined[-1] = scope_id, Period(joined[-1][1].begin, period.end)
            else:
                joined.append((scope_id, period))
    return joined
