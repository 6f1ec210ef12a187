"""The system calls that confine a process, for the fork server of scripts: Linux on x86-64 and 64-bit ARM.

Standard library only.  Sources: the manual pages namespaces(7), mount(2),
pivot_root(2), capabilities(7), prctl(2), seccomp(2) and landlock(7), and the
kernel's tables of system calls.
"""
from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Mapping

_LIBC = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18)
KEPT_BY_REMOUNT = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""Flags of statvfs and of mount that a mount has to keep when it is made read-only."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = (
    1, 4, 22, 24, 38, 47)
LAST_CAPABILITY = 63
LANDLOCK_NEWEST = 6
"""The newest version of Landlock that is known here; the first can be had from Linux 5.13 on."""
EPERM = 1

# What a script that computes needs: memory, reading open files, modules of the standard library, time, its own end.
# By name: the number on x86-64, on 64-bit ARM (None: not there).
ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66), "access": (21, None),
    "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23),
    "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160), "fcntl": (72, 25),
    "getcwd": (79, 17), "readlink": (89, None), "gettimeofday": (96, 169), "getrusage": (98, 165),
    "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177),
    "getppid": (110, 173), "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "getdents64": (217, 61), "restart_syscall": (219, 128),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "openat": (257, 56), "newfstatat": (262, 79), "readlinkat": (267, 78),
    "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73), "getrandom": (318, 278),
    "statx": (332, 291), "rseq": (334, 293), "faccessat2": (439, 439),
}
ALLOWED_ARGUMENT: Mapping[str, tuple[int, tuple[int, ...]]] = {
    # F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC.  Any other asks the kernel for signals (F_SETOWN,
    # F_SETSIG, F_NOTIFY, F_SETLEASE), whoever they are to reach, or leaves flags and locks on a file
    # that somebody else has open, too.
    "fcntl": (1, (1, 2, 3, 1030)),
}
"""Of these system calls one argument, by its place from 0, must be one of these 32-bit values."""
ARCHITECTURES: Mapping[str, tuple[int, int, int]] = {      # place in ALLOWED, AUDIT_ARCH, number of pivot_root
    "x86_64": (0, 0xC000003E, 155), "aarch64": (1, 0xC00000B7, 41)}


class KernelRefusal(Exception):
    """The kernel did not do what was asked of it; what that was."""


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise KernelRefusal(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def architecture() -> str | None:
    """The machine's name where its system calls are known here."""
    machine = os.uname().machine
    return machine if machine in ARCHITECTURES else None


def unshare(flags: int, what: str) -> None:
    _checked(_LIBC.unshare(flags), what)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(_LIBC.mount(*arguments), f"mounting {source} at {target}")


def bind_read_only(source: str, target: str) -> None:
    """Show ``source`` at ``target``, not to be written."""
    mount(source, target, "", MS_BIND | MS_REC)
    there = os.statvfs(target).f_flag
    kept = sum(flag for seen, flag in KEPT_BY_REMOUNT.items() if there & seen)
    mount(source, target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | kept)


def change_root(directory: str) -> None:
    """Make a mount point the root of this mount namespace, and let go of the old one."""
    os.chdir(directory)
    _, _, pivot_root = ARCHITECTURES[os.uname().machine]
    _checked(_LIBC.syscall(pivot_root, b".", b"."), "pivot_root")
    _checked(_LIBC.umount2(b".", 2), "letting go of the old root")          # MNT_DETACH
    os.chdir("/")


def host_name(name: str) -> None:
    _checked(_LIBC.sethostname(name.encode(), len(name)), "sethostname")


def prctl(option: int, *arguments: int) -> int:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return int(_LIBC.prctl(option, *padded))


def drop_capabilities(*, bounding: bool) -> None:
    """None is left; with ``bounding``, to be called while there are some, none can be had again."""
    if bounding:
        for capability in range(LAST_CAPABILITY + 1):
            prctl(PR_CAPBSET_DROP, capability)
    else:
        prctl(PR_CAP_AMBIENT, 4)                                            # PR_CAP_AMBIENT_CLEAR_ALL
        header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
        _checked(_LIBC.capset(header, none), "giving up capabilities")


def no_new_privileges() -> None:
    _checked(prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")


class SyscallFilter:
    """From :meth:`install` on every system call but :data:`ALLOWED` fails with EPERM; a foreign machine's call kills.

    All of it is made ready before, so that to install it in a process just forked is one system call.
    """

    def __init__(self) -> None:
        place, audit, _ = ARCHITECTURES[os.uname().machine]
        numbers = {name: number for name, of in ALLOWED.items() if (number := of[place]) is not None}
        program = _program(audit, numbers)
        self._program = ctypes.create_string_buffer(program, len(program))
        self._head = ctypes.create_string_buffer(
            struct.pack("@HP", len(program) // 8, ctypes.addressof(self._program)))
        self._arguments = [ctypes.c_int(PR_SET_SECCOMP), *map(ctypes.c_ulong, (2, ctypes.addressof(self._head), 0, 0))]

    def install(self) -> None:
        _checked(_LIBC.prctl(*self._arguments), "filtering system calls")


def _program(audit: int, allowed: Mapping[str, int]) -> bytes:
    """A classic BPF program over struct seccomp_data.

    A jump is the number of rows that are passed over, where the comparison holds
    and where it does not.  To the last row, which allows, it is put in at the end.
    """
    load, equal, answer, refused = 0x20, 0x15, 0x06, 0x00050000 | EPERM
    allow = -1
    rows = [(load, 0, 0, 4), (equal, 1, 0, audit), (answer, 0, 0, 0x80000000), (load, 0, 0, 0)]
    for name, (place, values) in ALLOWED_ARGUMENT.items():
        # The lower half of the argument, all that the kernel makes an int of; both are little-endian.
        rows += [(equal, 0, len(values) + 2, allowed[name]), (load, 0, 0, 16 + 8 * place)]
        rows += [(equal, allow, 0, value) for value in values] + [(answer, 0, 0, refused)]
    rows += [(equal, allow, 0, number) for name, number in allowed.items() if name not in ALLOWED_ARGUMENT]
    rows += [(answer, 0, 0, refused), (answer, 0, 0, 0x7FFF0000)]
    return b"".join(
        struct.pack("=HBBI", code, len(rows) - 2 - at if jump == allow else jump, other, value)
        for at, (code, jump, other, value) in enumerate(rows))


def landlock_version(newest: int) -> int:
    """The version of Landlock that is used: the kernel's own, but none after ``newest``.

    :raises KernelRefusal: when the kernel has no Landlock
    """
    return min(newest, _checked(_LIBC.syscall(444, None, 0, 1), "Landlock"))


def landlock(readable: Iterable[str], version: int) -> None:
    """From now on only what lies in these directories can be opened, to read, and no TCP port.

    ``version`` is one that :func:`landlock_version` answers.
    """
    files = (1 << (13 + min(version - 1, 2) + (version >= 5))) - 1
    rules = struct.pack("=QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _checked(_LIBC.syscall(444, rules, size, 0), "Landlock")
    try:
        for directory in readable:
            opened = os.open(directory, os.O_PATH | os.O_CLOEXEC)
            try:
                beneath = struct.pack("=Qi", 1 << 2 | 1 << 3, opened)       # reading files and directories
                _checked(_LIBC.syscall(445, ruleset, 1, beneath, 0), f"Landlock: {directory}")
            finally:
                os.close(opened)
        _checked(_LIBC.syscall(446, ruleset, 0), "Landlock")
    finally:
        os.close(ruleset)
