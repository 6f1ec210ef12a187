"""What there is to do: due scopes as batches that share a period, the live ones first."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.service.pricing.usage import Rate


@dataclass(frozen=True, slots=True)
class CorrectionBudget:
    """What a worker gives to the past at one time."""

    mine: Callable[[int], bool]                # whether a scope's hash is in a shard that is ours
    everybody: Sequence[str]                   # the ids of all scopes
    ruleset: int
    rate: Rate
    ends: float                                # of time.monotonic()
    live: Callable[[], bool]                   # whether a live period is due: that goes first
    progressed: Callable[[Period, int], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Scopes whose next period is the same."""

    period: Period
    states: tuple[ScopeState, ...]

    @property
    def identifiers(self) -> list[str]:
        return [state.identifier for state in self.states]

    def next(self, done: Collection[int]) -> Batch:
        """The scopes of these ids, one period on; recording one has cleared what was wrong with them."""
        return Batch(self.period.next(), tuple(
            replace(state, due=self.period.end, failures=0, error=None, error_kind=None, error_at=None, retry_at=None,
                    parked_ruleset=None)
            for state in self.states if state.id in done))


def batches(states: Iterable[ScopeState], length: timedelta, most: int) -> list[Batch]:
    """Started scopes by their due period, latest first, in batches of at most ``most``.

    Latest first, because a scope that has months to catch up must not keep
    those waiting that are up to date.
    """
    groups: dict[datetime, list[ScopeState]] = {}
    for state in states:
        if state.due is not None:
            groups.setdefault(state.due, []).append(state)
    return [
        Batch(Period.starting(begin, length), tuple(group[at:at + most]))
        for begin, group in sorted(groups.items(), reverse=True)
        for at in range(0, len(group), most)
    ]
