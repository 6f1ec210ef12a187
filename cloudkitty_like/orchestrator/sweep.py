"""What killed workers have left: points that nobody counts, and heartbeats."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from cloudkitty_like.db import workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.service.ledger.writer import Ledger

FORGOTTEN_AFTER = timedelta(minutes=10)     # a worker that gives no sign of life


class Sweep:
    """Clears it away, now and then."""

    def __init__(self, database: Database, ledger: Ledger, clock: Callable[[], datetime], every: timedelta) -> None:
        self._database, self._ledger, self._clock, self._every = database, ledger, clock, every
        self._swept: float | None = None

    def __call__(self) -> None:
        """Do so, if that was not done lately."""
        if self._swept is not None and monotonic() - self._swept < self._every.total_seconds():
            return
        self._swept = monotonic()
        self._ledger.sweep()
        self._database.transact(lambda tx: workers.sweep(tx, self._clock() - FORGOTTEN_AFTER))
