"""The state of a worker, as its last heartbeat told it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

ALIVE_WITHIN = timedelta(seconds=30)
"""Six heartbeats: a worker that was not seen for longer is taken for lost."""

MODULES, METRICS, SOURCE, SYSTEM = "modules", "metrics", "source", "system"
CAUSES = (MODULES, METRICS, SOURCE, SYSTEM)
"""What may keep a worker from rating.

Rating modules or rules, metric definitions, the source, or the systems of the installation.
"""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker does, since when, and how much it has done."""

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    doing: str
    since: datetime
    periods: int
    points: int
    requests: int
    failures: int                      # of requests
    stages: Mapping[str, tuple[float, float]]      # seconds of wall clock and CPU, by stage
    metrics: str | None = None         # digest of the metric definitions that it measures by
    blocked: str | None = None         # what keeps it from rating, one of CAUSES; None: nothing

    @property
    def place(self) -> str:
        """Host and process, as messages name a worker."""
        return f"{self.host}:{self.pid}"

    def alive(self, now: datetime) -> bool:
        """Whether it was seen lately."""
        return now - self.seen_at <= ALIVE_WITHIN
