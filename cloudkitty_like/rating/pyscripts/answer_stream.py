"""What a script's process answers: messages, looked at one by one before the next is read.

A process can answer whatever it likes.  So every message has a length that is
bounded before it is read, and what all of them hold is counted as they come: an
answer that is larger than it may be is refused when the first message too many
has come, and no more than that was ever made objects of.
"""
from __future__ import annotations

import re

import msgspec

from cloudkitty_like.rating.pyscripts.bounds import FULL_BYTES, LONGEST_VALUE, AnswerBounds

AnswerPoint = tuple[str, str, str | None, dict[str, str], dict[str, str]]
"""Unit, quantity, price, groupby and metadata."""


class FrameResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a script made of a frame: new prices by its number, or all points of a metric."""

    frame: int = -1
    price: list[str | None] = []
    metric: str = ""
    points: list[AnswerPoint] | None = None


class AnswerProblem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an answer cannot be used, and where."""

    reason: str
    metric: str = ""
    point: int | None = None


class Syntax(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a text is no Python, and why not; line 0: nobody knows."""

    line: int
    reason: str


class AnswerMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a process may answer: one of these, and what was printed.

    ``more``: this is a message of several, of which the last has all but the frames.
    """

    frames: list[FrameResult] | None = None
    failed: str | None = None          # the script's traceback
    wrong: AnswerProblem | None = None
    syntax: Syntax | None = None
    code: str | None = None            # compiled, in base64: not to be read by us
    form: str = ""
    printed: str = ""
    more: bool = False


DECODER = msgspec.json.Decoder(AnswerMessage)
_WIDE = re.compile(rb"[\xf0-\xf4]|\\u[dD][89abAB]")
"""A letter that makes Python keep a whole text in four bytes a letter."""


class AnswerRefused(Exception):
    """An answer that is not of the shape that it may have; why."""


class AnswerReader:
    """An answer as its messages come."""

    def __init__(self, bounds: AnswerBounds) -> None:
        self._bounds = bounds
        self._prices: dict[int, list[str | None]] = {}
        self._points: dict[str, list[AnswerPoint]] = {}
        self._bytes, self._pieces, self._rows, self._cells = 0, 0, 0, 0
        self._last: AnswerMessage | None = None

    @property
    def longest(self) -> int:
        """Bytes that the next message may have."""
        return min(self._bounds.message, self._bounds.total - self._bytes)

    def too_long(self) -> str:
        """What is wrong with a message that is longer than that."""
        if self.longest == self._bounds.message:
            return f"a message of its answer is longer than {self.longest} bytes"
        return f"its answer is longer than {self._bounds.total} bytes"

    def add(self, message: bytearray) -> bool:
        """Take a message of at most ``longest`` bytes; whether it was the last.

        :raises AnswerRefused: when it is not of the shape that it may have
        """
        self._bytes += len(message)
        if not message.isascii() or b"\\u" in message:
            # Counted twice: so what it becomes has no more than twice the bytes that are counted.
            self._bytes += len(message) if _WIDE.search(message) else 0
        try:
            part = DECODER.decode(message)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise AnswerRefused(f"its process answered nonsense: {str(error)[:200]}") from None
        for piece in part.frames or ():
            self._take(piece)
        if not part.more:
            self._last = part
        elif len(message) < FULL_BYTES:
            raise AnswerRefused("its process answered nonsense: in smaller pieces than it has to")
        return not part.more

    def _take(self, piece: FrameResult) -> None:
        self._pieces += 1
        self._rows += len(piece.price) + len(piece.points or ())
        if max(self._pieces, self._rows) > self._bounds.points:
            raise AnswerRefused(f"its answer has more than {self._bounds.points} points")
        if piece.points is None:
            self._prices.setdefault(piece.frame, []).extend(piece.price)
            return
        for point in piece.points:
            self._look_at(point)
        if self._cells > self._bounds.cells:
            raise AnswerRefused(f"the points of its answer have more than {self._bounds.cells} labels")
        self._points.setdefault(piece.metric, []).extend(piece.points)

    def _look_at(self, point: AnswerPoint) -> None:
        labels = len(point[3]) + len(point[4])
        self._cells += labels
        if labels > self._bounds.labels:
            raise AnswerRefused(f"a point of its answer has more than {self._bounds.labels} labels")
        for values in point[3:]:
            if values and max(map(len, values.values())) > LONGEST_VALUE:
                raise AnswerRefused(f"a label of its answer has more than {LONGEST_VALUE} characters")

    @property
    def answer(self) -> AnswerMessage:
        """All of it, once the last message was taken."""
        last = self._last
        if last is None or last.frames is None or last.failed is not None or last.wrong is not None:
            return last or AnswerMessage()
        return msgspec.structs.replace(last, frames=[
            *(FrameResult(frame, price) for frame, price in self._prices.items()),
            *(FrameResult(metric=metric, points=points) for metric, points in self._points.items())])
