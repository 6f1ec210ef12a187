"""Standard streams of a command: their reader may go away, their disk may be full.

A command that writes into the ledger must not be stopped by that half way: it
goes on without output, and its exit code tells.  A command that only reads has
nothing more to do then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from typing import Any, TextIO, cast

STANDARD_OUTPUT = "standard output"
CLOSED_PIPE = 141
"""What shells report of a program that SIGPIPE has ended; Python ignores that signal."""


class OutputLost(Exception):
    """Nobody takes what is printed: a command that only reads ends here."""


class GuardedStream:
    """A text stream that remembers the first error of writing, and sends all that follows nowhere.

    ``goes_on``: whether the command goes on then; otherwise OutputLost is raised.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self.name = stream, name
        self.error: OSError | None = None
        self.goes_on = True

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if self.error is None:
            self.error = error
        # What is buffered has to go somewhere when the process ends.
        with suppress(OSError, UnsupportedOperation):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if not self.goes_on:
            raise OutputLost from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard both streams while a command runs."""
    _take_closed_descriptors()
    before = sys.stdout, sys.stderr
    # Python has None for a stream that was closed when it began (``>&-``).
    sys.stdout = cast(TextIO, GuardedStream(before[0], STANDARD_OUTPUT)) if before[0] else before[0]
    sys.stderr = (
        cast(TextIO, GuardedStream(before[1], "standard error")) if before[1] else before[1]
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _take_closed_descriptors() -> None:
    """Let no file that is opened later become the standard output of a child process."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one


def end_with_output() -> None:
    """From here on a command ends where its standard output is lost: it does but print."""
    for stream in _streams():
        stream.goes_on = stream.name != STANDARD_OUTPUT


def exit_code(code: int) -> int:
    """The exit code of a command that ends with ``code``, its output written or lost."""
    streams = _streams()
    for stream in streams:
        stream.goes_on = True
        stream.flush()
    lost = [stream for stream in streams if stream.error is not None]
    if code or not lost:
        return code
    if all(isinstance(stream.error, BrokenPipeError) for stream in lost):
        return CLOSED_PIPE
    return 1


def lost_output() -> str:
    """Why standard output could not be written; '' where it was, or its reader has gone."""
    errors = [
        stream.error
        for stream in _streams()
        if stream.name == STANDARD_OUTPUT and stream.error is not None
    ]
    if not errors or isinstance(errors[0], BrokenPipeError):
        return ""
    return f"{STANDARD_OUTPUT}: {errors[0].strerror}"


def _streams() -> list[GuardedStream]:
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, GuardedStream)]
