"""One batch of scopes, one period: rate what was collected, record it, say what went wrong with whom."""
from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from cloudkitty_like.domain.acceptance import ReplacedDefinitions
from cloudkitty_like.domain.errors import Conflict, Error, Invalid, Unavailable
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.patience import PatienceEnd
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import RATING, SOURCE, ScopeState
from cloudkitty_like.orchestrator.batches import Batch
from cloudkitty_like.orchestrator.collection import CollectedUsage
from cloudkitty_like.orchestrator.concurrent_rating import PATIENCE, ConcurrentRating
from cloudkitty_like.orchestrator.timings import RATE, RECORD, StageTimings
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.pricing.trace import same_rows
from cloudkitty_like.service.pricing.usage import Rate, SkipPredicates, by_metric, without_skipped

LOG = logging.getLogger(__name__)
SECONDS_PER_POINT = 0.0001
"""A scope's patience for its size; a script takes a twentieth of that."""


class Recorder(Protocol):
    """Where rated frames go: :class:`~cloudkitty_like.service.ledger.writer.Ledger`, or what has its manners."""

    def record(self, batch: Sequence[RatedPeriod], ruleset: int) -> None:
        """All or nothing; Conflict where somebody else was faster."""

    def stale_scopes(self, batch: Sequence[RatedPeriod]) -> set[int]:
        """The ids of those scopes with which somebody else was faster."""


ScopeError = tuple[ScopeState, str, Error]
"""State, SOURCE or RATING, why."""


@dataclass
class BatchOutcome:
    """What became of a batch: the ids of the scopes recorded, those left to another worker, the others' errors.

    ``silent``: those without usage, of which the source was not alive to tell that they had none.
    """

    recorded: set[int] = field(default_factory=set)
    points: int = 0                    # recorded
    stale: set[int] = field(default_factory=set)
    failed: list[ScopeError] = field(default_factory=list)
    silent: list[ScopeState] = field(default_factory=list)


class BatchRating:
    """Turns usage into recorded frames.  ``skip`` says, by metric, which rated points to drop."""

    def __init__(self, ledger: Recorder, skip: SkipPredicates, stages: StageTimings,
                 stop: threading.Event | None = None) -> None:
        self._ledger, self._skip, self._stages = ledger, skip, stages
        self._stop = threading.Event() if stop is None else stop

    def process(self, batch: Batch, usage: CollectedUsage, accepted: Collection[int | None], rate: Rate,
                ruleset: int) -> BatchOutcome:
        """Rate and record every scope that can be; a failing one holds nobody else.  ``usage`` is used up.

        ``accepted``: ids of the scopes for which an operator has accepted that
        no data means no usage; None among them stands for all.  Where ``rate``
        has a member ``side_by_side`` it is given so many scopes at a time, and
        what is rated is recorded while others take long.  Told to stop, it leaves
        the scopes that are not rated yet, which stay due.
        """
        outcome = BatchOutcome()
        states = []
        for state in batch.states:
            error = usage.failed.get(state.identifier)
            if error is not None:
                outcome.failed.append((state, SOURCE, error))
            elif usage.silent(state.identifier, state.id, accepted):
                outcome.silent.append(state)
            else:
                states.append(state)
        with closing(self._results(batch.period, states, usage, rate)) as groups:
            for results in groups:
                rated = [result for result in results if isinstance(result, RatedPeriod)]
                outcome.failed += [result for result in results if not isinstance(result, RatedPeriod)]
                with self._stages.measure(RECORD):
                    self._record(rated, ruleset, outcome)
        order = {state.id: number for number, state in enumerate(batch.states)}
        outcome.failed.sort(key=lambda failure: order[failure[0].id])
        return outcome

    def _results(self, period: Period, states: Sequence[ScopeState], usage: CollectedUsage,
                 rate: Rate) -> Generator[Sequence[RatedPeriod | ScopeError]]:
        """What became of every scope, in groups that are to be recorded one after the other."""
        def frames_of(state: ScopeState) -> Sequence[Frame]:
            return usage.frames.get(state.identifier, ())

        def work(state: ScopeState) -> RatedPeriod | ScopeError:
            result = self._rated_or_failed(state, period, frames_of(state), rate)
            usage.frames.pop(state.identifier, None)
            return result

        def measured(state: ScopeState) -> RatedPeriod | ScopeError:
            with self._stages.measure(RATE):
                return work(state)

        def patient(state: ScopeState) -> float:
            return PATIENCE + SECONDS_PER_POINT * sum(map(len, frames_of(state)))

        lanes: int = getattr(rate, "side_by_side", 0)
        if lanes:
            yield from ConcurrentRating(measured, patient, lanes, self._stop).groups(states)
            return
        with self._stages.measure(RATE):
            results = list(map(work, states))
        yield results

    def _rated_or_failed(self, state: ScopeState, period: Period, usage: Sequence[Frame], rate: Rate
                         ) -> RatedPeriod | ScopeError:
        try:
            return self._rated(state, period, usage, rate)
        except PatienceEnd:
            raise
        except Unavailable as error:
            # What rates it could not work: neither the rules' nor the data's fault, so tried again.
            return state, SOURCE, error
        except Error as error:
            return state, RATING, error
        except Exception as error:
            limit = exhausted(error)
            if limit is not None:
                return state, SOURCE, Unavailable(limit)
            # A rating module's bug: loud, and the scope's alone.
            LOG.exception("rating scope %r in %s", state.identifier, period)
            return state, RATING, Invalid(f"rating failed: {error!r}")

    def _rated(self, state: ScopeState, period: Period, usage: Sequence[Frame], rate: Rate) -> RatedPeriod:
        collected = by_metric(usage)
        frames = without_skipped([frame for frame in rate(state.identifier, period, collected)
                                  if len(frame)], self._skip)
        same = len(frames) == len(collected) and all(map(same_rows, frames, collected))
        return RatedPeriod(state, period, tuple(frame for frame in frames if len(frame)),
                           None if same else tuple(collected))

    def _record(self, rated: Sequence[RatedPeriod], ruleset: int, outcome: BatchOutcome) -> None:
        """All in one transaction; where that fails halves, so that one scope cannot hold the others."""
        if not rated:
            return
        try:
            self._ledger.record(rated, ruleset)
        except (Unavailable, ReplacedDefinitions):
            raise           # the state database is down, or the definitions changed: no fault of any scope in the batch
        except Error as error:
            self._record_apart(rated, ruleset, outcome, error)
            return
        points = sum(result.points for result in rated)
        outcome.recorded.update(result.state.id for result in rated)
        outcome.points += points
        self._stages.recorded(len(rated), points)

    def _record_apart(self, rated: Sequence[RatedPeriod], ruleset: int, outcome: BatchOutcome, error: Error) -> None:
        """What cannot be recorded together: without those that another worker was faster with, or in halves."""
        if isinstance(error, Conflict):
            gone = self._ledger.stale_scopes(rated)
            if gone or len(rated) == 1:
                outcome.stale |= gone or {rated[0].state.id}
                LOG.info("%d scopes, %s: left to another worker: %s", len(gone) or 1, rated[0].period, error)
                self._record([result for result in rated if result.state.id not in outcome.stale],
                             ruleset, outcome)
                return
        if len(rated) > 1:
            middle = len(rated) // 2
            self._record(rated[:middle], ruleset, outcome)
            self._record(rated[middle:], ruleset, outcome)
        else:
            outcome.failed.append((rated[0].state, RATING, error))
