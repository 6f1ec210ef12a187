"""How the sandbox and the process of one script talk: messages with their length in front.  Standard library only."""
from __future__ import annotations

import os
import socket
import struct
from time import monotonic

LENGTH = struct.Struct("=Q")
STATUS = struct.Struct("=i")
"""What the nursery says of a process that has ended: its wait status."""


class Ended(Exception):
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


def receive(of: socket.socket, longest: int, deadline: float | None = None) -> bytearray:
    """One message; TooLong before anything of it is read where it has more than ``longest`` bytes.

    TimeoutError where it is not there at ``deadline``, of time.monotonic().
    """
    (length,) = LENGTH.unpack(exactly(of, LENGTH.size, deadline))
    if length > longest:
        raise TooLong(length)
    return exactly(of, length, deadline)


def exactly(of: socket.socket, length: int, deadline: float | None = None) -> bytearray:
    """So many bytes; Ended where they do not come, TimeoutError where they do not come in time."""
    received = bytearray(length)
    left = memoryview(received)
    while left:
        if deadline is not None:       # each time: bytes may come one by one
            of.settimeout(max(0.001, deadline - monotonic()))
        count = of.recv_into(left)
        if not count:
            raise Ended
        left = left[count:]
    return received
