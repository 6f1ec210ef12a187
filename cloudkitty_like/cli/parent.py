"""A child process that must not outlive the one that started it, even where that one is killed."""
from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1                   # prctl(2)


def end_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent ends.

    ``parent`` is the process that has started this one; where it has ended already, and another
    process is the parent by now, this one ends at once.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
