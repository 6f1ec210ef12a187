"""Writing to the ledger: rated frames in, one current revision per scope and period out.

The storage keeps points under a revision number; only the index, changed in
one transaction, makes them count: see :mod:`cloudkitty_like.service.ledger.publication`.
"""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import acceptances
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import writes
from cloudkitty_like.db.ledger.visibility import LAST_REVISION
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.frame import Frame, digest
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.ports import Addition, Storage
from cloudkitty_like.service.ledger.publication import Clock, RevisionPublication

ABANDONED_AFTER = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RatedPeriod:
    """What rating made of one scope's period: an empty tuple of frames says that there was no usage.

    ``collected`` is the usage before rating, given where rated rows are not those rows.
    """

    state: ScopeState
    period: Period
    frames: tuple[Frame, ...]
    collected: tuple[Frame, ...] | None = None

    @property
    def points(self) -> int:
        return sum(map(len, self.frames))


def establish(database: Database, *, period_seconds: int, scope_key: str) -> None:
    """Fix, at the first start, what all frames of this ledger have in common; later refuse what does not fit."""
    settings = {"period": str(period_seconds), "scope_key": scope_key}
    with database.read() as tx:
        fixed_settings = writes.settings(tx)
    if not fixed_settings:
        # In Conflict another worker starts at this moment; what it has fixed is compared below.
        with suppress(Conflict):
            database.transact(lambda tx: writes.set_settings(tx, {LAST_REVISION: "0"} | settings))
        with database.read() as tx:
            fixed_settings = writes.settings(tx)
    problems = [
        f"[collect] {name}: {value} does not fit this ledger, "
        f"whose frames have {name} {fixed_settings[name]}"
        for name, value in settings.items() if fixed_settings[name] != value
    ]
    if problems:
        raise Invalid(*problems, hint=(
            "set it back to keep this ledger, or give [database] connection a new database (standalone: a new "
            "--state directory) and rate into that; the old ledger stays readable with its own settings"))


class Ledger:
    """Records rated frames.  Safe beside any number of other writers, paused and resumed ones too."""

    def __init__(self, database: Database, storage: Storage, clock: Clock, author: str) -> None:
        self._database, self._storage, self._clock, self._author = database, storage, clock, author
        self._revisions = RevisionPublication(database, storage, clock)

    def record(self, batch: Sequence[RatedPeriod], ruleset: int) -> None:
        """Make these frames current and move the scopes' progress, all or nothing.

        All of one period.  What is there already, with the same content and
        rule-set version, is left as it is.  Raises Conflict where another
        writer was faster, ReplacedDefinitions where the rule-set version stands for metric
        definitions that hold no more, Invalid where a total is out of range.
        """
        if not batch:
            return
        period = batch[0].period
        totals = [totals_of(rated.frames) for rated in batch]
        digests = [digest(rated.frames) for rated in batch]
        with self._database.read() as tx:
            current = writes.current(tx, [rated.state.id for rated in batch], period)
        changed = [
            number for number, rated in enumerate(batch)
            if not ((frame := current.get(rated.state.id)) and frame.digest == digests[number]
                    and frame.ruleset == ruleset)
        ]
        if not changed:
            self._database.transact(lambda tx: self._advance(tx, _steps(batch), ruleset))
            return
        block, first = self._revisions.allocate(len(changed))
        publications = []
        additions = []
        for revision, number in enumerate(changed, first):
            rated = batch[number]
            frame = current.get(rated.state.id)
            publications.append(writes.Publication(
                revision, rated.state.id, period, frame.revision if frame else None, ruleset,
                digests[number], rated.points, totals[number]))
            additions.append(Addition(revision, rated.state.identifier, period, rated.frames, rated.collected))
        self._revisions.store(block, additions, lambda tx: self._publish(tx, publications, _steps(batch)))

    def stale_scopes(self, batch: Sequence[RatedPeriod]) -> set[int]:
        """The ids of those scopes whose progress somebody else has moved since they were read."""
        with self._database.read() as tx:
            return writes.stale_scopes(tx, _steps(batch))

    def _advance(self, tx: Connection, steps: Sequence[writes.ScopeStep], ruleset: int) -> None:
        writes.serialise(tx)
        acceptances.require(tx, [ruleset])
        writes.advance(tx, steps)

    def _publish(self, tx: Connection, publications: Sequence[writes.Publication],
                 steps: Sequence[writes.ScopeStep]) -> None:
        # Progress first: a stale writer learns it from one cheap statement.
        writes.advance(tx, steps)
        acceptances.require(tx, {publication.ruleset for publication in publications})
        change = writes.open_tx(tx, at=self._clock(), author=self._author, cause="rating")
        writes.publish(tx, change, publications)

    def sweep(self) -> int:
        """Forget the points of revisions that were never published; how many revisions there were.

        While a block stands nobody counts its points.  A storage that writes in
        a transaction of its own may be given them long after, by a worker that
        was suspended: so its blocks stand for ``FORGOTTEN_AFTER``, and are purged once more then.
        """
        now = self._clock()
        stand = timedelta(0) if self._storage.shares_transaction else FORGOTTEN_AFTER

        def given_up(tx: Connection) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
            writes.serialise(tx)
            new = writes.give_up(tx, now - ABANDONED_AFTER)
            return new, writes.given_up(tx, now - max(stand, ABANDONED_AFTER))

        new, old = self._database.transact(given_up)
        revisions = [revision for block in (new | old).values() for revision in block]
        if revisions:
            self._storage.purge(revisions)
            self._database.transact(lambda tx: writes.forget_blocks(tx, list(old)))
        return len(revisions)


def totals_of(frames: Sequence[Frame]) -> dict[tuple[str, str], Amounts]:
    """The totals of frames by metric and unit; Invalid where one is out of range."""
    totals: dict[tuple[str, str], Amounts] = {}
    for frame in frames:
        if not len(frame):
            continue
        kind = (frame.metric, frame.unit)
        amounts = Amounts.of(frame)
        totals[kind] = totals[kind].plus(amounts) if kind in totals else amounts
    return totals


def _steps(batch: Sequence[RatedPeriod]) -> list[writes.ScopeStep]:
    return [writes.ScopeStep(rated.state.id, rated.period.begin, rated.period.end)
            for rated in batch]
