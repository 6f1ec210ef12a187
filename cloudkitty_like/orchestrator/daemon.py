"""The worker: takes shards, finds what is due, and works until there is nothing left; then waits."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from time import monotonic

from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.schedule import is_over
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.domain.text import counted
from cloudkitty_like.domain.worker_state import SOURCE
from cloudkitty_like.orchestrator.batches import Batch, CorrectionBudget, batches
from cloudkitty_like.orchestrator.collection import WorkerStop
from cloudkitty_like.orchestrator.gc_threshold import raised
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.orchestrator.obstacles import cause_of, unanswered
from cloudkitty_like.orchestrator.parts import CycleResult, WorkerDeps, WorkerSettings
from cloudkitty_like.orchestrator.prefetch import Prefetch
from cloudkitty_like.orchestrator.rating import BatchOutcome
from cloudkitty_like.orchestrator.sweep import Sweep
from cloudkitty_like.service.pricing.usage import Rate

PATIENCE = 5            # failures of our own systems in a row, where somebody waits for an end
LONGEST_WAIT = 1.0      # seconds between looks at what others work on, there


class Worker:
    """Rates what is due.  ``progressed`` is told of every batch recorded: its period and number of scopes."""

    def __init__(self, parts: WorkerDeps, tempo: WorkerSettings,
                 progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> None:
        self._parts, self._tempo, self._progressed = parts, tempo, progressed
        self._ahead = Prefetch(parts.gatherer)
        self._points: int | None = None        # in the period rated last
        self._sweep = Sweep(parts.ledger, parts.workers, tempo.discovery)
        self._ends: datetime | None = None     # the last instant that the source will ever know of
        self._unanswered = False               # whether the source was asked and has said nothing

    @property
    def pulse(self) -> Heartbeat:
        """The worker's heartbeat, to be entered around its work."""
        return self._parts.pulse

    def discover(self) -> int:
        """Ask for scopes now, whoever may have done so lately; how many there are.  Raises where that fails."""
        try:
            return self._parts.newcomers.find()
        except WorkerStop:
            return 0

    def run(self) -> None:
        """Work until told to stop."""
        parts = self._parts
        parts.pulse.daemon = True
        while not parts.stop.is_set():
            busy, failure = False, None
            try:
                busy = self.cycle().recorded > 0
            except Error as error:
                failure = error
            except Exception as error:
                limit = exhausted(error)
                if limit is None:
                    raise
                self._ahead.clear()        # it holds memory, and answers that may be half of one
                failure = Unavailable(limit)
            # Behind the handler: oslo.log adds to a line the error that is being handled.
            self._tell(busy, failure)
            if not busy:
                parts.stop.wait(self._tempo.poll_seconds)

    def _tell(self, busy: bool, failure: Error | None) -> None:
        """Say in the log and in the heartbeat what keeps this worker from rating, and when that is over."""
        parts = self._parts
        if failure is not None:
            # Unavailable may pass by itself; rules or modules that nothing can be rated with need an operator.
            parts.outages.begin(self, "nothing can be rated", failure)
            parts.pulse.doing(f"waiting, as nothing can be rated: {failure}")
            parts.pulse.block(cause_of(failure))
            return
        parts.outages.end(self)
        if not busy:
            parts.pulse.doing("waiting")
        parts.pulse.block(SOURCE if self._unanswered or parts.newcomers.unanswered else None)

    def drain(self) -> None:
        """Work until nothing more can be rated now, by other workers neither; raises what keeps failing."""
        self._until_nothing_is_left(self.cycle)

    def correct(self) -> None:
        """Work off tasks only, until none can be now; raises what keeps failing."""
        self._until_nothing_is_left(self._correcting)

    def _until_nothing_is_left(self, cycle: Callable[[], CycleResult]) -> None:
        parts, failures = self._parts, 0
        while not parts.stop.is_set():
            look, failure = CycleResult(left=1), None
            try:
                look, failures = cycle(), 0
            except Unavailable as error:
                failures, failure = failures + 1, error
                if failures == PATIENCE:
                    raise
            if failure is None:
                parts.outages.end(self)
            else:
                parts.outages.begin(self, "trying again", failure)
            if not look.recorded:
                if not look.left:
                    return
                parts.pulse.doing("waiting for other workers")
                parts.stop.wait(min(self._tempo.poll_seconds, LONGEST_WAIT))

    def cycle(self) -> CycleResult:
        """One look at all that is due: in our share of the shards, or else in all that nobody holds.

        For those that the others leave free may be those of a worker that is dead.
        """
        try:
            self.settle()
            with raised():
                look = self._look(self._share())
                return look if look.recorded or look.everything else self._look(self._tempo.shards)
        except WorkerStop:
            return CycleResult()

    def settle(self) -> None:
        """Look which metric definitions hold, and how far the source will ever know, before anything is taken up.

        Raises Differing where nothing may be rated by those of this worker.
        """
        parts = self._parts.renewed()
        if parts is not None:
            self._parts, self._ahead = parts, Prefetch(parts.gatherer)
        with suppress(WorkerStop):
            self._ends = self._parts.ends()

    def _correcting(self) -> CycleResult:
        try:
            self.settle()
            with raised(), self._parts.lease.hold(self._tempo.shards) as shards:
                ruleset, rate = self._parts.rating()
                turn = self._turn(shards, self._parts.progress.identifiers(), (ruleset, rate))
                return CycleResult(*self._parts.reprocessor.work(
                    replace(turn, live=lambda: False, progressed=self._progressed)), everything=True)
        except WorkerStop:
            return CycleResult()

    def _look(self, share: int) -> CycleResult:
        with self._parts.lease.hold(share) as shards:
            if 0 in shards:
                self._parts.newcomers.look(self._tempo.discovery)
                self._sweep()
            else:
                self._parts.newcomers.unanswered = False       # another worker looks for scopes
            return self._work(shards)

    def _share(self) -> int:
        """As many shards as leave the other workers theirs."""
        return -(-self._tempo.shards // max(self._parts.workers.alive(), 1))

    def _work(self, shards: Collection[int]) -> CycleResult:
        tempo = self._tempo
        ruleset, rate = self._parts.rating()
        states, others, everybody = self._due(shards, ruleset)
        new = [state for state in states if state.due is None]
        if new and self._parts.newcomers.start(new, tempo.period, self._ends):
            states, others, everybody = self._due(shards, ruleset)
        recorded, left = 0, len(others)
        found = batches(states, tempo.period, tempo.scopes_per_batch)
        self._ahead.keep([batch.period for batch in found])
        for batch in found:
            if self._parts.stop.is_set():
                break
            ends = monotonic() + tempo.slice_seconds / len(found)
            for done, overtaken in self._caught_up(batch, everybody, ruleset, rate):
                recorded, left = recorded + done, left + overtaken
                if monotonic() > ends:
                    break
        # Then what is to be corrected: a period at least, so that who catches up for weeks does not keep it waiting.
        turn = self._turn(shards, everybody, (ruleset, rate))
        done, overtaken = self._parts.reprocessor.work(turn)
        if not done:
            done = self._parts.gaps.ask_again(turn)
        return CycleResult(recorded + done, left + overtaken, len(shards) == tempo.shards)

    def _turn(self, shards: Collection[int], everybody: Sequence[str], rating: tuple[int, Rate]) -> CorrectionBudget:
        return CorrectionBudget(
            mine=lambda shard_hash: shard_hash % self._tempo.shards in shards, everybody=everybody,
            ruleset=rating[0], rate=rating[1], ends=monotonic() + self._tempo.slice_seconds,
            live=lambda: bool(self._due(shards, rating[0])[0]), progressed=lambda period, scopes: None)

    def _due(self, shards: Collection[int],
             ruleset: int) -> tuple[list[ScopeState], list[ScopeState], Sequence[str]]:
        """The scopes that are due in our shards, those due in the others, and the ids of all scopes there are."""
        tempo = self._tempo
        scopes = self._parts.progress.due(ruleset)
        wanted = [state for state in scopes.due
                  if state.due is None or (
                      (tempo.until is None or state.due + tempo.period <= tempo.until)
                      and (self._ends is None or state.due <= self._ends))]
        ours = [state for state in wanted if state.shard_hash % tempo.shards in shards]
        others = [state for state in wanted if state.shard_hash % tempo.shards not in shards]
        return ours, others, scopes.identifiers

    def _caught_up(self, batch: Batch, everybody: Sequence[str], ruleset: int,
                   rate: Rate) -> Iterator[tuple[int, int]]:
        """Rate the batch's periods, one after the other; how many scopes were recorded in each, and overtaken."""
        while batch.states and self._may_be_rated(batch.period) and not self._parts.stop.is_set():
            outcome = self._rate(batch, everybody, ruleset, rate)
            yield len(outcome.recorded), len(outcome.overtaken)
            batch = batch.next(outcome.recorded)

    def _may_be_rated(self, period: Period) -> bool:
        if self._tempo.until is not None and period.end > self._tempo.until:
            return False
        if self._ends is not None and period.begin > self._ends:
            return False
        return is_over(period, self._parts.clock(), self._tempo.wait_periods)

    def _rate(self, batch: Batch, everybody: Sequence[str], ruleset: int, rate: Rate) -> BatchOutcome:
        """One period of a batch, while the source answers about the next."""
        parts = self._parts
        parts.pulse.doing(f"rating {counted(len(batch.states), 'scope')} from {instant(batch.period.begin)}")
        answers = self._ahead.answers(batch.period, batch.identifiers, everybody)
        following = batch.period.next()
        if self._may_go_ahead(following):
            self._ahead.begin(following, batch.identifiers, everybody)
        usage = parts.gatherer.await_usage(answers, batch.identifiers)
        self._unanswered = unanswered(usage, batch.identifiers)
        accepted = parts.holes.accepted(batch.period) if usage.unproven else set()
        outcome = parts.processor.process(batch, usage, accepted, rate, ruleset)
        parts.gaps.settle(batch.period, outcome)
        self._points = outcome.points
        if outcome.failed:
            # What was begun ahead asks about scopes that are now set aside.
            self._ahead.drop(following)
            parts.failures.keep(outcome.failed, ruleset)
        if outcome.recorded:
            parts.failures.over(state for state in batch.states if state.id in outcome.recorded)
            self._progressed(batch.period, len(outcome.recorded))
        return outcome

    def _may_go_ahead(self, following: Period) -> bool:
        """Whether to ask about the period after next in line while this one is rated."""
        return (self._points is not None and self._points <= self._tempo.points_ahead
                and self._ahead.may_begin(following) and self._may_be_rated(following))
