"""The sandbox itself: what a run begins with, what is left of it, and what happens where isolation cannot be had."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from ast import literal_eval
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, thread_time

import pytest

from cloudkitty_like.domain import patience
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.rating.pyscripts.forkserver import LANDLOCK, LIMITS, NAMESPACES
from cloudkitty_like.rating.pyscripts.sandbox import LEVELS, Confinement, Sandbox, ScriptAborted

from .ordinary import ROOT, as_ordinary_user

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
    with pytest.raises(ScriptAborted, match=r"longer than 0\.5 seconds"):
        printed(sandbox, "import time\ntime.sleep(5)")
    assert printed(sandbox, "print(1)") == "1\n"


def test_a_worker_killed_from_outside_is_replaced(make):
    sandbox = make(isolation=LIMITS)
    printed(sandbox, "print(1)")
    os.kill(sandbox.pids[0], signal.SIGKILL)
    os.waitid(os.P_PID, sandbox.pids[0], os.WEXITED | os.WNOWAIT)
    assert printed(sandbox, "print(2)") == "2\n"


@pytest.mark.slow
def test_a_worker_killed_during_a_run_is_nobodys_fault_but_may_be_tried_again(make):
    sandbox = make(isolation=LIMITS, wall_seconds=10)
    sandbox.check()
    killing = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.5; kill -9 {sandbox.pids[0]}"])
    with pytest.raises(Unavailable, match="was killed"):
        printed(sandbox, "import time\ntime.sleep(5)")
    killing.wait()
    assert printed(sandbox, "print(2)") == "2\n"


def test_nothing_is_left_running(make):
    sandbox = make()
    sandbox.check()
    group = sandbox.pids[0]
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
            first = sandbox.pids[0]
            same = printed(sandbox, "print(2)") == "2\n" and sandbox.pids[0] != first
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
    text = ("import os\nfrom cloudkitty_like.rating.pyscripts.sandbox import *\n"
            f"s = Sandbox(Confinement(isolation={level!r}))\n"
            "found = s.run({'job': 'compile', 'name': 'x', 'text': '1'})\nprint(os.getuid(), bool(found.code))\n"
            "s.close()")
    found = as_ordinary_user(text)
    assert found.stdout == "65534 True\n", found.stderr


def test_a_user_that_is_not_there_or_is_root_is_refused(make):
    if os.geteuid() == 0:
        with pytest.raises(Invalid, match="no user 'nobody-such'"):
            make(user="nobody-such").check()
        with pytest.raises(Invalid, match="is root"):
            make(user="root").check()


# --- what a script does to descriptors ------------------------------------------------------------

SIGNALLING = """
import fcntl, os, struct

def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False

job, done = max(filter(is_open, range(16))), 0
for arguments in ((10, NUMBER), (8, WHOM), (4, 0o20002)):      # F_SETSIG, F_SETOWN, F_SETFL of O_ASYNC
    try:
        fcntl.fcntl(job, *arguments)
        done += 1
    except OSError as error:
        print(error)
left = struct.pack("=Q", 1 << 23) + b" " * (1 << 23)            # more than goes into the socket: a signal for each gap
while left and done:
    left = left[os.write(job, left):]
"""
TRY = """
import os
from base64 import b64decode
from cloudkitty_like.rating.pyscripts.sandbox import *

sandbox = Sandbox(Confinement(isolation={level!r}, landlock={landlock}, wall_seconds=4.0))
for number in (9, 19):
    for whom in (str(os.getpid()), "os.getppid()", "-os.getppid()"):
        text = {text!r}.replace("NUMBER", str(number)).replace("WHOM", whom)
        code = b64decode(sandbox.run({{"job": "compile", "name": "x", "text": text}}).code)
        nurseries = sandbox.pids
        answer = sandbox.run({{"job": "run", "name": "x", "text": text, "code": code, "form": "data", "begin": 0,
                              "end": 3600, "frames": []}})
        print(answer.printed.count("Operation not permitted"), answer.failed, sandbox.pids == nurseries)
sandbox.close()
"""


@as_root
@pytest.mark.parametrize(("level", "landlock"), [(NAMESPACES, 6), (LANDLOCK, 6), (LANDLOCK, 5), (LANDLOCK, 2)])
def test_i8_b1_a_script_kills_and_stops_neither_the_service_nor_its_nursery(level, landlock):
    ended = as_ordinary_user(TRY.format(level=level, landlock=landlock, text=SIGNALLING))
    assert (ended.returncode, ended.stdout) == (0, "3 None True\n" * 6), ended.stderr


LEAVING = """
import fcntl, os, struct
for number in range(3):
    fcntl.fcntl(number, 10, 40)
    fcntl.fcntl(number, 8, os.getpid())
    fcntl.fcntl(number, 4, os.O_APPEND | os.O_NONBLOCK | os.O_RDWR)
