"""A call that may hang, and a caller that may not."""
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from cloudkitty_like.domain.errors import Unavailable

T = TypeVar("T")


class TimedCall(Generic[T]):
    """``call``, in a thread of its own that is waited for no longer than ``seconds``.

    There is one such thread at most: who comes while a call is under way waits for that one's
    result.  So callers cannot pile up threads behind something that hangs.
    """

    def __init__(self, call: Callable[[], T], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._lock = threading.Lock()
        self._running: Future[T] | None = None

    def __call__(self) -> T:
        """Return what the call returns, or raise what it raises.

        :raises Unavailable: when it has not ended in time; it goes on in its thread.
        """
        with self._lock:
            if self._running is None or self._running.done():
                self._running = self._begun()
            running = self._running
        try:
            return running.result(self._seconds)
        except TimeoutError:
            if running.done():
                raise
            raise Unavailable(f"no answer within {self._seconds:g} s") from None

    def _begun(self) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(self._call())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="timed call", daemon=True).start()
        return future
