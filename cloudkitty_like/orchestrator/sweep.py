"""Clears away what killed workers left: points that no frame counts, and heartbeats."""
from __future__ import annotations

from datetime import timedelta
from time import monotonic

from cloudkitty_like.service.ledger.writer import Ledger
from cloudkitty_like.service.operation.workers import Workers

FORGOTTEN_AFTER = timedelta(minutes=10)     # a worker that gives no sign of life


class Sweep:
    """Sweeps at most once within ``every``."""

    def __init__(self, ledger: Ledger, workers: Workers, every: timedelta) -> None:
        self._ledger, self._workers, self._every = ledger, workers, every
        self._swept: float | None = None

    def __call__(self) -> None:
        """Sweep, unless that was done lately."""
        if self._swept is not None and monotonic() - self._swept < self._every.total_seconds():
            return
        self._swept = monotonic()
        self._ledger.sweep()
        self._workers.sweep(FORGOTTEN_AFTER)
