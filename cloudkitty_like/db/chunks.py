"""Values of a statement in parts: a database takes only so many parameters at once."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
CHUNK = 500


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield the values in their order, at most ``size`` at a time."""
    for start in range(0, len(values), size):
        yield values[start:start + size]
