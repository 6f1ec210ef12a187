"""What a worker works with, how it spends its time, and what a look at all that is due came to."""
from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloudkitty_like.orchestrator.collection import UsageCollector
from cloudkitty_like.orchestrator.corrections import TaskRunner
from cloudkitty_like.orchestrator.discovery import ScopeDiscovery
from cloudkitty_like.orchestrator.failures import FailureLog
from cloudkitty_like.orchestrator.gaps import Gaps
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.orchestrator.outages import Outages
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.ports import Lease
from cloudkitty_like.service.ledger.holes import Holes
from cloudkitty_like.service.ledger.writer import Ledger
from cloudkitty_like.service.operation.scope_progress import ScopeProgress
from cloudkitty_like.service.operation.workers import Workers
from cloudkitty_like.service.pricing.usage import Rate


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker spends its time."""

    period: timedelta
    wait_periods: int
    shards: int
    scopes_per_batch: int = 5000
    slice_seconds: float = 5.0         # of catching up, before looking what else is due
    poll_seconds: float = 5.0          # between looks where nothing was due
    discovery: timedelta = timedelta(minutes=1)
    points_ahead: int = 50_000         # two periods larger than this are not held in memory at once
    until: datetime | None = None      # rate no period that ends later


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What a worker works with.

    ``renewed`` is called before anything is taken up: it raises DefinitionsDiffer where
    nothing may be rated by the metric definitions of these parts, and answers
    with new ones where metrics.yml was read again, else None.  ``ends`` is the
    last instant that the source will ever know of; None: it goes on.
    """

    ledger: Ledger
    holes: Holes
    progress: ScopeProgress
    workers: Workers
    scope_discovery: ScopeDiscovery
    usage_collector: UsageCollector
    batch_rating: BatchRating
    task_runner: TaskRunner
    gaps: Gaps
    failures: FailureLog
    rating: Callable[[], tuple[int, Rate]]     # the rule-set version of now, and what rates by it
    lease: Lease
    heartbeat: Heartbeat
    clock: Callable[[], datetime]
    stop: threading.Event
    outages: Outages
    renewed: Callable[[], WorkerDeps | None] = field(default=lambda: None)
    ends: Callable[[], datetime | None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What a look at all that is due came to, in scopes' periods."""

    recorded: int = 0
    left: int = 0                      # due, but other workers are at them
    everything: bool = False           # whether all shards were ours
