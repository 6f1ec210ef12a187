"""A hole: a stretch of time of which the ledger does not know a scope's usage, and why it does not."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cloudkitty_like.domain.period import Period

ACCEPTED, UNKNOWN, SKIPPED = "accepted", "unknown", "skipped"
MISSING = (UNKNOWN, SKIPPED)
"""The kinds of which nothing is rated.  What is accepted is rated, as empty where the source has nothing."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Left by a change of the ledger: by whom, when and why."""

    scope: str | None                  # None: every scope; of what is accepted alone
    period: Period                     # of one or more rating periods
    kind: str
    change: int
    at: datetime
    author: str
    reason: str


def merged(holes: Iterable[Hole]) -> list[Hole]:
    """The same with those that follow each other in one scope, of one kind and author, as one; by scope and begin.

    The change of the first of them stands for all.
    """
    joined: list[Hole] = []
    for hole in sorted(holes, key=lambda hole: (hole.scope or "", hole.kind, hole.period)):
        last = joined[-1] if joined else None
        if (last is not None and (last.scope, last.kind, last.author) == (hole.scope, hole.kind, hole.author)
                and last.period.end == hole.period.begin):
            joined[-1] = replace(last, period=Period(last.period.begin, hole.period.end))
        else:
            joined.append(hole)
    return sorted(joined, key=lambda hole: (hole.scope or "", hole.period))


def within(holes: Iterable[Hole], window: Period | None) -> list[Hole]:
    """The parts of holes that lie in a window (None: always)."""
    if window is None:
        return list(holes)
    return [replace(hole, period=Period(max(hole.period.begin, window.begin), min(hole.period.end, window.end)))
            for hole in holes if hole.period.overlaps(window)]
