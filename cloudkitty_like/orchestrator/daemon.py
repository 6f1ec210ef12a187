"""The worker: takes shards, finds what is due, and works until there is nothing left; then waits."""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

from cloudkitty_like.db import holes, workers
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.scopes import ScopeState
from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.schedule import is_over
from cloudkitty_like.domain.text import counted
from cloudkitty_like.orchestrator.collect import Gatherer, Stopped
from cloudkitty_like.orchestrator.failures import Failures
from cloudkitty_like.orchestrator.garbage import seldom_collected
from cloudkitty_like.orchestrator.heartbeat import Pulse
from cloudkitty_like.orchestrator.newcomers import Newcomers
from cloudkitty_like.orchestrator.process import Outcome, Processor
from cloudkitty_like.orchestrator.reprocess import Reprocessor, Turn
from cloudkitty_like.orchestrator.work import Batch, batches
from cloudkitty_like.ports import Collected, Lease
from cloudkitty_like.service.ledger import Ledger
from cloudkitty_like.service.rating import Rate

LOG = logging.getLogger(__name__)
FORGOTTEN_AFTER = timedelta(minutes=10)     # a worker that gives no sign of life
BEGUN_AHEAD = 2
PATIENCE = 5            # failures of our own systems in a row, where somebody waits for an end
LONGEST_WAIT = 1.0      # seconds between looks at what others work on, there


