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
from cloudkitty_like.orchestrator.gc_threshold import raised_gc_threshold
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.orchestrator.obstacles import cause_of, unanswered
from cloudkitty_like.orchestrator.prefetch import Prefetch
from cloudkitty_like.orchestrator.rating import BatchOutcome
from cloudkitty_like.orchestrator.sweep import Sweep
from cloudkitty_like.orchestrator.worker_deps import CycleResult, WorkerDeps, WorkerSettings
from cloudkitty_like.service.pricing.usage import Rate

PATIENCE = 5            # failures of our own systems in a row, where somebody waits for an end
LONGEST_WAIT = 1.0      # seconds between looks at what others work on, there


class Worker:
    """Rates what is due.  ``progressed`` is told of every batch recorded: its period and number of scopes."""

    def __init__(self, deps: WorkerDeps, settings: WorkerSettings,
                 progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> None:
        self._deps, self._settings, self._progressed = deps, settings, progressed
        self._prefetch = Prefetch(deps.usage_collector)
        self._points: int | None = None        # in the period rated last
        self._sweep = Sweep(deps.ledger, deps.workers, settings.discovery)
        self._ends: datetime | None = None     # the last instant that the source will ever know of
        self._unanswered = False               # whether the source was asked and has said nothing

    @property
    def heartbeat(self) -> Heartbeat:
        """The worker's heartbeat, to be entered around its work."""
        return self._deps.heartbeat

    def discover(self) -> int:
        """Ask for scopes now, whoever may have done so lately; how many there are.  Raises where that fails."""
        try:
            return self._deps.scope_discovery.find()
        except WorkerStop:
            return 0

    def run(self) -> None:
        """Work until told to stop."""
        deps = self._deps
        deps.heartbeat.daemon = True
        while not deps.stop.is_set():
            busy, failure = False, None
            try:
                busy = self.cycle().recorded > 0
            except Error as error:
                failure = error
            except Exception as error:
                limit = exhausted(error)
                if limit is None:
                    raise
                self._prefetch.clear()        # it holds memory, and answers that may be half of one
                failure = Unavailable(limit)
            # Behind the handler: oslo.log adds to a line the error that is being handled.
            self._tell(busy, failure)
            if not busy:
                deps.stop.wait(self._settings.poll_seconds)

    def _tell(self, busy: bool, failure: Error | None) -> None:
        """Say in the log and in the heartbeat what keeps this worker from rating, and when that is over."""
        deps = self._deps
        if failure is not None:
            # Unavailable may pass by itself; rules or modules that nothing can be rated with need an operator.
            deps.outages.begin(self, "nothing can be rated", failure)
            deps.heartbeat.set_activity(f"waiting, as nothing can be rated: {failure}")
            deps.heartbeat.block(cause_of(failure))
            return
        deps.outages.end(self)
        if not busy:
            deps.heartbeat.set_activity("waiting")
        deps.heartbeat.block(SOURCE if self._unanswered or deps.scope_discovery.unanswered else None)

    def drain(self) -> None:
        """Work until nothing more can be rated now, by other workers neither; raises what keeps failing."""
        self._until_nothing_is_left(self.cycle)

    def correct(self) -> None:
        """Work off tasks only, until none can be now; raises what keeps failing."""
        self._until_nothing_is_left(self._correcting)

    def _until_nothing_is_left(self, cycle: Callable[[], CycleResult]) -> None:
        deps, failures = self._deps, 0
        while not deps.stop.is_set():
            look, failure = CycleResult(left=1), None
            try:
                look, failures = cycle(), 0
            except Unavailable as error:
                failures, failure = failures + 1, error
                if failures == PATIENCE:
                    raise
            if failure is None:
                deps.outages.end(self)
            else:
                deps.outages.begin(self, "trying again", failure)
            if not look.recorded:
                if not look.left:
                    return
                deps.heartbeat.set_activity("waiting for other workers")
                deps.stop.wait(min(self._settings.poll_seconds, LONGEST_WAIT))

    def cycle(self) -> CycleResult:
        """One look at all that is due: in our share of the shards, or else in all that nobody holds.

        For those that the others leave free may be those of a worker that is dead.
        """
        try:
            self.settle()
            with raised_gc_threshold():
                look = self._look(self._share())
                return look if look.recorded or look.everything else self._look(self._settings.shards)
        except WorkerStop:
            return CycleResult()

    def settle(self) -> None:
        """Look which metric definitions hold, and how far the source will ever know, before anything is taken up.

        Raises DefinitionsDiffer where nothing may be rated by those of this worker.
        """
        deps = self._deps.renewed()
        if deps is not None:
            self._deps, self._prefetch = deps, Prefetch(deps.usage_collector)
        with suppress(WorkerStop):
            self._ends = self._deps.ends()

    def _correcting(self) -> CycleResult:
        try:
            self.settle()
            with raised_gc_threshold(), self._deps.lease.hold(self._settings.shards) as shards:
                ruleset, rate = self._deps.rating()
                budget = self._budget(shards, self._deps.progress.identifiers(), (ruleset, rate))
                return CycleResult(*self._deps.task_runner.work(
                    replace(budget, live=lambda: False, progressed=self._progressed)), everything=True)
        except WorkerStop:
            return CycleResult()

    def _look(self, share: int) -> CycleResult:
        with self._deps.lease.hold(share) as shards:
            if 0 in shards:
                self._deps.scope_discovery.look(self._settings.discovery)
                self._sweep()
            else:
                self._deps.scope_discovery.unanswered = False       # another worker looks for scopes
            return self._work(shards)

    def _share(self) -> int:
        """As many shards as leave the other workers theirs."""
        return -(-self._settings.shards // max(self._deps.workers.alive(), 1))

    def _work(self, shards: Collection[int]) -> CycleResult:
        settings = self._settings
        ruleset, rate = self._deps.rating()
        states, others, everybody = self._due(shards, ruleset)
        new = [state for state in states if state.due is None]
        if new and self._deps.scope_discovery.start(new, settings.period, self._ends):
            states, others, everybody = self._due(shards, ruleset)
        recorded, left = 0, len(others)
        due_batches = batches(states, settings.period, settings.scopes_per_batch)
        self._prefetch.keep([batch.period for batch in due_batches])
        for batch in due_batches:
            if self._deps.stop.is_set():
                break
            ends = monotonic() + settings.slice_seconds / len(due_batches)
            for done, stale in self._caught_up(batch, everybody, ruleset, rate):
                recorded, left = recorded + done, left + stale
                if monotonic() > ends:
                    break
        # Then what is to be corrected: a period at least, so that who catches up for weeks does not keep it waiting.
        budget = self._budget(shards, everybody, (ruleset, rate))
        done, stale = self._deps.task_runner.work(budget)
        if not done:
            done = self._deps.gaps.ask_again(budget)
        return CycleResult(recorded + done, left + stale, len(shards) == settings.shards)

    def _budget(self, shards: Collection[int], everybody: Sequence[str], rating: tuple[int, Rate]) -> CorrectionBudget:
        return CorrectionBudget(
            mine=lambda shard_hash: shard_hash % self._settings.shards in shards, everybody=everybody,
            ruleset=rating[0], rate=rating[1], ends=monotonic() + self._settings.slice_seconds,
            live=lambda: bool(self._due(shards, rating[0])[0]), progressed=lambda period, scopes: None)

    def _due(self, shards: Collection[int],
             ruleset: int) -> tuple[list[ScopeState], list[ScopeState], Sequence[str]]:
        """The scopes that are due in our shards, those due in the others, and the ids of all scopes there are."""
        settings = self._settings
        scopes = self._deps.progress.due(ruleset)
        due = [state for state in scopes.due
               if state.due is None or (
                   (settings.until is None or state.due + settings.period <= settings.until)
                   and (self._ends is None or state.due <= self._ends))]
        ours = [state for state in due if state.shard_hash % settings.shards in shards]
        others = [state for state in due if state.shard_hash % settings.shards not in shards]
        return ours, others, scopes.identifiers

    def _caught_up(self, batch: Batch, everybody: Sequence[str], ruleset: int,
                   rate: Rate) -> Iterator[tuple[int, int]]:
        """Rate the batch's periods, one after the other; how many scopes were recorded in each, and stale."""
        while batch.states and self._may_be_rated(batch.period) and not self._deps.stop.is_set():
            outcome = self._rate(batch, everybody, ruleset, rate)
            yield len(outcome.recorded), len(outcome.stale)
            batch = batch.next(outcome.recorded)

    def _may_be_rated(self, period: Period) -> bool:
        if self._settings.until is not None and period.end > self._settings.until:
            return False
        if self._ends is not None and period.begin > self._ends:
            return False
        return is_over(period, self._deps.clock(), self._settings.wait_periods)

    def _rate(self, batch: Batch, everybody: Sequence[str], ruleset: int, rate: Rate) -> BatchOutcome:
        """One period of a batch, while the source answers about the next."""
        deps = self._deps
        deps.heartbeat.set_activity(f"rating {counted(len(batch.states), 'scope')} from {instant(batch.period.begin)}")
        answers = self._prefetch.answers(batch.period, batch.identifiers, everybody)
        following = batch.period.next()
        if self._may_go_ahead(following):
            self._prefetch.begin(following, batch.identifiers, everybody)
        usage = deps.usage_collector.await_usage(answers, batch.identifiers)
        self._unanswered = unanswered(usage, batch.identifiers)
        accepted = deps.holes.accepted(batch.period) if usage.unproven else set()
        outcome = deps.batch_rating.process(batch, usage, accepted, rate, ruleset)
        deps.gaps.settle(batch.period, outcome)
        self._points = outcome.points
        if outcome.failed:
            # What was begun ahead asks about scopes that are now set aside.
            self._prefetch.drop(following)
            deps.failures.keep(outcome.failed, ruleset)
        if outcome.recorded:
            deps.failures.over(state for state in batch.states if state.id in outcome.recorded)
            self._progressed(batch.period, len(outcome.recorded))
        return outcome

    def _may_go_ahead(self, following: Period) -> bool:
        """Whether to ask about the period after next in line while this one is rated."""
        return (self._points is not None and self._points <= self._settings.points_ahead
                and self._prefetch.may_begin(following) and self._may_be_rated(following))
