"""Rating scopes side by side, so that those whose rating waits for other processes hold nobody up.

A scope that takes long while others have not begun is put back: its work is
ended (:mod:`cloudkitty_like.domain.patience`) and begun anew when the others
are done, then with all the time it may take.  So however many scopes hang,
the others wait for each no longer than :data:`PATIENCE`.
"""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from time import monotonic
from typing import Generic, TypeVar

from cloudkitty_like.domain import patience

PATIENCE = 1.0
"""Seconds that a scope may take while others have not begun, beside what its size explains."""

LULL = 1.0
"""Seconds without another scope that is done, after which those that are done are handed on."""

T = TypeVar("T")
R = TypeVar("R")


class ConcurrentRating(Generic[T, R]):
    """Does ``work`` for every item on as many threads as there are ``lanes``.

    ``patient`` says how many seconds an item may take while others have not
    begun.  When ``stop`` is set nothing new is begun, and what can be ended is:
    there is no result of it then.
    """

    def __init__(self, work: Callable[[T], R], patient: Callable[[T], float], lanes: int,
                 stop: threading.Event) -> None:
        self._work, self._patient, self._lanes, self._stop = work, patient, lanes, stop
        self._new: deque[T] = deque()
        self._put_back: deque[T] = deque()
        self._until: dict[int, float] = {}         # by thread: the end of patience, of monotonic()
        self._done: list[R] = []
        self._changed = threading.Condition()
        self._working = 0                          # lanes that have not ended
        self._left = False                         # nobody waits for a result any more

    def groups(self, items: Sequence[T]) -> Generator[list[R]]:
        """The results in groups, each as soon as for a while nothing more is done.

        ``work`` is to raise nothing but Overdue.
        """
        self._new.extend(items)
        self._working = min(self._lanes, len(items))
        threads = [threading.Thread(target=self._lane, name=f"rate-{number}", daemon=True)
                   for number in range(self._working)]
        for thread in threads:
            thread.start()
        try:
            while self._working:
                if group := self._lulled():
                    yield group
        finally:
            self._left = True
            for thread in threads:
                thread.join()
        if self._done:
            yield self._done

    def _lulled(self) -> list[R]:
        """What is done, once nothing more has been for a while; empty when all lanes have ended."""
        with self._changed:
            before = len(self._done)
            while not self._changed.wait_for(lambda: not self._working, LULL):
                if len(self._done) == before:
                    group, self._done = self._done, []
                    return group
                before = len(self._done)
            return []

    def _lane(self) -> None:
        """Work until there is nothing left: first what has not begun, then what was put back."""
        try:
            while not self._over() and self._next():
                pass
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify()

    def _next(self) -> bool:
        """Work on the item whose budget it is; whether there was one."""
        own = threading.get_ident()
        with self._changed:
            first = bool(self._new)
            if not first and not self._put_back:
                return False
            item = (self._new if first else self._put_back).popleft()
            self._until[own] = monotonic() + self._patient(item)
        try:
            with patience.limited(self._is_in_the_way if first else self._over):
                result = self._work(item)
        except patience.PatienceEnd:
            with self._changed:
                self._put_back.append(item)
        else:
            with self._changed:
                self._done.append(result)
        finally:
            with self._changed:
                del self._until[own]
        return True

    def _over(self) -> bool:
        return self._left or self._stop.is_set()

    def _is_in_the_way(self) -> bool:
        """Whether every lane has something that takes long, and more has not begun."""
        if self._over():
            return True
        with self._changed:
            now = monotonic()
            return bool(self._new) and all(until < now for until in self._until.values())
