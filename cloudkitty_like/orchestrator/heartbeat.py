"""A worker's row in the state database, kept fresh by a thread of its own."""
from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime

from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.worker_state import WorkerState
from cloudkitty_like.orchestrator.outages import Outages
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.service.operation.workers import Workers

LOG = logging.getLogger(__name__)
EVERY_SECONDS = 5.0


class Heartbeat:
    """``with heartbeat:`` writes the row now and then; ``heartbeat.set_activity("...")`` says what the worker is at."""

    def __init__(self, workers: Workers, clock: Callable[[], datetime], stages: StageTimings,
                 requests: Callable[[], int], outages: Outages | None = None) -> None:
        self._outages = outages or Outages(clock)
        self.metrics: str | None = None            # digest of the metric definitions that the worker measures by
        self.blocked: str | None = None            # what keeps it from rating: one of worker_state.CAUSES
        self.daemon: bool | None = None            # whether one is missing when this has ended; None: as before
        self._workers, self._clock, self._stages, self._requests = workers, clock, stages, requests
        self._started = clock()
        self._doing, self._since = "starting", self._started
        self._ended = threading.Event()
        self.host, self.pid = socket.gethostname(), os.getpid()
        self.id = f"{self.host}:{self.pid}:{self._started:%Y%m%dT%H%M%S}"
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def set_activity(self, what: str) -> None:
        if what != self._doing:
            self._doing, self._since = what, self._clock()

    def block(self, cause: str | None) -> None:
        """Say what keeps the worker from rating, None where nothing does; others are told at once."""
        if cause != self.blocked:
            self.blocked = cause
            self._try_to_beat()

    def __enter__(self) -> Heartbeat:
        self._try_to_beat()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join(EVERY_SECONDS)
        try:
            self._workers.leave(self.id, self.daemon)
        except Unavailable as error:
            LOG.warning("heartbeat: %s", error)

    def beat(self) -> None:
        """Write the row."""
        state = WorkerState(
            self.id, self.host, self.pid, self._started, self._clock(), self._doing, self._since,
            self._stages.periods, self._stages.points, self._requests(), self._stages.failures,
            self._stages.seconds, self.metrics, self.blocked)
        self._workers.beat(state, self.daemon)

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._try_to_beat()

    def _try_to_beat(self) -> None:
        failure: Exception | None = None
        try:
            self.beat()
        except Unavailable as error:
            failure = error
        except Exception as error:
            # Out of file descriptors, of memory: a thread that ended with it would be missed for ever.
            failure = Unavailable(exhausted(error) or repr(error))
        if failure is None:
            self._outages.end("heartbeat")
        else:
            self._outages.begin("heartbeat", "no heartbeat can be written", failure)
