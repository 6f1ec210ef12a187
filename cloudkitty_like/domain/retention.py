"""Retention: which points are forgotten, and how many those are."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RetentionBounds:
    """The frames whose points are to be forgotten: superseded before one instant, ended before another.

    None: no frame is chosen for this reason.
    """

    superseded_before: datetime | None
    rated_before: datetime | None


@dataclass(frozen=True, slots=True)
class RetentionExtent:
    """How many frames, points and scopes the bounds choose."""

    revisions: int
    current: int                       # of them, current ones
    points: int
    scopes: int
    first: datetime | None             # begin of the first period
    last: datetime | None              # end of the last