fcntl.fcntl(1, 38, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))       # F_OFD_SETLKW
"""
LEFT = """
from base64 import b64decode
from cloudkitty_like.rating.pyscripts.sandbox import *

sandbox = Sandbox(Confinement(isolation="limits", side_by_side=1))
for text in ({looking!r}, {leaving!r}, {looking!r}):
    code = b64decode(sandbox.run({{"job": "compile", "name": "x", "text": text}}).code)
    answer = sandbox.run({{"job": "run", "name": "x", "text": text, "code": code, "form": "data", "begin": 0,
                          "end": 3600, "frames": []}})
    print(answer.failed or answer.printed)
sandbox.close()
"""
LOOKING = """
import fcntl, os, struct
lock = fcntl.fcntl(2, 36, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))      # F_OFD_GETLK
print([(fcntl.fcntl(number, 11), fcntl.fcntl(number, 9), fcntl.fcntl(number, 3) & (os.O_APPEND | os.O_NONBLOCK))
       for number in range(3)], struct.unpack("hhqqi4x", lock)[0])
"""


@as_root
def test_i8_b1_nothing_that_a_run_leaves_on_a_descriptor_reaches_the_next():
    """Without a filter, so that a script can leave what it likes."""
    ended = as_ordinary_user(LEFT.format(looking=LOOKING, leaving=LEAVING))
    clean = f"{[(0, 0, 0)] * 3} 2\n"          # no signal, no owner, no flag; F_UNLCK
    assert (ended.returncode, ended.stdout) == (0, f"{clean}\n\n{clean}\n"), ended.stderr


# --- side by side ---------------------------------------------------------------------------------


def test_as_many_run_side_by_side_as_have_room_in_memory():
    def lanes(**options):
        return Confinement(**options).lanes

    assert lanes() == min(len(os.sched_getaffinity(0)), 4)
    assert lanes(side_by_side=8) == 4                                  # of 512 MiB in 2 GiB
    assert lanes(side_by_side=8, together_bytes=8 << 30) == 8
    assert lanes(side_by_side=8, memory_bytes=4 << 30) == 1            # one there always is


def test_i8_b10_runs_side_by_side_do_not_wait_for_each_other(make):
    sandbox = make(side_by_side=3)
    begun = monotonic()
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda n: printed(sandbox, f"import time\ntime.sleep(1)\nprint({n})"), range(6)))
    assert found == [f"{n}\n" for n in range(6)]
    assert 2 <= monotonic() - begun < 5
    assert len(sandbox.pids) == 3


def test_who_has_no_patience_ends_a_run_and_the_next_one_goes_on(make):
    sandbox = make()
    begun = monotonic()
    with pytest.raises(patience.PatienceEnd), patience.limited(lambda: monotonic() - begun > 0.5):
        printed(sandbox, "import time\ntime.sleep(100)")
    assert monotonic() - begun < 5
    assert printed(sandbox, "print(1)") == "1\n"


CRUMBS = """
import os, struct

for number in range(3, 16):
    try:
        os.write(number, struct.pack("=Q", 400000))
    except OSError:
        continue
    while True:
        os.write(number, b"x" * 10)
        [None] * 400000
"""


def test_bytes_that_come_one_by_one_do_not_keep_the_service_busy(make):
    sandbox = make(wall_seconds=2.0, cpu_seconds=5)
    begun = thread_time()
    with pytest.raises(ScriptAborted, match="longer than 2 seconds"):
        printed(sandbox, CRUMBS)
    assert thread_time() - begun < 0.6


def test_i8_b11_landlock_covers_what_is_opened_and_not_what_is_looked_at(make):
    """As the documentation says of this level."""
    sandbox = make(isolation=LANDLOCK)
    assert "PermissionError" in printed(sandbox, "open('/etc/passwd')")
    assert printed(sandbox, "import os\nprint(os.stat('/etc/passwd').st_size > 0)") == "True\n"
    assert printed(sandbox, "import os\nprint(os.readlink('/proc/self').isdigit())") == "True\n"
