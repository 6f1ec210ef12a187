"""A worker made of its parts."""
from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.agreement import Agreement
from cloudkitty_like.orchestrator.collection import Gatherer
from cloudkitty_like.orchestrator.corrections import Reprocessor
from cloudkitty_like.orchestrator.daemon import Worker
from cloudkitty_like.orchestrator.discovery import Newcomers, Source
from cloudkitty_like.orchestrator.failures import Failures
from cloudkitty_like.orchestrator.gaps import SKIP, GapPolicy, Gaps
from cloudkitty_like.orchestrator.heartbeat import Pulse
from cloudkitty_like.orchestrator.outages import Outages
from cloudkitty_like.orchestrator.parts import Parts, Tempo
from cloudkitty_like.orchestrator.rating import Processor
from cloudkitty_like.orchestrator.source_end import SourceEnd
from cloudkitty_like.orchestrator.timings import Stages
from cloudkitty_like.ports import Lease
from cloudkitty_like.service.corrections.queue import TaskQueue
from cloudkitty_like.service.corrections.revision_store import RevisionStore
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.workers import Workers
from cloudkitty_like.service.pricing.usage import skips

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def worker(app: App, stop: threading.Event, until: datetime | None,
           progressed: Callable[[Period, int], None]) -> Worker:
    """See :meth:`cloudkitty_like.app.App.worker`; everything that it needs is there and right."""
    collect, options = app.conf.collect, app.conf.orchestrator
    stages, outages = Stages(), Outages(app.clock)
    workers = Workers(app.database, app.clock)
    progress = ScopeProgress(app.database, app.clock, app.period, collect.wait_periods)
    tasks = TaskQueue(app.database, app.clock)
    pulse = Pulse(workers, app.clock, stages, lambda: getattr(app.collector, "requests_made", 0), outages)
    pauses = timedelta(seconds=options.retry_first), timedelta(seconds=options.retry_most)
    failures = Failures(progress, tasks, app.clock, pauses, outages)
    agreement = Agreement(app.acceptances, pulse, app.clock, app.metrics, app.read_metrics_again)
    workshop = _Workshop(app, stop, stages, pulse, failures, agreement, app.lease(pulse.id, pulse.pid),
                         workers, progress, tasks)
    tempo = Tempo(
        period=app.period, wait_periods=collect.wait_periods, shards=options.shards,
        scopes_per_batch=options.scopes_per_batch, slice_seconds=options.slice_seconds,
        poll_seconds=options.poll_interval, discovery=timedelta(seconds=options.discovery_interval), until=until)
    return Worker(workshop.parts(), tempo, progressed)


@dataclass
class _Workshop:
    """Makes a worker's parts, and makes them again where metrics.yml was read again."""

    app: App
    stop: threading.Event
    stages: Stages
    pulse: Pulse
    failures: Failures
    agreement: Agreement
    lease: Lease
    workers: Workers
    progress: ScopeProgress
    tasks: TaskQueue
    gatherer: Gatherer | None = None

    def parts(self) -> Parts:
        """The parts that measure by metrics.yml as it is in use now."""
        app, metrics = self.app, self.app.metrics.metrics
        collect, options = app.conf.collect, app.conf.orchestrator
        if self.gatherer is not None:
            self.gatherer.close()
        self.gatherer = gatherer = Gatherer(
            app.collector, metrics, threads=options.max_threads,
            deadline_seconds=options.collector_request_timeout, stages=self.stages, stop=self.stop)
        source = Source(app.fetcher, app.collector, metrics, collect.scope_key, app.conf.fetcher.backend,
                        collect.collector)
        skip = skips(metrics)
        gaps = Gaps(app.holes, gatherer, lambda window: app.collector.begins(metrics, window), GapPolicy(
            options.gap_policy == SKIP, timedelta(seconds=options.gap_after),
            timedelta(seconds=options.retry_first)), app.scopes.complete_to)
        return Parts(
            ledger=app.ledger, holes=app.holes, progress=self.progress,
            workers=self.workers, failures=self.failures, pulse=self.pulse, clock=app.clock,
            stop=self.stop, outages=self.failures.outages, gatherer=gatherer,
            newcomers=Newcomers(app.scopes, self.progress, source, self.failures, app.clock, gatherer.ask),
            processor=Processor(app.ledger, skip, self.stages, self.stop), gaps=gaps,
            reprocessor=Reprocessor(self.tasks, RevisionStore(app.database, app.storage, app.clock),
                                    app.holes, gatherer, skip, self.stages,
                                    self.failures, gaps, self.pulse.doing, self.stop, app.period,
                                    options.scopes_per_batch),
            rating=app.rating, lease=self.lease, renewed=self._renewed,
            ends=SourceEnd(self.progress, app.collector, gatherer.ask))

    def _renewed(self) -> Parts | None:
        return self.parts() if self.agreement.settle() else None
