"""The parent of all processes that scripts run in: confined first, then forking one for each run.

Standard library only.

The sandbox starts it in an interpreter of its own, which shares with ours one
socket and nothing else.  It confines itself (:mod:`.kernel`), says so, and
from then on forks a process for every socket it is sent: the request and the
answer go through that socket, the fork server reads neither.  So every run begins
in the same clean state, and nothing that a script does reaches the next one.
"""
from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from cloudkitty_like.rating.pyscripts import framing, runner, syscalls

NAMESPACES, LANDLOCK, LIMITS = "namespaces", "landlock", "limits"
REQUEST_LIMIT = 1 << 31
ROOT = "/proc"                     # exists everywhere and holds nothing that is needed: the new root is made here
MASKED = ("site-packages", "dist-packages")
ZONES = "/usr/share/zoneinfo"
NEEDED_FILES = 16
WARM = ("re", "copy", "math", "operator", "itertools", "functools", "collections", "datetime", "time", "calendar",
        "fractions", "bisect", "heapq", "string", "random", "statistics", "dataclasses", "contextlib")
"""What scripts import is loaded beforehand, while nobody waits: else each run would load it once more."""


def main() -> None:
    """Confine, answer how that went, then fork until the other side closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    settings: Mapping[str, Any] = json.loads(framing.receive(control, 1 << 16))
    try:
        confined = _confine(settings)
    except (syscalls.KernelRefusal, OSError) as error:
        framing.send(control, str(error).encode())
        return
    if not confined:               # the process outside of the new namespace, which waits for the one inside
        return
    os.environ.clear()
    sys.argv[:] = [""]
    gc.disable()
    framing.send(control, b"")
    _serve(control, settings)


# --- confinement ----------------------------------------------------------------------------------


def _confine(settings: Mapping[str, Any]) -> bool:
    """Whether this is the confined process; Refused or OSError says what could not be had."""
    level, uid, gid = settings["isolation"], settings["uid"], settings["gid"]
    if level == NAMESPACES and not _entered(own_user=uid is None):
        return False
    if level != LIMITS:
        if syscalls.architecture() is None:
            raise syscalls.KernelRefusal(f"the system calls of {os.uname().machine} are not known here")
        if os.getuid() == 0 or level == NAMESPACES:
            syscalls.drop_capabilities(bounding=True)
    if uid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if level != LIMITS:
        syscalls.drop_capabilities(bounding=False)
    syscalls.no_new_privileges()
    if level == LANDLOCK:
        syscalls.landlock(_readable(), syscalls.landlock_version(settings["landlock"]))
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    if level == NAMESPACES:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    return True


def _entered(own_user: bool) -> bool:
    """Whether this is the first process of new, empty namespaces."""
    flags = syscalls.NEWNS | syscalls.NEWNET | syscalls.NEWIPC | syscalls.NEWUTS | syscalls.NEWPID
    outer = os.geteuid(), os.getegid()
    syscalls.unshare(flags | (syscalls.NEWUSER if own_user else 0), "new namespaces")
    if own_user:
        maps = {"setgroups": "deny", "uid_map": f"65534 {outer[0]} 1", "gid_map": f"65534 {outer[1]} 1"}
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    syscalls.host_name("script")
    _new_root()
    return True


def _readable() -> list[str]:
    """The directories of the standard library, and that of the time zones."""
    return [directory for directory in (*sys.path, ZONES) if os.path.isdir(directory)]


def _new_root() -> None:
    """A file system of nothing but the standard library, all of it read-only."""
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    readable = _readable()
    syscalls.mount("tmpfs", ROOT, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=1m,mode=755")
    shown: list[str] = []
    for directory in readable:
        if any(directory.startswith(f"{other}/") for other in shown):
            continue
        os.makedirs(ROOT + directory, exist_ok=True)
        syscalls.bind_read_only(directory, ROOT + directory)
        shown.append(directory)
        for name in MASKED:
            if os.path.isdir(f"{directory}/{name}"):
                syscalls.mount("tmpfs", f"{ROOT}{directory}/{name}", "tmpfs", syscalls.MS_RDONLY, "size=4k")
    empty = syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount("tmpfs", ROOT, "tmpfs", empty, "size=1m,mode=755")
    syscalls.change_root(ROOT)


# --- running --------------------------------------------------------------------------------------


def _serve(control: socket.socket, settings: Mapping[str, Any]) -> None:
    confine = _Last(settings)
    asking = select.poll()
    asking.register(control, select.POLLIN)
    cold = list(reversed(WARM))
    while True:
        while cold and not asking.poll(0):
            with suppress(ImportError):
                import_module(cold.pop())
        message, received, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if len(received) != 2:
            continue
        gc.freeze()
        child = os.fork()
        if not child:
            _run(control, received[0], received[1], confine)
        for number in received:
            os.close(number)
        status = _ended(control, child)
        if status is None:
            os.kill(child, signal.SIGKILL)
            return
        if settings["isolation"] == NAMESPACES:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)        # whatever it has left behind: we are the first process in here
        control.sendall(status)


def _ended(control: socket.socket, child: int) -> bytes | None:
    """How a process ended; None where the other side has gone first."""
    with os.fdopen(os.pidfd_open(child), "rb", buffering=0) as alive:
        waiting = select.poll()
        waiting.register(alive, select.POLLIN)
        waiting.register(control, select.POLLIN)
        if any(number == control.fileno() for number, _ in waiting.poll()):
            return None
    return framing.STATUS.pack(os.waitpid(child, 0)[1])


def _run(control: socket.socket, number: int, nothing: int, confine: _Last) -> None:
    """One run, in the process forked for it.  Exits with 1 where we, not the script, have failed.

    ``nothing`` becomes its standard input and output: a file opened for it
    alone, as what a script does to one that it shares would be there in the next run.
    """
    try:
        control.close()
        for standard in range(3):
            os.dup2(nothing, standard)
        os.close(nothing)
        job = socket.socket(fileno=number)
        request = framing.receive(job, REQUEST_LIMIT)
        confine()
        runner.answer(request, partial(framing.write, number))
        os._exit(0)
    finally:
        os._exit(1)


class _Last:
    """What is left to be confined in a process that was forked, prepared before."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        _limit({resource.RLIMIT_AS: settings["memory_bytes"], resource.RLIMIT_FSIZE: 0,
                resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: NEEDED_FILES,
                resource.RLIMIT_MEMLOCK: 0, resource.RLIMIT_MSGQUEUE: 0})
        self._own = {resource.RLIMIT_CPU: settings["cpu_seconds"], resource.RLIMIT_NPROC: 0}
        self._filter = None if settings["isolation"] == LIMITS else syscalls.SyscallFilter()

    def __call__(self) -> None:
        _limit(self._own)
        if self._filter is not None:
            self._filter.install()


def _limit(limits: Mapping[int, int]) -> None:
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))
