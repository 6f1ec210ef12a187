"""New scopes: found by the fetcher, started where their data begins."""
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.schedule import first_period
from cloudkitty_like.domain.scope_state import SOURCE, ScopeState
from cloudkitty_like.orchestrator.collection import WorkerStop
from cloudkitty_like.orchestrator.failures import FailureLog
from cloudkitty_like.ports import Collector, Fetcher
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.scopes import Scopes

LOG = logging.getLogger(__name__)
SourceCall = Callable[[Callable[[], Any]], Any]
"""Puts a question to a source and brings its answer, or raises WorkerStop."""


@dataclass(frozen=True, slots=True)
class DiscoverySource:
    """Where scopes and their usage come from, and the names that every scope keeps of it."""

    fetcher: Fetcher
    collector: Collector
    metrics: Sequence[Metric]
    scope_key: str
    fetcher_name: str
    collector_name: str


class ScopeDiscovery:
    """Registers scopes and gives each its first period."""

    def __init__(self, scopes: Scopes, progress: ScopeProgress, source: DiscoverySource, failures: FailureLog,
                 clock: Callable[[], datetime], asking: SourceCall = lambda question: question()) -> None:
        self._scopes, self._progress, self._source = scopes, progress, source
        self._failures, self._clock, self._asking = failures, clock, asking
        self._looked: float | None = None
        self.unanswered = False                # whether the source was asked and has said nothing

    def look(self, every: timedelta) -> bool:
        """Ask the fetcher, if that was not done lately; whether all scopes were found now.

        A fetcher that fails is logged: what is known already is rated all the same.

        :raises WorkerStop: when the worker is to stop.
        """
        if self._looked is not None and monotonic() - self._looked < every.total_seconds():
            return False
        failure = None
        try:
            self.find()
        except Error as error:
            failure = error
        except WorkerStop:
            raise
        except Exception as error:
            limit = exhausted(error)
            if limit is None:
                # A fetcher's bug: loud, and no reason not to rate who is known.
                LOG.exception("looking for scopes")
                return False
            failure = Unavailable(limit)
        self.unanswered = isinstance(failure, Unavailable)
        if failure is None:
            self._failures.outages.end(self)
        else:
            self._failures.outages.begin(self, "looking for scopes", failure)
        return failure is None

    def find(self) -> int:
        """Ask the fetcher and register who is new; how many scopes it knows.  Raises what it raises, and Stopped."""
        self._looked, source = monotonic(), self._source
        scopes = self._asking(lambda: list(source.fetcher.scopes()))
        new = self._scopes.register(scopes, key=source.scope_key, fetcher=source.fetcher_name,
                                    collector=source.collector_name)
        if new:
            LOG.info("%d new scopes: %s", len(new), ", ".join(map(repr, new[:10])))
        return len(scopes)

    def start(self, states: Sequence[ScopeState], length: timedelta, ends: datetime | None = None) -> int:
        """Give scopes that have none their first period, by one question about where data begins; how many could be.

        Where the source has ended before the month with which a scope would
        start there is nothing to start with, and nothing wrong.
        """
        starts: dict[datetime, list[int]] = {}
        failed: list[tuple[ScopeState, str, Error]] = []
        begins: dict[datetime, datetime | Error] = {}
        for state in states:
            month = Period.month_of(state.seen_at).begin
            if state.starts_at is None and ends is not None and ends < month:
                continue
            if state.starts_at is None and month not in begins:
                begins[month] = self._data_begins(month)
            begin = state.starts_at or begins[month]
            if isinstance(begin, Error):
                failed.append((state, SOURCE, begin))
                continue
            first = first_period(state.seen_at, length, given=state.starts_at, data_begins=begin)
            starts.setdefault(first.begin, []).append(state.id)
        if starts:
            self._progress.start(starts)
        self._failures.keep(failed, ruleset=0)
        return sum(map(len, starts.values()))

    def _data_begins(self, month: datetime) -> datetime | Error:
        window = Period(month, max(self._clock(), month + timedelta(seconds=1)))
        try:
            begin: datetime | None = self._asking(
                lambda: self._source.collector.begins(self._source.metrics, window))
        except Error as error:
            return error
        return begin or Unavailable(f"the source has no data since {instant(month)}")
