"""A worker made of its parts."""
from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.app import WORKING
from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.agreement import Agreement
from cloudkitty_like.orchestrator.collection import UsageCollector
from cloudkitty_like.orchestrator.corrections import TaskRunner
from cloudkitty_like.orchestrator.daemon import Worker
from cloudkitty_like.orchestrator.discovery import DiscoverySource, ScopeDiscovery
from cloudkitty_like.orchestrator.failures import FailureLog
from cloudkitty_like.orchestrator.gaps import SKIP, GapPolicy, Gaps
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.orchestrator.lease import lease
from cloudkitty_like.orchestrator.outages import Outages
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.orchestrator.source_end import SourceEnd
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.orchestrator.worker_deps import WorkerDeps, WorkerSettings
from cloudkitty_like.ports import Lease
from cloudkitty_like.service.corrections.queue import TaskQueue
from cloudkitty_like.service.corrections.revision_store import RevisionStore
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.workers import Workers
from cloudkitty_like.service.pricing.usage import skips

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def worker(app: App, stop: threading.Event, *, until: datetime | None = None,
           progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> Worker:
    """Return a worker of the installation, ready to run.

    ``until``: it rates no period that ends later.
    ``progressed`` is told of every batch recorded: its period and number of scopes.

    :raises Invalid: when the configuration is wrong; it names everything that is.
    :raises Unavailable: when nothing is wrong but that systems do not answer.
    """
    app.check(*WORKING)
    options = app.conf.orchestrator
    stages, outages = StageTimings(), Outages(app.clock)
    workers = Workers(app.database, app.clock)
    progress = ScopeProgress(app.database, app.clock, app.period, app.wait_periods)
    tasks = TaskQueue(app.database, app.clock)
    heartbeat = Heartbeat(workers, app.clock, stages,
                          lambda: getattr(app.collector, "requests_made", 0), outages)
    pauses = timedelta(seconds=options.retry_first), timedelta(seconds=options.retry_most)
    failures = FailureLog(progress, tasks, app.clock, pauses, outages)
    agreement = Agreement(app.use_cases.acceptances, heartbeat, app.clock, app.metrics,
                          app.read_metrics_again)
    workshop = _Workshop(app, stop, stages, heartbeat, failures, agreement,
                         lease(app, heartbeat.id, heartbeat.pid), workers, progress, tasks)
    settings = WorkerSettings(
        period=app.period, wait_periods=app.wait_periods, shards=options.shards,
        scopes_per_batch=options.scopes_per_batch, slice_seconds=options.slice_seconds,
        poll_seconds=options.poll_interval,
        discovery=timedelta(seconds=options.discovery_interval), until=until)
    return Worker(workshop.deps(), settings, progressed)


@dataclass
class _Workshop:
    """Makes what a worker works with, and makes it again after metrics.yml was read again."""

    app: App
    stop: threading.Event
    stages: StageTimings
    heartbeat: Heartbeat
    failures: FailureLog
    agreement: Agreement
    lease: Lease
    workers: Workers
    progress: ScopeProgress
    tasks: TaskQueue
    usage_collector: UsageCollector | None = None

    def deps(self) -> WorkerDeps:
        """Return the parts that measure by metrics.yml as it is in use now."""
        app, use_cases, options = self.app, self.app.use_cases, self.app.conf.orchestrator
        metrics = app.metrics.metrics
        if self.usage_collector is not None:
            self.usage_collector.close()
        self.usage_collector = usage_collector = UsageCollector(
            app.collector, metrics, threads=options.max_threads,
            deadline_seconds=options.collector_request_timeout, stages=self.stages, stop=self.stop)
        source = DiscoverySource(app.fetcher, app.collector, metrics, app.scope_key,
                                 app.fetcher_name, app.collector_name)
        skip = skips(metrics)
        gaps = Gaps(use_cases.holes, usage_collector,
                    lambda window: app.collector.begins(metrics, window),
                    self._gap_policy(), use_cases.scopes.complete_to)
        return WorkerDeps(
            ledger=use_cases.ledger, holes=use_cases.holes, progress=self.progress,
            workers=self.workers, failures=self.failures, heartbeat=self.heartbeat,
            clock=app.clock, stop=self.stop, outages=self.failures.outages,
            usage_collector=usage_collector,
            scope_discovery=ScopeDiscovery(use_cases.scopes, self.progress, source, self.failures,
                                           app.clock, usage_collector.ask),
            batch_rating=BatchRating(use_cases.ledger, skip, self.stages, self.stop), gaps=gaps,
            task_runner=TaskRunner(
                tasks=self.tasks, revisions=RevisionStore(app.database, app.storage, app.clock),
                holes=use_cases.holes, usage_collector=usage_collector, skip=skip,
                stages=self.stages, failures=self.failures, gaps=gaps,
                set_activity=self.heartbeat.set_activity, stop=self.stop, length=app.period,
                most=options.scopes_per_batch),
            rating=use_cases.rating, lease=self.lease, renewed=self._renewed,
            ends=SourceEnd(self.progress, app.collector, usage_collector.ask))

    def _gap_policy(self) -> GapPolicy:
        options = self.app.conf.orchestrator
        return GapPolicy(options.gap_policy == SKIP, timedelta(seconds=options.gap_after),
                         timedelta(seconds=options.retry_first))

    def _renewed(self) -> WorkerDeps | None:
        return self.deps() if self.agreement.settle() else None
