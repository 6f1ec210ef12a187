"""A worker made of its parts."""
from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.collect import Gatherer
from cloudkitty_like.orchestrator.daemon import Parts, Tempo, Worker
from cloudkitty_like.orchestrator.failures import Failures
from cloudkitty_like.orchestrator.heartbeat import Pulse
from cloudkitty_like.orchestrator.newcomers import Newcomers, Source
from cloudkitty_like.orchestrator.process import Processor
from cloudkitty_like.orchestrator.reprocess import Past, Reprocessor
from cloudkitty_like.orchestrator.stages import Stages
from cloudkitty_like.service.rating import skips

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def worker(app: App, stop: threading.Event, until: datetime | None,
           progressed: Callable[[Period, int], None]) -> Worker:
    """See :meth:`cloudkitty_like.app.App.worker`; everything that it needs is there and right."""
    collect, options, metrics = app.conf.collect, app.conf.orchestrator, app.metrics.metrics
    stages, skip = Stages(), skips(metrics)
    pulse = Pulse(app.database, app.clock, stages, lambda: getattr(app.collector, "requests_made", 0))
    failures = Failures(app.database, app.clock, timedelta(seconds=options.retry_first),
                        timedelta(seconds=options.retry_most))
    source = Source(app.fetcher, app.collector, metrics, collect.scope_key, app.conf.fetcher.backend, collect.collector)
    gatherer = Gatherer(app.collector, metrics, threads=options.max_threads,
                        deadline_seconds=options.collector_request_timeout, stages=stages, stop=stop)
    parts = Parts(
        database=app.database, ledger=app.ledger, failures=failures, pulse=pulse, clock=app.clock, stop=stop,
        newcomers=Newcomers(app.database, app.scopes, source, failures, app.clock, gatherer.ask), gatherer=gatherer,
        processor=Processor(app.ledger, skip, stages),
        reprocessor=Reprocessor(Past(app.database, app.storage, app.clock), gatherer, skip, stages, failures,
                                pulse.doing, stop, app.period, options.scopes_per_batch),
        rating=app.rating, lease=app.lease(pulse.id, pulse.pid))
    tempo = Tempo(
        period=app.period, wait_periods=collect.wait_periods, shards=options.shards,
        scopes_per_batch=options.scopes_per_batch, slice_seconds=options.slice_seconds,
        poll_seconds=options.poll_interval, discovery=timedelta(seconds=options.discovery_interval), until=until)
    return Worker(parts, tempo, progressed)