@dataclass(frozen=True, slots=True)
class Tempo:
    """How a worker spends its time."""

    period: timedelta
    wait_periods: int
    shards: int
    scopes_per_batch: int = 5000
    slice_seconds: float = 5.0         # of catching up, before looking what else is due
    poll_seconds: float = 5.0          # between looks where nothing was due
    discovery: timedelta = timedelta(minutes=1)
    points_ahead: int = 50_000         # two periods larger than this are not held in memory at once
    until: datetime | None = None      # rate no period that ends later


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker works with."""

    database: Database
    ledger: Ledger
    newcomers: Newcomers
    gatherer: Gatherer
    processor: Processor
    reprocessor: Reprocessor
    failures: Failures
    rating: Callable[[], tuple[int, Rate]]     # the rule-set version of now, and what rates by it
    lease: Lease
    pulse: Pulse
    clock: Callable[[], datetime]
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at all that is due came to, in scopes' periods."""

    recorded: int = 0
    left: int = 0                      # due, but other workers are at them
    everything: bool = False           # whether all shards were ours


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A collection begun before its turn."""

    scopes: frozenset[str]
    answers: list[Future[Collected]]


class Worker:
    """Rates what is due.  ``progressed`` is told of every batch recorded: its period and number of scopes."""

    def __init__(self, parts: Parts, tempo: Tempo,
                 progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> None:
        self._parts, self._tempo, self._progressed = parts, tempo, progressed
        self._ahead: dict[Period, _Ahead] = {}
        self._points: int | None = None        # in the period rated last
        self._swept: float | None = None

    @property
    def pulse(self) -> Pulse:
        """The worker's heartbeat, to be entered around its work."""
        return self._parts.pulse

    def discover(self) -> int:
        """Ask for scopes now, whoever may have done so lately; how many there are.  Raises where that fails."""
        try:
            return self._parts.newcomers.find()
        except Stopped:
            return 0

    def run(self) -> None:
        """Work until told to stop."""
        parts = self._parts
        while not parts.stop.is_set():
            try:
                busy, doing = self.cycle().recorded > 0, "waiting"
            except Error as error:
                # Unavailable may pass by itself; rules or modules that nothing can be rated with need an operator.
                LOG.error("nothing can be rated: %s; trying again in %g s", error, self._tempo.poll_seconds)
                busy, doing = False, f"waiting, as nothing can be rated: {error}"
            if not busy:
                parts.pulse.doing(doing)
                parts.stop.wait(self._tempo.poll_seconds)

    def drain(self) -> None:
        """Work until nothing more can be rated now, by other workers neither; raises what keeps failing."""
        self._until_nothing_is_left(self.cycle)

    def correct(self) -> None:
        """Work off tasks only, until none can be now; raises what keeps failing."""
        self._until_nothing_is_left(self._correcting)

    def _until_nothing_is_left(self, cycle: Callable[[], Look]) -> None:
        parts, failures = self._parts, 0
        while not parts.stop.is_set():
            try:
                look, failures = cycle(), 0
            except Unavailable as error:
                failures += 1
                if failures == PATIENCE:
                    raise
                LOG.warning("%s; trying again", error)
                look = Look(left=1)
            if not look.recorded:
                if not look.left:
                    return
                parts.pulse.doing("waiting for other workers")
                parts.stop.wait(min(self._tempo.poll_seconds, LONGEST_WAIT))

    def cycle(self) -> Look:
        """One look at all that is due: in our share of the shards, or else in all that nobody holds.

        For those that the others leave free may be those of a worker that is dead.
        """
        try:
            with seldom_collected():
                look = self._look(self._share())
                return look if look.recorded or look.everything else self._look(self._tempo.shards)
        except Stopped:
            return Look()

    def _correcting(self) -> Look:
        try:
            with seldom_collected(), self._parts.lease.hold(self._tempo.shards) as shards:
                ruleset, rate = self._parts.rating()
                with self._parts.database.read() as tx:
                    everybody = rows.identifiers(tx)
                turn = self._turn(shards, everybody, (ruleset, rate))
                return Look(*self._parts.reprocessor.work(
                    replace(turn, live=lambda: False, progressed=self._progressed)), everything=True)
        except Stopped:
            return Look()

    def _look(self, share: int) -> Look:
        with self._parts.lease.hold(share) as shards:
            if 0 in shards:
                self._parts.newcomers.look(self._tempo.discovery)
                self._sweep()
            return self._work(shards)

    def _sweep(self) -> None:
        """Clear away what killed workers have left, now and then."""
        if self._swept is not None and monotonic() - self._swept < self._tempo.discovery.total_seconds():
            return
        self._swept = monotonic()
        self._parts.ledger.sweep()
        self._parts.database.transact(lambda tx: workers.sweep(tx, self._parts.clock() - FORGOTTEN_AFTER))

    def _share(self) -> int:
        """As many shards as leave the other workers theirs."""
        with self._parts.database.read() as tx:
            alive = workers.alive(tx, self._parts.clock(), workers.ALIVE_WITHIN)
        return -(-self._tempo.shards // max(alive, 1))

    def _work(self, shards: Collection[int]) -> Look:
        tempo = self._tempo
        ruleset, rate = self._parts.rating()
        states, others, everybody = self._due(shards, ruleset)
        new = [state for state in states if state.due is None]
        if new and self._parts.newcomers.start(new, tempo.period):
            states, others, everybody = self._due(shards, ruleset)
        recorded, left = 0, len(others)
        found = batches(states, tempo.period, tempo.scopes_per_batch)
        # What was begun ahead and is not next any more would be old when its turn came.
        self._ahead = {period: ahead for period, ahead in self._ahead.items()
                       if any(batch.period == period for batch in found)}
        for batch in found:
            if self._parts.stop.is_set():
                break
            ends = monotonic() + tempo.slice_seconds / len(found)
            for done, overtaken in self._caught_up(batch, everybody, ruleset, rate):
                recorded, left = recorded + done, left + overtaken
                if monotonic() > ends:
                    break
        # Then what is to be corrected: a period at least, so that who catches up for weeks does not keep it waiting.
        done, overtaken = self._parts.reprocessor.work(self._turn(shards, everybody, (ruleset, rate)))
        return Look(recorded + done, left + overtaken, len(shards) == tempo.shards)

    def _turn(self, shards: Collection[int], everybody: Sequence[str], rating: tuple[int, Rate]) -> Turn:
        return Turn(
            mine=lambda state: state.shard_hash % self._tempo.shards in shards, everybody=everybody,
            ruleset=rating[0], rate=rating[1], ends=monotonic() + self._tempo.slice_seconds,
            live=lambda: bool(self._due(shards, rating[0])[0]), progressed=lambda period, scopes: None)

    def _due(self, shards: Collection[int],
             ruleset: int) -> tuple[list[ScopeState], list[ScopeState], list[str]]:
        """The scopes that are due in our shards, those due in the others, and the ids of all scopes there are."""
        tempo = self._tempo
        with self._parts.database.read() as tx:
            due = rows.due(tx, self._parts.clock(), length=tempo.period, wait_periods=tempo.wait_periods,
                           ruleset=ruleset)
            everybody = rows.identifiers(tx)
        wanted = [state for state in due
                  if tempo.until is None or state.due is None or state.due + tempo.period <= tempo.until]
        ours = [state for state in wanted if state.shard_hash % tempo.shards in shards]
        others = [state for state in wanted if state.shard_hash % tempo.shards not in shards]
        return ours, others, everybody

    def _caught_up(self, batch: Batch, everybody: Sequence[str], ruleset: int,
                   rate: Rate) -> Iterator[tuple[int, int]]:
        """Rate the batch's periods, one after the other; how many scopes were recorded in each, and overtaken."""
        while batch.states and self._is_over(batch.period) and not self._parts.stop.is_set():
            outcome = self._rate(batch, everybody, ruleset, rate)
            yield len(outcome.recorded), len(outcome.overtaken)
            batch = batch.next(outcome.recorded)

    def _is_over(self, period: Period) -> bool:
        if self._tempo.until is not None and period.end > self._tempo.until:
            return False
        return is_over(period, self._parts.clock(), self._tempo.wait_periods)

    def _rate(self, batch: Batch, everybody: Sequence[str], ruleset: int, rate: Rate) -> Outcome:
        """One period of a batch, while the source answers about the next."""
        parts = self._parts
        parts.pulse.doing(f"rating {counted(len(batch.states), 'scope')} from {instant(batch.period.begin)}")
        answers = self._answers(batch, everybody)
        following = batch.period.next()
        if self._may_go_ahead(following):
            self._ahead[following] = self._begun(following, batch.identifiers, everybody)
        usage = parts.gatherer.await_usage(answers, batch.identifiers)
        accepted: set[int | None] = set()
        if usage.unproven:
            with parts.database.read() as tx:
                accepted = holes.accepted(tx, batch.period)
        outcome = parts.processor.process(batch, usage, accepted, rate, ruleset)
        self._points = outcome.points
        if outcome.failed:
            # What was begun ahead asks about scopes that are now set aside.
            self._ahead.pop(following, None)
            parts.failures.keep(outcome.failed, ruleset)
        if outcome.recorded:
            self._progressed(batch.period, len(outcome.recorded))
        return outcome

    def _may_go_ahead(self, following: Period) -> bool:
        """Whether to ask about the period after next in line while this one is rated."""
        return (self._points is not None and self._points <= self._tempo.points_ahead and len(self._ahead) < BEGUN_AHEAD
                and following not in self._ahead and self._is_over(following))

    def _answers(self, batch: Batch, everybody: Sequence[str]) -> list[Future[Collected]]:
        """The collection begun ahead if it covers this batch, else a new one."""
        ahead = self._ahead.pop(batch.period, None)
        if ahead is not None and ahead.scopes.issuperset(batch.identifiers):
            return ahead.answers
        return self._begun(batch.period, batch.identifiers, everybody).answers

    def _begun(self, period: Period, scopes: Sequence[str], everybody: Sequence[str]) -> _Ahead:
        wanted = frozenset(scopes)
        others = [scope for scope in everybody if scope not in wanted]
        return _Ahead(wanted, self._parts.gatherer.begin(period, scopes, others))
