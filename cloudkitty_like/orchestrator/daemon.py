"""The worker: takes shards, finds what is due, and works until there is nothing left; then waits."""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from cloudkitty_like.db import ledger as index
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db import workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.scopes import ScopeState
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.schedule import is_over
from cloudkitty_like.orchestrator.collect import Gatherer, Stopped
from cloudkitty_like.orchestrator.failures import Failures
from cloudkitty_like.orchestrator.garbage import seldom_collected
from cloudkitty_like.orchestrator.heartbeat import Pulse
from cloudkitty_like.orchestrator.newcomers import Newcomers
from cloudkitty_like.orchestrator.process import Processor, Rate
from cloudkitty_like.orchestrator.work import Batch, batches
from cloudkitty_like.ports import Collected, Lease
from cloudkitty_like.service.ledger import Ledger

LOG = logging.getLogger(__name__)
ALIVE_WITHIN = timedelta(seconds=30)
BEGUN_AHEAD = 2


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
    until: datetime | None = None      # rate no period that ends later


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker works with."""

    database: Database
    ledger: Ledger
    newcomers: Newcomers
    gatherer: Gatherer
    processor: Processor
    failures: Failures
    rating: Callable[[], tuple[int, Rate]]     # the rule-set version of now, and what rates by it
    lease: Lease
    pulse: Pulse
    clock: Callable[[], datetime]
    stop: threading.Event


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

    @property
    def pulse(self) -> Pulse:
        """The worker's heartbeat, to be entered around its work."""
        return self._parts.pulse

    def discover(self) -> None:
        """Ask for scopes now, whoever may have done so lately."""
        self._parts.newcomers.look(timedelta(0))

    def run(self) -> None:
        """Work until told to stop."""
        parts = self._parts
        while not parts.stop.is_set():
            try:
                busy = self.cycle()
            except Unavailable as error:
                LOG.error("%s; trying again in %g s", error, self._tempo.poll_seconds)
                busy = False
            if not busy:
                parts.pulse.doing("waiting")
                parts.stop.wait(self._tempo.poll_seconds)

    def drain(self) -> None:
        """Work until nothing more can be rated now."""
        while self.cycle() and not self._parts.stop.is_set():
            pass

    def cycle(self) -> bool:
        """One look at all that is due in the shards that are ours; whether anything was done."""
        try:
            with seldom_collected(), self._parts.lease.hold(self._share()) as shards:
                if 0 in shards and self._parts.newcomers.look(self._tempo.discovery):
                    self._parts.ledger.sweep()
                return self._work(shards)
        except Stopped:
            return False

    def _share(self) -> int:
        """As many shards as leave the other workers theirs."""
        with self._parts.database.read() as tx:
            alive = workers.alive(tx, self._parts.clock(), ALIVE_WITHIN)
        return -(-self._tempo.shards // max(alive, 1))

    def _work(self, shards: Collection[int]) -> bool:
        ruleset, rate = self._parts.rating()
        states, everybody = self._due(shards, ruleset)
        new = [state for state in states if state.due is None]
        if new and self._parts.newcomers.start(new, self._tempo.period):
            states, everybody = self._due(shards, ruleset)
        recorded = 0
        for batch in batches(states, self._tempo.period, self._tempo.scopes_per_batch):
            recorded += self._catch_up(batch, everybody, ruleset, rate)
            if self._parts.stop.is_set():
                break
        return bool(recorded)

    def _due(self, shards: Collection[int], ruleset: int) -> tuple[list[ScopeState], list[str]]:
        """The scopes that are due in our shards, and the ids of all scopes there are."""
        tempo = self._tempo
        with self._parts.database.read() as tx:
            due = rows.due(tx, self._parts.clock(), length=tempo.period, wait_periods=tempo.wait_periods,
                           ruleset=ruleset)
            everybody = rows.identifiers(tx)
        ours = [state for state in due if state.shard_hash % tempo.shards in shards
                and (tempo.until is None or state.due is None or state.due + tempo.period <= tempo.until)]
        return ours, everybody

    def _catch_up(self, batch: Batch, everybody: Sequence[str], ruleset: int, rate: Rate) -> int:
        """Rate the batch's periods, one after the other, for a slice of time; how many scopes' periods."""
        recorded = 0
        ends = monotonic() + self._tempo.slice_seconds
        while batch.states and self._is_over(batch.period) and not self._parts.stop.is_set():
            done = self._rate(batch, everybody, ruleset, rate)
            recorded += len(done)
            batch = batch.next(done)
            if monotonic() > ends:
                break
        return recorded

    def _is_over(self, period: Period) -> bool:
        if self._tempo.until is not None and period.end > self._tempo.until:
            return False
        return is_over(period, self._parts.clock(), self._tempo.wait_periods)

    def _rate(self, batch: Batch, everybody: Sequence[str], ruleset: int, rate: Rate) -> set[int]:
        """One period of a batch, while the source answers about the next; the ids of the scopes recorded."""
        parts = self._parts
        parts.pulse.doing(f"rating {len(batch.states)} scopes from {instant(batch.period.begin)}")
        answers = self._answers(batch, everybody)
        following = batch.period.next()
        if self._is_over(following) and following not in self._ahead and len(self._ahead) < BEGUN_AHEAD:
            self._ahead[following] = self._begun(following, batch.identifiers, everybody)
        usage = parts.gatherer.await_usage(answers, batch.identifiers)
        accepted: set[int | None] = set()
        if usage.unproven:
            with parts.database.read() as tx:
                accepted = index.accepted(tx, batch.period)
        outcome = parts.processor.process(batch, usage, accepted, rate, ruleset)
        if outcome.failed:
            # What was begun ahead asks about scopes that are now set aside.
            self._ahead.pop(following, None)
            parts.failures.keep(outcome.failed, ruleset)
        if outcome.recorded:
            self._progressed(batch.period, len(outcome.recorded))
        return outcome.recorded

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
