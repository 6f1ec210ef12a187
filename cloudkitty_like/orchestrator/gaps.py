"""Periods in which the source gave no sign of life: waited for, left behind, asked about again."""
from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.hole import UnknownHole
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.schedule import back_off
from cloudkitty_like.domain.scope_state import SOURCE, ScopeState
from cloudkitty_like.orchestrator.batches import CorrectionBudget
from cloudkitty_like.orchestrator.collection import UsageCollector
from cloudkitty_like.orchestrator.rating import BatchOutcome
from cloudkitty_like.service.ledger.holes import Holes

LOG = logging.getLogger(__name__)
WAIT, SKIP = "wait", "skip"
SILENT = "the source had no sign of life"


@dataclass(frozen=True, slots=True)
class GapPolicy:
    """Whether rating goes on past a gap that ended so long ago, and when the source is asked again."""

    skip: bool = False
    after: timedelta = timedelta(hours=4)
    retry_first: timedelta = timedelta(seconds=30)
    retry_most: timedelta = timedelta(days=1)


class Gaps:
    """Decides about silent periods.  One after which the source lives again is a gap."""

    def __init__(self, holes: Holes, usage_collector: UsageCollector,
                 begins: Callable[[Period], datetime | None],
                 policy: GapPolicy, latest: Callable[[], datetime]) -> None:
        """``begins``: the first sign of life in a window; ``latest``: the end of complete periods."""
        self._holes, self._gatherer, self._begins = holes, usage_collector, begins
        self._policy, self._latest = policy, latest
        self._looked: tuple[datetime, datetime] | None = None      # from where, and what was seen
        self._warned: datetime | None = None       # of the gap that ends with this sign of life

    # --- live rating -----------------------------------------------------------------------------

    def settle(self, period: Period, outcome: BatchOutcome) -> None:
        """Silent scopes of a live period: left behind, which counts as recorded, or failed.

        Raises WorkerStop.
        """
        moved = self.left_behind(period, outcome.silent)
        outcome.recorded |= moved
        waiting = [state for state in outcome.silent if state.id not in moved]
        if waiting:
            error = self.error(period, [state.identifier for state in waiting])
            outcome.failed += [(state, SOURCE, error) for state in waiting]

    def left_behind(self, period: Period, silent: Sequence[ScopeState]) -> set[int]:
        """Leave the period unknown where it is an old gap and that is the policy; which scopes moved.

        Raises WorkerStop.
        """
        now = self._holes.clock()
        if not silent or not self._policy.skip or now - period.end < self._policy.after:
            return set()
        life = self._life_after(period)
        if life is None:
            return set()
        moved = self._holes.leave(period, silent, f"{SILENT}, and has again at {instant(life)}",
                                  now + self._policy.retry_first)
        if moved:
            # One line for a gap, not one for each of its periods.
            LOG.log(logging.DEBUG if self._warned == life else logging.WARNING,
                    "%s from %s to %s: rating goes on past it, which stays unknown until the "
                    "source knows it",
                    SILENT, instant(period.begin), instant(life))
            self._warned = life
        return moved

    def error(self, period: Period, silent: Sequence[str]) -> Unavailable:
        """Why a silent period waits, with the command that says that these scopes used nothing.

        Raises WorkerStop.
        """
        life = self._life_after(period)
        end = period.end if life is None else Period.containing(life, period.length).begin
        which = shlex.quote(silent[0]) if len(silent) == 1 else "--all"
        command = (f"cloudkitty-like scopes accept-empty {which} --begin {instant(period.begin)} "
                   f"--end {instant(end)} --reason 'WHY'")
        skipped = "" if life is None else (
            "; rating goes on past it, which is then skipped, with: cloudkitty-like scopes reset "
            f"{which} --to {instant(end)} --reason 'WHY'; or by itself, as unknown, with "
            f"[orchestrator] gap_policy = {SKIP}")
        return Unavailable(
            f"the source has no sign of life in {period}: no data cannot be told from no usage",
            hint=f"where nothing was used, say so: {command}{skipped}")

    def _life_after(self, period: Period) -> datetime | None:
        """The first sign of life in the complete periods after one; None: there is none, or no answer."""
        if self._looked is not None and self._looked[0] <= period.end <= self._looked[1]:
            return self._looked[1]
        latest = self._latest()
        if latest <= period.end:
            return None
        try:
            life: datetime | None = self._gatherer.ask(
                lambda: self._begins(Period(period.end, latest)))
        except Error as error:
            LOG.info("looking for a sign of life after %s: %s", period, error)
            return None
        if life is not None:
            self._looked = period.end, life
        return life

    # --- what is unknown -------------------------------------------------------------------------

    def ask_again(self, budget: CorrectionBudget) -> int:
        """Ask the source again about what is unknown in our shards; how many tasks rate what it knows.

        Oldest first, a period at least, and more while there is time and
        nothing live is due.  Raises WorkerStop.
        """
        waiting: dict[Period, list[UnknownHole]] = {}
        for hole in self._holes.waiting():
            if budget.mine(hole.shard_hash):
                waiting.setdefault(hole.period, []).append(hole)
        answered: set[tuple[int, Period]] = set()
        postponed: list[UnknownHole] = []
        for period, holes in waiting.items():
            ids, failed = self._told(period, holes, budget.everybody)
            answered.update((hole.scope_id, period) for hole in holes if hole.id in ids)
            postponed += holes
            if failed:                 # there is no use in asking about the others now
                postponed = [hole for period_holes in waiting.values() for hole in period_holes]
            if failed or monotonic() > budget.ends or budget.live():
                break
        tasks = self._holes.fill(answered) if answered else 0
        self._postpone(postponed)
        return tasks

    def _postpone(self, holes: Sequence[UnknownHole]) -> None:
        """Ask again later; also where there is a task now, should somebody cancel it."""
        now, policy = self._holes.clock(), self._policy
        self._holes.postpone({
            hole.id: now + back_off(hole.tries + 1, first=policy.retry_first, most=policy.retry_most)
            for hole in holes})

    def _told(self, period: Period, holes: Sequence[UnknownHole],
              everybody: Sequence[str]) -> tuple[Collection[int], bool]:
        """The ids of those holes that the source knows now; and whether it failed about all."""
        names = {hole.scope for hole in holes}
        others = [name for name in everybody if name not in names]
        usage = self._gatherer.usage(period, sorted(names), others)
        accepted = self._holes.accepted(period) if usage.unproven else set()
        ids = {hole.id for hole in holes if hole.scope not in usage.failed
               and not usage.silent(hole.scope, hole.scope_id, accepted)}
        return ids, names <= usage.failed.keys()
