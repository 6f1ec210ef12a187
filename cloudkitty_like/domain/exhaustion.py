"""Which limit of the process or of the system was reached, where an error comes from one."""
from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

FILES = Path("/proc/sys/fs/file-max")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def exhausted(error: BaseException | None) -> str | None:
    """The limit that ``error``, or what it was caused by, ran into, with its value; None where it is none.

    Open files, memory and threads are known.
    """
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return _memory()
        if isinstance(cause, RuntimeError) and "can't start new thread" in str(cause):
            return _threads()
        number = cause.errno if isinstance(cause, OSError) else None
        # A library that reports an error of the kernel in an exception of its own keeps the kernel's words.
        said = str(cause)
        if number == errno.ENFILE or os.strerror(errno.ENFILE) in said:
            return f"the system has no more open files: fs.file-max is {_content(FILES)}"
        if number == errno.EMFILE or os.strerror(errno.EMFILE) in said:
            return _files()
        if number == errno.ENOMEM:
            return _memory()
    return None


def out_of_files() -> str | None:
    """The limit on open files where this process can open no further one now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return exhausted(error)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it wraps, and what it was raised for or during."""
    waiting, visited = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in visited:
            continue
        visited.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "original_exception", None)]
        waiting += [part for part in cause.args if isinstance(part, BaseException)]


def _files() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (f"out of file descriptors: this process may have {limit} (ulimit -n; LimitNOFILE= of a systemd unit), "
            "each connection and each file takes one")


def _memory() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [] if limit == resource.RLIM_INFINITY else [f"this process may use {limit} bytes (ulimit -v; LimitAS=)"]
    control = _of_cgroup("memory.max")
    if control.isdigit():
        limits.append(f"its control group {control} bytes (memory.max; MemoryMax=)")
    return f"out of memory: {' and '.join(limits) or 'the system has no more'}"


def _threads() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [] if limit == resource.RLIM_INFINITY else [f"this user may have {limit} (ulimit -u; LimitNPROC=)"]
    control = _of_cgroup("pids.max")
    if control.isdigit():
        limits.append(f"its control group {control} (pids.max; TasksMax=)")
    return f"out of threads: {' and '.join(limits) or 'the system starts no more, for want of memory or of threads'}"


def _of_cgroup(name: str) -> str:
    """A limit of the control group that this process is in; a container sees its own as the root."""
    own = next((line[4:] for line in _content(OWN_CGROUP).splitlines() if line.startswith("0::/")), "")
    return _content(CGROUPS / own / name)


def _content(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return "unknown"
