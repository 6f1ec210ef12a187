"""The sandbox itself: what a run begins with, what is left of it, and what happens where isolation cannot be had."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from ast import literal_eval
from base64 import b64decode
from pathlib import Path

import pytest

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.rating.pyscripts.nursery import LANDLOCK, LIMITS, NAMESPACES
from cloudkitty_like.rating.pyscripts.sandbox import LEVELS, Broken, Confinement, Sandbox

ROOT = Path(__file__).resolve().parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run something as somebody else")


@pytest.fixture
def make():
    made = []

    def sandbox(**options):
        made.append(Sandbox(Confinement(**options)))
        return made[-1]

    yield sandbox
    for one in made:
        one.close()


def printed(sandbox, text):
    """What a script prints; it is given no usage."""
    found = sandbox.run({"job": "compile", "name": "x", "text": text})
    assert found.code, found
    answer = sandbox.run({"job": "run", "name": "x", "text": text, "code": b64decode(found.code), "form": found.form,
                          "begin": 0, "end": 3600, "frames": []})
    return answer.failed or answer.printed


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_runs_scripts(make, level):
    assert printed(make(isolation=level), "print(6 * 7)") == "42\n"


@pytest.mark.parametrize("level", [NAMESPACES, LANDLOCK])
def test_a_run_has_no_environment_and_no_rights(make, level):
    found = printed(make(isolation=level), "import os, sys\nprint(dict(os.environ), sys.argv, os.getuid() != 0)")
    assert found == "{} [''] True\n"


def test_a_run_in_namespaces_is_alone_and_has_the_standard_library_only(make):
    sandbox = make(isolation=NAMESPACES)
    assert printed(sandbox, "import os\nprint(os.getppid(), os.uname().nodename)") == "1 script\n"
    assert printed(sandbox, "import statistics, zoneinfo\n"
                            "print(statistics.mean([1, 3]), zoneinfo.ZoneInfo('Europe/Paris'))") == "2 Europe/Paris\n"
    top = printed(sandbox, "import os\nprint(sorted(os.listdir('/')))")
    assert set(literal_eval(top)) <= {Path(sysconfig.get_path("stdlib")).parts[1], "usr"}


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_of_a_run_reaches_the_next(make, level):
    sandbox = make(isolation=level)
    printed(sandbox, "import decimal, builtins, math\ndecimal.Decimal = None\nbuiltins.left = 1\nmath.pi = 3\n"
                     "decimal.getcontext().prec = 2")
    found = printed(sandbox, "import decimal, builtins, math\n"
                             "print(decimal.Decimal(1) / 3, hasattr(builtins, 'left'), math.pi)")
    assert found == "0." + "3" * 60 + " False 3.141592653589793\n"


def test_the_order_of_sets_is_the_same_in_every_worker(make):
    text = "print(list({'one', 'two', 'three', 'four'}))"
    assert printed(make(), text) == printed(make(), text)


def test_a_broken_limit_ends_the_run_and_the_next_one_goes_on(make):
    sandbox = make(wall_seconds=0.5)
    with pytest.raises(Broken, match=r"longer than 0\.5 seconds"):
        printed(sandbox, "import time\ntime.sleep(5)")
    assert printed(sandbox, "print(1)") == "1\n"


def test_a_worker_killed_from_outside_is_replaced(make):
    sandbox = make(isolation=LIMITS)
    printed(sandbox, "print(1)")
    os.kill(sandbox._process.pid, signal.SIGKILL)
    sandbox._process.wait()
    assert printed(sandbox, "print(2)") == "2\n"


def test_a_worker_killed_during_a_run_is_nobodys_fault_but_may_be_tried_again(make):
    sandbox = make(isolation=LIMITS, wall_seconds=10)
    sandbox.check()
    killing = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.5; kill -9 {sandbox._process.pid}"])
    with pytest.raises(Unavailable, match="was killed"):
        printed(sandbox, "import time\ntime.sleep(5)")
    killing.wait()
    assert printed(sandbox, "print(2)") == "2\n"


def test_nothing_is_left_running(make):
    sandbox = make()
    sandbox.check()
    group = sandbox._process.pid
    sandbox.close()
    listed = subprocess.run(["ps", "-o", "pid=", "-s", str(group)], capture_output=True, text=True, check=False)
    assert listed.stdout == ""


def test_a_forked_process_has_a_worker_of_its_own(make):
    sandbox = make(isolation=LIMITS)
    printed(sandbox, "print(1)")
    child = os.fork()
    if not child:
        same = False
        try:
            first = sandbox._process.pid
            same = printed(sandbox, "print(2)") == "2\n" and sandbox._process.pid != first
            sandbox.close()
        finally:
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert printed(sandbox, "print(3)") == "3\n"


@as_root
def test_what_is_missing_for_the_isolation_is_said():
    text = ("from cloudkitty_like.rating.pyscripts.sandbox import *\ntry: Sandbox(Confinement()).check()\n"
            "except Exception as error: print(type(error).__name__, error, error.hint)")
    found = subprocess.run(["setpriv", "--bounding-set=-sys_admin", sys.executable, "-c", text],
                           capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert found.stdout.startswith("Invalid [rating_pyscripts] isolation: namespaces cannot be had: new namespaces:")
    assert "landlock" in found.stdout


@as_root
@pytest.mark.parametrize("level", [NAMESPACES, LANDLOCK])
def test_an_ordinary_user_can_have_it_too(level):
    python = _python_of_everybody()
    text = ("import os\nfrom cloudkitty_like.rating.pyscripts.sandbox import *\n"
            f"s = Sandbox(Confinement(isolation={level!r}))\n"
            "found = s.run({'job': 'compile', 'name': 'x', 'text': '1'})\nprint(os.getuid(), bool(found.code))\n"
            "s.close()")
    paths = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    found = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", python, "-c", text],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": paths, "PATH": os.environ["PATH"]}, cwd="/")
    assert found.stdout == "65534 True\n", found.stderr


def _python_of_everybody():
    """An interpreter of our version that any user can run, and our packages with it."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in filter(None, (f"/usr/bin/{version}", f"/usr/local/bin/{version}", shutil.which(version))):
        tried = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", python, "-c",
                                f"open({str(ROOT / 'setup.cfg')!r}); import msgspec"], capture_output=True, check=False,
                               env={"PYTHONPATH": sysconfig.get_path("purelib")}, cwd="/")
        if tried.returncode == 0:
            return python
    pytest.skip(f"no {version} that any user can run, with this directory and its packages")
    return ""


def test_a_user_that_is_not_there_or_is_root_is_refused(make):
    if os.geteuid() == 0:
        with pytest.raises(Invalid, match="no user 'nobody-such'"):
            make(user="nobody-such").check()
        with pytest.raises(Invalid, match="is root"):
            make(user="root").check()
