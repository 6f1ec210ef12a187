"""Usage that is asked for before its budget: the source answers about a period while the one before is rated."""
from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.collection import UsageCollector
from cloudkitty_like.ports import CollectorAnswer

BEGUN_AHEAD = 2


@dataclass(frozen=True, slots=True)
class _Begun:
    """A collection begun before its budget."""

    scopes: frozenset[str]
    answers: list[Future[CollectorAnswer]]


class Prefetch:
    """The collections that have been begun, by period; at most BEGUN_AHEAD."""

    def __init__(self, usage_collector: UsageCollector) -> None:
        self._gatherer = usage_collector
        self._begun: dict[Period, _Begun] = {}

    def keep(self, periods: Collection[Period]) -> None:
        """Drop what is not next any more: it would be old when its budget came."""
        self._begun = {period: begun for period, begun in self._begun.items() if period in periods}

    def drop(self, period: Period) -> None:
        """Drop what was begun about this period."""
        self._begun.pop(period, None)

    def clear(self) -> None:
        """Drop everything."""
        self._begun.clear()

    def may_begin(self, period: Period) -> bool:
        """Whether to ask about it already."""
        return len(self._begun) < BEGUN_AHEAD and period not in self._begun

    def begin(self, period: Period, scopes: Sequence[str], everybody: Sequence[str]) -> None:
        """Ask about it already."""
        self._begun[period] = self._asked(period, scopes, everybody)

    def answers(self, period: Period, scopes: Sequence[str], everybody: Sequence[str]) -> list[Future[CollectorAnswer]]:
        """The collection begun ahead if it covers these scopes, else a new one."""
        ahead = self._begun.pop(period, None)
        if ahead is not None and ahead.scopes.issuperset(scopes):
            return ahead.answers
        return self._asked(period, scopes, everybody).answers

    def _asked(self, period: Period, scopes: Sequence[str], everybody: Sequence[str]) -> _Begun:
        identifiers = frozenset(scopes)
        others = [scope for scope in everybody if scope not in identifiers]
        return _Begun(identifiers, self._gatherer.begin(period, scopes, others))
