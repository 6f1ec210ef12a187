"""A connection to PostgreSQL that is given up where the server stays silent."""
from __future__ import annotations

from collections.abc import Generator
from math import inf
from time import monotonic
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")


class LimitedPsycopg(psycopg.Connection[Any]):
    """``patience`` is how many seconds the server may send nothing while it is waited for."""

    patience: float = inf

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Do as psycopg does, which waits for everything here, with an end.

        :raises psycopg.OperationalError: when the server has been silent for longer; the
            connection is closed then, so that nobody asks it to roll back.
        """
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """Pass everything on between psycopg and its generator, and look at the clock where nothing came."""
        deadline = monotonic() + self.patience
        try:
            wait = next(gen)
            while True:
                ready = yield wait
                if ready:
                    deadline = monotonic() + self.patience
                elif monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server sent nothing for {self.patience:g} s")
                wait = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result
