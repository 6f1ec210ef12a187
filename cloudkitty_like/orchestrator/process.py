"""One batch of scopes, one period: rate what was collected, record it, say what went wrong with whom."""
from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cloudkitty_like.db.acceptances import Replaced
from cloudkitty_like.db.scopes import RATING, SOURCE, ScopeState
from cloudkitty_like.domain.errors import Conflict, Error, Invalid, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.collect import Usage
from cloudkitty_like.orchestrator.stages import RATE, RECORD, Stages
from cloudkitty_like.orchestrator.work import Batch
from cloudkitty_like.service.ledger import Rated
from cloudkitty_like.service.rating import Rate, Skip, by_metric, kept
from cloudkitty_like.service.trace import same_rows

LOG = logging.getLogger(__name__)


class Recorder(Protocol):
    """Where rated frames go: :class:`~cloudkitty_like.service.ledger.Ledger`, or what has its manners."""

    def record(self, batch: Sequence[Rated], ruleset: int) -> None:
        """All or nothing; Conflict where somebody else was faster."""

    def overtaken(self, batch: Sequence[Rated]) -> set[int]:
        """The ids of those scopes with which somebody else was faster."""


@dataclass
class Outcome:
    """What became of a batch: the ids of the scopes recorded, those left to another worker, the others' errors.

    ``silent``: those without usage, of which the source was not alive to tell that they had none.
    """

    recorded: set[int] = field(default_factory=set)
    points: int = 0                    # recorded
    overtaken: set[int] = field(default_factory=set)
    failed: list[tuple[ScopeState, str, Error]] = field(default_factory=list)     # state, SOURCE or RATING, why
    silent: list[ScopeState] = field(default_factory=list)


class Processor:
    """Turns usage into recorded frames.  ``skip`` says, by metric, which rated points to drop."""

    def __init__(self, ledger: Recorder, skip: Skip, stages: Stages) -> None:
        self._ledger, self._skip, self._stages = ledger, skip, stages

    def process(self, batch: Batch, usage: Usage, accepted: Collection[int | None], rate: Rate,
                ruleset: int) -> Outcome:
        """Rate and record every scope that can be; a failing one holds nobody else.  ``usage`` is used up.

        ``accepted``: ids of the scopes for which an operator has accepted that
        no data means no usage; None among them stands for all.
        """
        outcome = Outcome()
        rated = []
        with self._stages.measure(RATE):
            for state in batch.states:
                try:
                    error = usage.failed.get(state.identifier)
                    if error is not None:
                        outcome.failed.append((state, SOURCE, error))
                        continue
                    if usage.silent(state.identifier, state.id, accepted):
                        outcome.silent.append(state)
                        continue
                    rated.append(self._rated(state, batch.period, usage.frames.pop(state.identifier, ()), rate))
                except Unavailable as error:
                    # What rates it could not work, which is neither the rules' nor the data's fault: tried again.
                    outcome.failed.append((state, SOURCE, error))
                except Error as error:
                    outcome.failed.append((state, RATING, error))
                except Exception as error:
                    # A rating module's bug: loud, and the scope's alone.
                    LOG.exception("rating scope %r in %s", state.identifier, batch.period)
                    outcome.failed.append((state, RATING, Invalid(f"rating failed: {error!r}")))
        with self._stages.measure(RECORD):
            self._record(rated, ruleset, outcome)
        return outcome

    def _rated(self, state: ScopeState, period: Period, usage: Sequence[Frame], rate: Rate) -> Rated:
        collected = by_metric(usage)
        frames = kept([frame for frame in rate(state.identifier, period, collected) if len(frame)], self._skip)
        same = len(frames) == len(collected) and all(map(same_rows, frames, collected))
        return Rated(state, period, tuple(frame for frame in frames if len(frame)), None if same else tuple(collected))

    def _record(self, rated: Sequence[Rated], ruleset: int, outcome: Outcome) -> None:
        """All in one transaction; where that fails halves, so that one scope cannot hold the others."""
        if not rated:
            return
        try:
            self._ledger.record(rated, ruleset)
        except (Unavailable, Replaced):
            raise           # the state database is down, or the definitions changed: no fault of any scope in the batch
        except Error as error:
            self._record_apart(rated, ruleset, outcome, error)
            return
        points = sum(one.points for one in rated)
        outcome.recorded.update(one.state.id for one in rated)
        outcome.points += points
        self._stages.recorded(len(rated), points)

    def _record_apart(self, rated: Sequence[Rated], ruleset: int, outcome: Outcome, error: Error) -> None:
        """What cannot be recorded together: without those that another worker was faster with, or in halves."""
        if isinstance(error, Conflict):
            gone = self._ledger.overtaken(rated)
            if gone or len(rated) == 1:
                outcome.overtaken |= gone or {rated[0].state.id}
                LOG.info("%d scopes, %s: left to another worker: %s", len(gone) or 1, rated[0].period, error)
                self._record([one for one in rated if one.state.id not in outcome.overtaken], ruleset, outcome)
                return
        if len(rated) > 1:
            middle = len(rated) // 2
            self._record(rated[:middle], ruleset, outcome)
            self._record(rated[middle:], ruleset, outcome)
        else:
            outcome.failed.append((rated[0].state, RATING, error))
