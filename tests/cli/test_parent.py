"""A child ends with its parent, however that ends."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import monotonic, sleep

CHILD = """
import os, sys, time
from cloudkitty_like.cli.parent import end_with_parent
end_with_parent(int(sys.argv[1]))
print("up", os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"""
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())]).wait()
"""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_i8_m11_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        word, pid = parent.stdout.readline().split()
        assert (word, alive(int(pid))) == ("up", True)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = monotonic() + 10
        while alive(int(pid)) and monotonic() < deadline:
            sleep(0.05)
        assert not alive(int(pid))


def test_i8_m11_a_child_whose_parent_has_gone_ends_at_once() -> None:
    run = subprocess.run([sys.executable, "-c", CHILD, str(os.getppid())], capture_output=True, text=True, check=False,
                         timeout=30)
    assert (run.returncode, run.stdout) == (0, "")
