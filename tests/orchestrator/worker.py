"""A worker in this process, over ports in memory and a clock that a test moves."""
from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.orchestrator.collection import UsageCollector
from cloudkitty_like.orchestrator.corrections import TaskRunner
from cloudkitty_like.orchestrator.daemon import Worker
from cloudkitty_like.orchestrator.discovery import DiscoverySource, ScopeDiscovery
from cloudkitty_like.orchestrator.failures import FailureLog
from cloudkitty_like.orchestrator.gaps import GapPolicy, Gaps
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.orchestrator.worker_deps import WorkerDeps, WorkerSettings
from cloudkitty_like.ports import CollectorAnswer
from cloudkitty_like.service.corrections.queue import TaskQueue
from cloudkitty_like.service.corrections.revision_store import RevisionStore
from cloudkitty_like.service.ledger.holes import Holes
from cloudkitty_like.service.ledger.writer import Ledger, establish
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.operation.workers import Workers
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.testing.collector import Sample
from cloudkitty_like.testing.memory import MemoryCollector, MemoryFetcher, MemoryLease, MemoryStorage

HOUR = timedelta(hours=1)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
METRICS = (Metric("cpu", "h", groupby=("project_id",)), Metric("ram", "MB", groupby=("project_id",)))


def hourly(scopes: Iterable[str], hours: int, begin: datetime = MONTH) -> list[Sample]:
    """One of each metric, for every scope, in every hour."""
    return [Sample(begin + hour * HOUR, metric.name, str(hour + 1), {"project_id": scope})
            for hour in range(hours) for scope in scopes for metric in METRICS]


class Mortal(MemoryCollector):
    """A source that was not alive in the periods that begin at one of ``dead``, until these are taken out."""

    dead: frozenset[datetime] = frozenset()

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        found = super().collect(metric, period, scopes, others)
        return CollectorAnswer({}, found.failed, proven=False) if period.begin in self.dead else found

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        return min((one.begin for one in period.split(HOUR) if one.begin not in self.dead), default=None)


class Bench:
    """All parts of a worker; every one may be replaced before :meth:`worker` is called."""

    def __init__(self, database: Database, scopes: Iterable[str] = ("alice", "bob"), hours: int = 5,
                 **more: Any) -> None:
        self.database, self.now, self.metrics = database, MONTH + hours * HOUR, METRICS
        establish(database, period_seconds=3600, scope_key="project_id")
        self.storage, self.fetcher, self.lease = MemoryStorage(), MemoryFetcher(scopes), MemoryLease()
        self.collector = MemoryCollector(hourly(self.fetcher.known, hours), **more)
        self.ruleset, self.stages, self.stop = 1, StageTimings(), threading.Event()
        self.rate: Callable[..., Any] = lambda scope, period, frames: [
            frame.with_price([Decimal(2)] * len(frame)) for frame in frames]
        self.ends: Callable[[], datetime | None] = lambda: None
        self.progressed: list[tuple[datetime, int]] = []
        self.ledger = Ledger(database, self.storage, self.clock, "tester")
        self.scopes, self.holes = Scopes(database, self.clock, HOUR), Holes(database, self.clock, "tester")
        self.policy = GapPolicy()
        self.workers = Workers(database, self.clock)
        self.progress = ScopeProgress(database, self.clock, HOUR, 0)
        self.tasks = TaskQueue(database, self.clock)
        self.failures = self.new_failures()
        self.heartbeat = Heartbeat(self.workers, self.clock, self.stages, lambda: len(self.collector.asked))

    def clock(self) -> datetime:
        return self.now

    def new_failures(self) -> FailureLog:
        """Those of a worker that has just begun."""
        return FailureLog(self.progress, self.tasks, self.clock, (timedelta(seconds=30), HOUR))

    @property
    def scope_discovery(self) -> ScopeDiscovery:
        source = DiscoverySource(self.fetcher, self.collector, self.metrics, "project_id", "memory", "memory")
        return ScopeDiscovery(self.scopes, self.progress, source, self.failures, self.clock)

    def worker(self, **settings: Any) -> Worker:
        usage_collector = UsageCollector(
            self.collector, self.metrics, threads=4, deadline_seconds=60, stages=self.stages,
            stop=self.stop)
        gaps = Gaps(self.holes, usage_collector,
                    lambda window: self.collector.begins(METRICS, window), self.policy,
                    self.scopes.complete_to)
        revisions = RevisionStore(self.database, self.storage, self.clock)
        task_runner = TaskRunner(
            tasks=self.tasks, revisions=revisions, holes=self.holes,
            usage_collector=usage_collector, skip={}, stages=self.stages, failures=self.failures,
            gaps=gaps, set_activity=self.heartbeat.set_activity, stop=self.stop, length=HOUR,
            most=settings.get("scopes_per_batch", 5000))
        deps = WorkerDeps(
            ledger=self.ledger, holes=self.holes, progress=self.progress, workers=self.workers,
            scope_discovery=self.scope_discovery, usage_collector=usage_collector,
            batch_rating=BatchRating(self.ledger, {}, self.stages, self.stop),
            task_runner=task_runner, gaps=gaps, failures=self.failures,
            rating=lambda: (self.ruleset, self.rate), lease=self.lease, heartbeat=self.heartbeat,
            clock=self.clock, stop=self.stop, outages=self.failures.outages, ends=self.ends)
        defaults = {"period": HOUR, "wait_periods": 0, "shards": 8, "poll_seconds": 0.01,
                    "discovery": timedelta(0)}
        return Worker(deps, WorkerSettings(**{**defaults, **settings}),
                      lambda period, scopes: self.progressed.append((period.begin, scopes)))

    def states(self) -> dict[str, ScopeState]:
        with self.database.read() as tx:
            return {state.identifier: state for state in rows.everything(tx)}

    def dues(self) -> dict[str, datetime | None]:
        return {name: state.due for name, state in self.states().items()}

    def sums(self, *groupby: str) -> dict[tuple[str, ...], tuple[Decimal, int]]:
        found = Summary(self.database, self.storage).rows(Query(scopes=None, groupby=groupby))
        return {row.key: (row.sum.price, row.sum.points) for row in found}
