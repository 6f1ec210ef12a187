"""Running an operator's program where it can reach nothing of ours, and not for long.

A sandbox keeps a few lanes (:mod:`.lane`).  Each has a fork server (:mod:`.forkserver`),
an interpreter of its own that is confined as the configuration says, and has
it fork a process for every run.  What that process answers is believed to be
JSON of a certain shape and size (:mod:`.answer_stream`), not more.  A run that breaks
a limit ends with its whole fork server; the next one starts another.
"""
from __future__ import annotations

import marshal
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from cloudkitty_like.rating.pyscripts.answer_stream import AnswerMessage
from cloudkitty_like.rating.pyscripts.bounds import AnswerBounds
from cloudkitty_like.rating.pyscripts.lane import LEVELS, Confinement, Lane, ScriptAborted

__all__ = ["LEVELS", "AnswerMessage", "Confinement", "Sandbox", "ScriptAborted", "packed_frames"]


class Sandbox:
    """Runs scripts, as many at a time as the confinement says.  Thread-safe, and safe after a fork."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._free = threading.Condition()
        self._lanes = [Lane(self._confinement) for _ in range(self._confinement.lanes)]
        self._idle = list(self._lanes)

    @property
    def isolation(self) -> str:
        return self._confinement.isolation

    @property
    def side_by_side(self) -> int:
        """Runs that there may be at a time."""
        return len(self._lanes)

    @property
    def pids(self) -> list[int]:
        """The ids of the nurseries' processes."""
        return [lane.pid for lane in self._lanes if lane.pid is not None]

    def check(self) -> None:
        """Invalid where the isolation that is configured cannot be had, saying what is missing."""
        with self._lane() as lane:
            lane.ready()

    def run(self, request: dict[str, Any]) -> AnswerMessage:
        """What a process of its own answers to ``request`` (see :mod:`.execution`).

        ScriptAborted where it does not, or not as it may; Unavailable where no process
        can be had; Overdue where the caller does not wait any longer.
        """
        bounds = (AnswerBounds.of_text(request["text"]) if request["job"] == "compile"
                  else AnswerBounds.of_usage(request["frames"]))
        bounds = replace(bounds, total=min(bounds.total, self._confinement.answer_bytes))
        packed = marshal.dumps(request)
        with self._lane() as lane:
            return lane.run(packed, bounds)

    def close(self) -> None:
        """End all nurseries as soon as nothing is run in them."""
        with ExitStack() as held:
            for lane in [held.enter_context(self._lane()) for _ in self._lanes]:
                lane.end()

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """A lane that nobody else has; the one used last, so that few nurseries are started."""
        if self._owner != os.getpid():
            # Forked: the nurseries are our parent's, and so are the other ends of their sockets.
            for lane in self._lanes:
                lane.forget()
            self._begin()
        with self._free:
            while not self._idle:
                self._free.wait()
            lane = self._idle.pop()
        try:
            yield lane
        finally:
            with self._free:
                self._idle.append(lane)
                self._free.notify()


def packed_frames(frames: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Frames as a request has them: text and bytes only."""
    return [
        (frame.metric, frame.unit, list(map(str, frame.qty)),
         # Empty: nothing is priced yet, as is most common.
         [] if frame.unpriced == len(frame) else [None if price is None else str(price) for price in frame.price],
         [(name, column.values, column.codes.tobytes()) for name, column in frame.groupby.items()],
         [(name, column.values, column.codes.tobytes()) for name, column in frame.metadata.items()])
        for frame in frames
    ]
