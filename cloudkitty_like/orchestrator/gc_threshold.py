"""Python's collector of cyclic garbage, told that a batch makes many objects and no cycles."""
from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 100_000


@contextmanager
def raised_gc_threshold() -> Iterator[None]:
    """Look for cycles after so many new containers, not after Python's 700.

    What a batch makes (columns, rows, decimals) is freed by counting references.
    By default the collector walks over all of it dozens of times, a third of the
    CPU time of small frames, and finds nothing.
    """
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
