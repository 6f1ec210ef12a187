"""One fork server and what is run in it, a run at a time: starting it, asking it, ending it."""
from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import cloudkitty_like
from cloudkitty_like.domain import patience
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.rating.pyscripts import framing
from cloudkitty_like.rating.pyscripts.answer_stream import (
    AnswerMessage,
    AnswerReader,
    AnswerRefused,
)
from cloudkitty_like.rating.pyscripts.bounds import AnswerBounds
from cloudkitty_like.rating.pyscripts.forkserver import LANDLOCK, LIMITS, NAMESPACES
from cloudkitty_like.rating.pyscripts.syscalls import LANDLOCK_NEWEST

LEVELS = (NAMESPACES, LANDLOCK, LIMITS)
START_SECONDS, END_SECONDS = 20.0, 1.0
COMMAND = ("import sys; sys.path.insert(0, sys.argv.pop(1)); "
           "from cloudkitty_like.rating.pyscripts.forkserver import main; del sys.path[0]; main()")


@dataclass(frozen=True, slots=True)
class Confinement:
    """How scripts are confined, and how many of them at a time.

    ``user``: whose rights they have where we are root.  ``landlock``: the newest
    version of Landlock that is used.  ``side_by_side``: runs at a time; 0: as
    many as there are cores.  ``together_bytes``: what all of them may have in memory.
    """

    isolation: str = NAMESPACES
    user: str = "nobody"
    cpu_seconds: int = 10
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20
    answer_bytes: int = 64 << 20
    landlock: int = LANDLOCK_NEWEST
    side_by_side: int = 0
    together_bytes: int = 2048 << 20

    @property
    def lanes(self) -> int:
        """Runs at a time: at least one, and no more than have room in memory."""
        count = self.side_by_side or len(os.sched_getaffinity(0))
        return max(1, min(count, self.together_bytes // self.memory_bytes))


class ScriptAborted(Exception):
    """A run ended without an answer: a limit was broken, or the process killed itself; how."""


class Lane:
    """A fork server, started when it is needed.  Not thread-safe: one run at a time."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the fork server's process where there is one."""
        return None if self._process is None else self._process.pid

    def ready(self) -> socket.socket:
        """The fork server's socket; another one is started where it is gone.

        :raises Invalid: when the isolation that is configured cannot be had, saying what is missing
        :raises Unavailable: when no process can be had
        """
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._control is None:
            self._control = self._started()
        return self._control

    def run(self, packed: bytes, bounds: AnswerBounds) -> AnswerMessage:
        """What a process of its own answers to a request.  A run that is cut short ends its fork server.

        :raises ScriptAborted: when it does not answer, or not as it may
        :raises PatienceEnd: when the caller does not wait any longer
        :raises Unavailable: when no process can be had
        """
        control = self.ready()
        try:
            return self._asked(control, packed, bounds)
        except BaseException:
            self.end()
            raise

    def forget(self) -> None:
        """Let go of a fork server that is another process's, as this one was forked."""
        self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None

    def _asked(self, control: socket.socket, request: bytes, bounds: AnswerBounds) -> AnswerMessage:
        deadline = monotonic() + self._confinement.wall_seconds
        received = AnswerReader(bounds)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._send(control, theirs)
            whole = self._received(ours, request, received, deadline)
        try:
            ended = max(deadline, monotonic() + 0.5)
            said = framing.exactly(control, framing.STATUS.size, ended, patience.check)
        except TimeoutError:
            raise self._too_long() from None
        except (framing.StreamEnd, ConnectionError):
            raise Unavailable("the process that scripts are started from was killed") from None
        (status,) = framing.STATUS.unpack(said)
        if not whole or status:
            raise ScriptAborted(self._how(status))
        return received.answer

    def _received(self, ours: socket.socket, request: bytes, received: AnswerReader, deadline: float) -> bool:
        """Whether all of an answer has come."""
        try:
            ours.settimeout(self._confinement.wall_seconds)
            framing.send(ours, request)
            while not received.add(framing.receive(ours, received.longest, deadline, patience.check)):
                pass
        except TimeoutError:
            raise self._too_long() from None
        except framing.TooLong:
            raise ScriptAborted(received.too_long()) from None
        except AnswerRefused as error:
            raise ScriptAborted(str(error)) from None
        except (framing.StreamEnd, OSError):
            return False
        return True

    def _too_long(self) -> ScriptAborted:
        return ScriptAborted(f"it ran longer than {self._confinement.wall_seconds:g} seconds")

    def _send(self, control: socket.socket, job: socket.socket) -> None:
        """Hand on the job's socket, and a file of nothing to be its standard input and output."""
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            socket.send_fds(control, [b"j"], [job.fileno(), nothing])
        except OSError as error:
            raise Unavailable(f"the process that scripts are started from is gone: {error}") from None
        finally:
            os.close(nothing)

    def _how(self, status: int) -> str:
        if not os.WIFSIGNALED(status):
            return f"it ended its process, with exit status {os.waitstatus_to_exitcode(status)}"
        number = os.WTERMSIG(status)
        if number in (signal.SIGXCPU, signal.SIGKILL):
            return f"it was ended: it used more than {self._confinement.cpu_seconds} seconds of CPU, or too much memory"
        return f"its process was ended by {signal.Signals(number).name}"

    def _started(self) -> socket.socket:
        """The socket of a new fork server."""
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
            framing.send(ours, json.dumps({
                "isolation": self._confinement.isolation, "uid": uid, "gid": gid,
                "cpu_seconds": self._confinement.cpu_seconds, "memory_bytes": self._confinement.memory_bytes,
                "landlock": self._confinement.landlock}).encode())
            missing = framing.receive(ours, 1 << 16).decode()
        except (OSError, framing.StreamEnd, framing.TooLong, subprocess.SubprocessError) as error:
            ours.close()
            self.end()
            raise Unavailable(f"no process for scripts can be started: {error!r}") from error
        if missing:
            ours.close()
            self.end()
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

    def end(self) -> None:
        """End the fork server, and with it whatever runs; it is started again when it is needed."""
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
