"""Requests by route and status, counted by all processes of a server together."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing import RLock
from multiprocessing.sharedctypes import RawArray
from typing import Any

STATUSES = (200, 201, 202, 204, 302, 400, 401, 403, 404, 405, 409, 413, 415, 500, 503)
MOST_ROUTES = 512
PATIENCE_SECONDS = 0.05


class Counters:
    """Made before a server forks its workers, which then share its memory.

    A route is known by its place in the table of routes, which is the same in every process.
    """

    def __init__(self) -> None:
        self._numbers: Any = RawArray("Q", (MOST_ROUTES + 1) * len(STATUSES))
        self._seconds: Any = RawArray("d", MOST_ROUTES + 1)
        self._lock: Any = RLock()
        self._locks = True
        self._rows: dict[str, int] = {"": 0}       # no route at all

    def name(self, routes: Sequence[str]) -> None:
        """What is going to be counted."""
        self._rows = {"": 0, **{route: number for number, route in enumerate(routes[:MOST_ROUTES], 1)}}

    def count(self, route: str, status: int, seconds: float) -> None:
        """One more; a status that nobody foresaw counts as 500."""
        row = self._rows.get(route, 0)
        column = STATUSES.index(status if status in STATUSES else 500)
        # A process killed while it held the lock would keep it for ever: rather count a little wrong than wait.
        held = self._locks and self._lock.acquire(timeout=PATIENCE_SECONDS)
        self._locks = bool(held)
        self._numbers[row * len(STATUSES) + column] += 1
        self._seconds[row] += seconds
        if held:
            self._lock.release()

    def requests(self) -> Iterator[tuple[str, int, int]]:
        """Route ('' for none), status and number, where it is not zero."""
        for route, row in self._rows.items():
            for column, status in enumerate(STATUSES):
                if number := self._numbers[row * len(STATUSES) + column]:
                    yield route, status, number

    def seconds(self) -> Iterator[tuple[str, float]]:
        """Route and seconds spent on its requests, where there were any."""
        for route, row in self._rows.items():
            if self._seconds[row]:
                yield route, self._seconds[row]
