"""Running an operator's program where it can reach nothing of ours, and not for long.

A sandbox keeps one nursery (:mod:`.nursery`), an interpreter of its own that is
confined as the configuration says, and has it fork a process for every run.
What that process answers is believed to be JSON of a certain shape, not more.
A run that breaks a limit ends with the whole nursery; the next one starts another.
"""
from __future__ import annotations

import json
import marshal
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

import cloudkitty_like
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.rating.pyscripts import wire
from cloudkitty_like.rating.pyscripts.nursery import LANDLOCK, LIMITS, NAMESPACES

LEVELS = (NAMESPACES, LANDLOCK, LIMITS)
START_SECONDS, END_SECONDS = 20.0, 1.0
COMMAND = ("import sys; sys.path.insert(0, sys.argv.pop(1)); "
           "from cloudkitty_like.rating.pyscripts.nursery import main; del sys.path[0]; main()")


@dataclass(frozen=True, slots=True)
class Confinement:
    """How scripts are confined.  ``user`` is whose rights they have where we are root."""

    isolation: str = NAMESPACES
    user: str = "nobody"
    cpu_seconds: int = 10
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20
    answer_bytes: int = 64 << 20


class Priced(msgspec.Struct, frozen=True):
    """What a script made of a frame: new prices by its number, or all points of a metric."""

    frame: int = -1
    price: list[str | None] = []
    metric: str = ""
    points: list[tuple[str, str, str | None, dict[str, str], dict[str, str]]] | None = None


class Problem(msgspec.Struct, frozen=True):
    """Why an answer cannot be used, and where."""

    reason: str
    metric: str = ""
    point: int | None = None


class Syntax(msgspec.Struct, frozen=True):
    """Where a text is no Python, and why not; line 0: nobody knows."""

    line: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """What a process may answer: one of these, and what was printed."""

    frames: list[Priced] | None = None
    failed: str | None = None          # the script's traceback
    wrong: Problem | None = None
    syntax: Syntax | None = None
    code: str | None = None            # compiled, in base64: not to be read by us
    form: str = ""
    printed: str = ""


DECODER = msgspec.json.Decoder(Answer)


class Broken(Exception):
    """A run ended without an answer: a limit was broken, or the process killed itself; how."""


class Sandbox:
    """Runs scripts, one at a time.  Thread-safe, and safe after a fork."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    @property
    def isolation(self) -> str:
        return self._confinement.isolation

    def check(self) -> None:
        """Invalid where the isolation that is configured cannot be had, saying what is missing."""
        with self._lock:
            self._ready()

    def run(self, request: dict[str, Any]) -> Answer:
        """What a process of its own answers to ``request`` (see :mod:`.execution`).

        Broken where it does not; Unavailable where no process can be had.
        """
        packed = marshal.dumps(request)
        with self._lock:
            control = self._ready()
            try:
                received = self._asked(control, packed)
                return DECODER.decode(received)
            except msgspec.DecodeError as error:
                raise Broken(f"its process answered nonsense: {error}") from None
            except BaseException:
                self._end()
                raise

    def close(self) -> None:
        with self._lock:
            self._end()

    # ------------------------------------------------------------------------------------------

    def _asked(self, control: socket.socket, request: bytes) -> bytearray:
        confinement = self._confinement
        deadline = monotonic() + confinement.wall_seconds
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._sent(control, theirs)
            try:
                ours.settimeout(confinement.wall_seconds)
                wire.send(ours, request)
                received = wire.receive(ours, confinement.answer_bytes, deadline)
            except TimeoutError:
                raise Broken(f"it ran longer than {confinement.wall_seconds:g} seconds") from None
            except wire.TooLong as error:
                raise Broken(f"its answer of {error} bytes is longer than {confinement.answer_bytes}") from None
            except (wire.Ended, ConnectionError, OSError):
                received = bytearray()
        try:
            ended = max(deadline, monotonic() + 0.5)
            (status,) = wire.STATUS.unpack(wire.exactly(control, wire.STATUS.size, ended))
        except TimeoutError:
            raise Broken(f"it ran longer than {confinement.wall_seconds:g} seconds") from None
        except wire.Ended:
            raise Unavailable("the process that scripts are started from was killed") from None
        if not received or status:
            raise Broken(self._how(status))
        return received

    def _sent(self, control: socket.socket, job: socket.socket) -> None:
        try:
            socket.send_fds(control, [b"j"], [job.fileno()])
        except OSError as error:
            raise Unavailable(f"the process that scripts are started from is gone: {error}") from None

    def _how(self, status: int) -> str:
        if not os.WIFSIGNALED(status):
            return f"it ended its process, with exit status {os.waitstatus_to_exitcode(status)}"
        number = os.WTERMSIG(status)
        if number in (signal.SIGXCPU, signal.SIGKILL):
            return f"it was ended: it used more than {self._confinement.cpu_seconds} seconds of CPU, or too much memory"
        return f"its process was ended by {signal.Signals(number).name}"

    def _ready(self) -> socket.socket:
        if self._owner != os.getpid():
            # Forked: the nursery is our parent's, and so is the other end of its socket.
            self._owner, self._process = os.getpid(), None
            if self._control is not None:
                self._control.close()
                self._control = None
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._control is None:
            self._control = self._started()
        return self._control

    def _started(self) -> socket.socket:
        """The socket of a new nursery."""
        uid, gid = self._rights()
        ours, theirs = socket.socketpair()
        root = str(Path(cloudkitty_like.__file__).resolve().parent.parent)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-S", "-P", "-B", "-c", COMMAND, root, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()], env={"PYTHONHASHSEED": "0"}, cwd="/", start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ours.settimeout(START_SECONDS)
            wire.send(ours, json.dumps({
                "isolation": self._confinement.isolation, "uid": uid, "gid": gid,
                "cpu_seconds": self._confinement.cpu_seconds, "memory_bytes": self._confinement.memory_bytes}).encode())
            missing = wire.receive(ours, 1 << 16).decode()
        except (OSError, wire.Ended, wire.TooLong, subprocess.SubprocessError) as error:
            ours.close()
            self._end()
            raise Unavailable(f"no process for scripts can be started: {error!r}") from error
        if missing:
            ours.close()
            self._end()
            raise Invalid(f"[rating_pyscripts] isolation: {self._confinement.isolation} cannot be had: {missing}",
                          hint=f"give the service what is missing, or choose a weaker one of {', '.join(LEVELS)}")
        return ours

    def _rights(self) -> tuple[int | None, int | None]:
        """Whose rights scripts have; None: ours, as we cannot give them away."""
        if os.geteuid() != 0:
            return None, None
        try:
            entry = pwd.getpwnam(self._confinement.user)
        except KeyError:
            raise Invalid(f"[rating_pyscripts] user: there is no user {self._confinement.user!r}") from None
        if entry.pw_uid == 0:
            raise Invalid(f"[rating_pyscripts] user: {self._confinement.user!r} is root")
        return entry.pw_uid, entry.pw_gid

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            # Without its socket it ends by itself, and with it whatever runs.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._process.kill()
            self._process.wait()
            self._process = None


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
