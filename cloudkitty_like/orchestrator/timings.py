"""Where the time goes: wall clock and CPU per stage, and how much was done."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

COLLECT, RATE, RECORD = "collect", "rate", "record"


class StageTimings:
    """Counters of one worker.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, tuple[float, float]] = {}
        self.periods = 0               # scopes' periods recorded
        self.points = 0                # points in them
        self.failures = 0              # questions to the source that were not answered

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the block's wall clock, and the CPU of the thread it runs in."""
        wall, cpu = perf_counter(), thread_time()
        try:
            yield
        finally:
            with self._lock:
                spent = self._seconds.get(stage, (0.0, 0.0))
                self._seconds[stage] = (spent[0] + perf_counter() - wall,
                                        spent[1] + thread_time() - cpu)

    def recorded(self, periods: int, points: int) -> None:
        with self._lock:
            self.periods += periods
            self.points += points

    def failed(self) -> None:
        """A question to the source was not answered."""
        with self._lock:
            self.failures += 1

    @property
    def seconds(self) -> dict[str, tuple[float, float]]:
        """By stage: seconds of wall clock (added up over threads) and of CPU."""
        with self._lock:
            return dict(self._seconds)
