"""How large an answer may be for what was given, looked at where it is made and where it is received.

Standard library only.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

POINTS_EACH, POINTS_MORE = 10, 1000
LABELS_EACH, LABELS_MORE = 10, 100
CELLS_EACH, CELLS_MORE = 10, 100_000
LONGEST_VALUE = 4096
"""The most characters that a label may have: those of domain.text, which a fork server does not load."""

POINT_BYTES = 256 * 1024
"""The most that one point may have, as it is sent."""

MEAN_BYTES = 4096
"""The most that all points may have for each that there may be."""

MESSAGE_BYTES = 512 * 1024
"""The most that a message may have: a point and others that are sent with it, or what was printed."""

FULL_BYTES = 64 * 1024
"""A message is sent as soon as it has so many bytes."""

TEXT_EACH, TEXT_MORE = 64, 1 << 20
"""Bytes of compiled code for each byte of text, and so many more."""


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """The most of everything.

    ``points``: of all metrics together.  ``labels``: of one point.  ``cells``: labels of all points.
    ``message``, ``total``: bytes of one message and of all.
    """

    points: int
    labels: int
    cells: int
    message: int
    total: int

    @classmethod
    def of_usage(cls, frames: Sequence[Any]) -> AnswerBounds:
        """For a run on these frames, as a request has them."""
        sizes = [(len(frame[2]), len(frame[4]) + len(frame[5])) for frame in frames]
        points = POINTS_EACH * sum(size for size, _ in sizes) + POINTS_MORE
        cells = CELLS_EACH * sum(size * (labels + 1) for size, labels in sizes) + CELLS_MORE
        widest = max((labels for _, labels in sizes), default=0)
        total = points * MEAN_BYTES + MESSAGE_BYTES
        return cls(points, LABELS_EACH * widest + LABELS_MORE, cells, MESSAGE_BYTES, total)

    @classmethod
    def of_text(cls, text: str) -> AnswerBounds:
        """For compiling a script."""
        most = TEXT_EACH * len(text) + TEXT_MORE
        return cls(0, 0, 0, most, most)
