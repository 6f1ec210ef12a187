"""Python as an ordinary user, for a service that is not root."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]


def as_ordinary_user(text: str) -> subprocess.CompletedProcess[str]:
    """What a program of Python says in a process of user 65534, with this tree and its packages."""
    paths = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    return subprocess.run(
        [*NOBODY, _python_of_everybody(), "-B", "-c", text], capture_output=True, text=True,
        check=False,
        env={"PYTHONPATH": paths, "PATH": os.environ["PATH"]}, cwd="/")


def _python_of_everybody() -> str:
    """An interpreter of our version that any user can run, and our packages with it."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in filter(None,
                         (f"/usr/bin/{version}", f"/usr/local/bin/{version}",
                          shutil.which(version))):
        tried = subprocess.run(
            [*NOBODY, python, "-c", f"open({str(ROOT / 'setup.cfg')!r}); import msgspec"],
            capture_output=True,
            check=False, env={"PYTHONPATH": sysconfig.get_path("purelib")}, cwd="/")
        if tried.returncode == 0:
            return python
    pytest.skip(f"no {version} that any user can run, with this directory and its packages")
    return ""
