"""Values of a statement in parts: a database takes only so many parameters at once."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
CHUNK = 500


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in their order, at most CHUNK at a time."""
    for start in range(0, len(values), CHUNK):
        yield values[start:start + CHUNK]
