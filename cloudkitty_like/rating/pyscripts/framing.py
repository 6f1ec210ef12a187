"""How the sandbox and the process of one script talk: messages with their length in front.  Standard library only."""
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep

LENGTH = struct.Struct("=Q")
STATUS = struct.Struct("=i")
"""What the fork server says of a process that has ended: its wait status."""
LOOK_SECONDS = 0.25
CRUMB, CRUMB_SECONDS = 4096, 0.001


class StreamEnd(Exception):
    """The other side closed before the message was there."""


class TooLong(Exception):
    """The message is longer than may be; how long."""


def send(to: socket.socket, message: bytes) -> None:
    to.sendall(LENGTH.pack(len(message)))
    to.sendall(message)


def write(to: int, message: bytes) -> None:
    """:func:`send`, by the one system call that a confined process has for it."""
    left = memoryview(LENGTH.pack(len(message)) + message)
    while left:
        left = left[os.write(to, left):]


def receive(of: socket.socket, longest: int, deadline: float | None = None,
            look: Callable[[], None] = lambda: None) -> bytearray:
    """One message; TooLong before anything of it is read where it has more than ``longest`` bytes.

    TimeoutError where it is not there at ``deadline``, of time.monotonic().  Until then ``look`` is
    called now and then; what it raises ends the waiting.
    """
    (length,) = LENGTH.unpack(exactly(of, LENGTH.size, deadline, look))
    if length > longest:
        raise TooLong(length)
    return exactly(of, length, deadline, look)


def exactly(of: socket.socket, length: int, deadline: float | None = None,
            look: Callable[[], None] = lambda: None) -> bytearray:
    """So many bytes; Ended where they do not come, TimeoutError where they do not come in time."""
    received = bytearray(length)
    left = memoryview(received)
    while left:
        count = of.recv_into(left) if deadline is None else _waited(of, left, deadline, look)
        if not count:
            raise StreamEnd
        left = left[count:]
        if deadline is not None and left and count < CRUMB:
            sleep(CRUMB_SECONDS)       # bytes that come one by one are not to keep us busy
    return received


def _waited(of: socket.socket, into: memoryview, deadline: float, look: Callable[[], None]) -> int:
    """The number of bytes that were received."""
    while True:
        left = deadline - monotonic()
        if left <= 0:                  # also where bytes keep coming
            raise TimeoutError
        look()
        of.settimeout(min(left, LOOK_SECONDS))
        with suppress(TimeoutError):
            return of.recv_into(into)
