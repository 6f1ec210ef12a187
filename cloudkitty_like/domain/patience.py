"""How long a caller waits for its work, told to whatever waits for others on its behalf.

Like a decimal context it holds for everything that is called within.  What
waits (for a process, say) asks :func:`check` now and then.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class PatienceEnd(Exception):
    """The caller does not wait any longer; the work is to be ended, and may be begun anew later."""


def _never() -> bool:
    return False


_GIVES_UP: ContextVar[Callable[[], bool]] = ContextVar("gives_up", default=_never)


@contextmanager
def limited(gives_up: Callable[[], bool]) -> Iterator[None]:
    """Within the block :func:`check` raises as soon as ``gives_up`` answers true; in this thread only."""
    token = _GIVES_UP.set(gives_up)
    try:
        yield
    finally:
        _GIVES_UP.reset(token)


def check() -> None:
    """:raises PatienceEnd: when the caller does not wait any longer"""
    if _GIVES_UP.get()():
        raise PatienceEnd
