"""More hostile scripts: at the kernel's doors, at what a run shares with the next, at the answer and its numbers.

Each is a name, its text and what is said of it, as in ``hostile.py``; ``@parent@`` in a text is the
process id of the service.  :func:`outcomes` runs them three at a time; it needs nothing of pytest,
so that an ordinary user can run it in a process of its own.
"""
# ruff: noqa: E501, ISC004 - a script a line
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.script import Script
from cloudkitty_like.rating.pyscripts.sandbox import Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import PyscriptsTariff

HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
AT_A_TIME = 3
GOOD = """
from decimal import Decimal

for point in data["usage"]["compute"]:
    point["rating"] = {"price": point["vol"]["qty"] * Decimal("0.5")}
"""
PRELUDE = """
class BREACH(Exception):
    pass

def get(what="it"):
    raise BREACH(what)

def opened():
    import os
    found = []
    for number in range(64):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found

def send(*messages):
    import os, struct
    job = max(opened())
    for message in messages:
        left = struct.pack("=Q", len(message)) + message
        while left:
            left = left[os.write(job, left):]

def forge(*messages):
    import os
    send(*messages)
    os._exit(0)

def called(number, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) >= 0:
        get(number)
    if ctypes.get_errno() != 1:
        get((number, ctypes.get_errno()))
    raise PermissionError(1, "Operation not permitted")
"""
FCNTL = "import fcntl, os, struct\njob = max(opened())\n"
REFUSED = "Error"

DESCRIPTORS = {
    "the service is to be signalled": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETOWN, @parent@)\nget()", REFUSED),
    "the fork server is to be signalled": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETOWN, os.getppid())\nget()", REFUSED),
    "its group is to be signalled": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETOWN, -os.getppid())\nget()", REFUSED),
    "a thread is to be signalled": (FCNTL + "fcntl.fcntl(job, 15, struct.pack('ii', 0, os.getppid()))\nget()", REFUSED),
    "by SIGKILL": (FCNTL + "fcntl.fcntl(job, 10, 9)\nget()", REFUSED),
    "by SIGSTOP": (FCNTL + "fcntl.fcntl(job, 10, 19)\nget()", REFUSED),
    "by a real-time signal on its input": (FCNTL + "fcntl.fcntl(0, 10, 40)\nget()", REFUSED),
    "whenever something comes": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETFL, os.O_ASYNC | os.O_RDWR)\nget()", REFUSED),
    "all of it, whatever is answered": (
        FCNTL + "for arguments in ((10, 9), (8, @parent@), (8, os.getppid()), (4, 0o20002)):\n"
        "    try:\n        fcntl.fcntl(job, *arguments)\n        get(arguments)\n    except OSError:\n        pass\n"
        "left = struct.pack('=Q', 1 << 18) + b' ' * (1 << 18)\nwhile left:\n    left = left[os.write(job, left):]\nos._exit(0)",
        "nonsense|Error"),
    "does not wait any more": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETFL, os.O_NONBLOCK | os.O_RDWR)\nget()", REFUSED),
    "appends to the output": (FCNTL + "fcntl.fcntl(1, fcntl.F_SETFL, os.O_APPEND | os.O_RDWR)\nget()", REFUSED),
    "no flags at all": (FCNTL + "fcntl.fcntl(job, fcntl.F_SETFL, 0)\nget()", REFUSED),
    "looks at a directory": (FCNTL + "fcntl.fcntl(os.open(os.path.dirname(os.__file__), 0), 1026, 0x7fffffff)\nget()", REFUSED),
    "a lease": (FCNTL + "fcntl.fcntl(os.open(os.__file__, 0), 1024, 0)\nget()", REFUSED),
    "a lock of the file": (FCNTL + "fcntl.fcntl(1, 37, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))\nget()", REFUSED),
    "a lock of the process": (FCNTL + "fcntl.lockf(1, fcntl.LOCK_EX | fcntl.LOCK_NB)\nget()", REFUSED),
    "a lock that waits": (FCNTL + "fcntl.lockf(1, fcntl.LOCK_EX)\nget()", REFUSED),
    "who has a lock": (FCNTL + "fcntl.fcntl(1, 36, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))\nget()", REFUSED),
    "flock": (FCNTL + "fcntl.flock(1, fcntl.LOCK_EX | fcntl.LOCK_NB)\nget()", REFUSED),
    "who is signalled": (FCNTL + "fcntl.fcntl(job, fcntl.F_GETOWN)\nget()", REFUSED),
    "by which signal": (FCNTL + "fcntl.fcntl(job, 11)\nget()", REFUSED),
    "a pipe's size": (FCNTL + "fcntl.fcntl(0, 1031, 1 << 20)\nget()", REFUSED),
    "seals": (FCNTL + "fcntl.fcntl(1, 1033, 0xf)\nget()", REFUSED),
    "a hint how long data lives": (FCNTL + "fcntl.fcntl(1, 1036, struct.pack('Q', 2))\nget()", REFUSED),
    "a copy that survives exec": (FCNTL + "fcntl.fcntl(job, fcntl.F_DUPFD, 5)\nget()", REFUSED),
    "a command of 64 bits": (FCNTL + "called(72, job, (1 << 32) | 4, os.O_ASYNC)", REFUSED),
    "a negative command": (FCNTL + "called(72, job, -1, 0)", REFUSED),
    "a lock hidden in the upper half": (FCNTL + "called(72, job, (3 << 32) | 10, 9)", REFUSED),
    "what computing needs": (
        FCNTL + "assert fcntl.fcntl(job, fcntl.F_GETFL) & os.O_RDWR\nfcntl.fcntl(job, fcntl.F_SETFD, fcntl.F_GETFD)\n"
        "copy = fcntl.fcntl(job, fcntl.F_DUPFD_CLOEXEC, 5)\nassert fcntl.fcntl(copy, fcntl.F_GETFD) == 1\nos.close(copy)\nos.close(os.dup(0))",
        None),
    "ioctl FIOASYNC": (FCNTL + "fcntl.ioctl(job, 0x5452, struct.pack('i', 1))\nget()", REFUSED),
    "ioctl FIOSETOWN": (FCNTL + "fcntl.ioctl(job, 0x8901, struct.pack('i', @parent@))\nget()", REFUSED),
    "ioctl SIOCSPGRP": (FCNTL + "fcntl.ioctl(job, 0x8902, struct.pack('i', @parent@))\nget()", REFUSED),
    "ioctl TIOCSTI": (FCNTL + "fcntl.ioctl(0, 0x5412, b'x')\nget()", REFUSED),
    "an option of the socket": (FCNTL + "import socket\nsocket.socket(fileno=job).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)\nget()", REFUSED),
    "who is at the other end": (FCNTL + "import socket\nsocket.socket(fileno=job).getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)\nget()", REFUSED),
    "hands a file on": (FCNTL + "import socket\nsocket.send_fds(socket.socket(fileno=job), [b'x'], [0])\nget()", REFUSED),
    "urgent data": (FCNTL + "import socket\nsocket.socket(fileno=job).send(b'x', socket.MSG_OOB)\nget()", REFUSED),
    "takes files that were handed on": (FCNTL + "import socket\nsocket.recv_fds(socket.socket(fileno=job), 1, 8)\nget()", REFUSED),
    "other files than its own": ("if len(opened()) != 4: get(opened())", None),
    "its output is a file": ("import os, stat\nif not stat.S_ISCHR(os.fstat(1).st_mode): get(os.fstat(1))\nos.write(1, b'x' * 100000)", None),
}

# Numbers of x86-64: each is to be refused, with EPERM, whatever it is given.
SYSTEM_CALLS = {
    "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_open": 434,
    "pidfd_send_signal": 424, "pidfd_getfd": 438, "prctl": 157, "arch_prctl": 158, "setitimer": 38, "alarm": 37,
    "timer_create": 222, "timerfd_create": 283, "signalfd": 289, "eventfd2": 290, "ptrace": 101, "clone": 56, "clone3": 435,
    "vfork": 58, "execve": 59, "execveat": 322, "setsid": 112, "setpgid": 109, "dup2": 33, "dup3": 292, "pipe2": 293,
    "socketpair": 53, "sendto": 44, "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "sendfile": 40, "splice": 275, "ftruncate": 77,
    "fallocate": 285, "memfd_create": 319, "memfd_secret": 447, "userfaultfd": 323, "bpf": 321, "perf_event_open": 298,
    "io_uring_setup": 425, "io_setup": 206, "inotify_init1": 294, "fanotify_init": 300, "epoll_create1": 291,
    "add_key": 248, "request_key": 249, "msgget": 68, "semget": 64, "mq_open": 240, "process_vm_writev": 311,
    "process_madvise": 440, "kcmp": 312, "setns": 308, "chroot": 161, "open_tree": 428, "fsopen": 430,
    "name_to_handle_at": 303, "mknodat": 259, "personality": 135, "seccomp": 317, "landlock_create_ruleset": 444,
    "setpriority": 141, "sched_setscheduler": 144, "sched_setaffinity": 203, "ioprio_set": 251, "mlockall": 151,
    "clock_settime": 227, "adjtimex": 159, "setrlimit": 160, "prlimit64": 302, "membarrier": 324, "openat2": 437,
}
MACHINE = {
    f"system call {name}": (f"called({number}, 0, 0, 0, 0, 0)", REFUSED) for name, number in SYSTEM_CALLS.items()
} | {
    "system call kill of x32": ("called(62 | 0x40000000, @parent@, 9)", REFUSED),
    "a system call of 32 bits": (
        # mov eax, 20; int 0x80; ret: getpid, as a process of 32 bits asks for it.
        "import ctypes, mmap\nspace = mmap.mmap(-1, 4096, prot=7)\nspace.write(bytes.fromhex('b814000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(space)))()\nget()", "SIGSYS|Error"),
    "ends itself by a signal": ("import signal\nsignal.raise_signal(signal.SIGKILL)\nget()", REFUSED),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nget()", REFUSED),
    "its own alarm": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\nget()", "not permitted"),
    "a watchdog thread": ("import faulthandler\nfaulthandler.dump_traceback_later(0.01, exit=True, file=1)\nget()", REFUSED),
    "memory that others see": ("import mmap\nspace = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_SHARED)\nspace.write(b'left')", None),
    "memory without end by mmap": ("import mmap\nheld = []\nwhile True: held.append(mmap.mmap(-1, 1 << 26))", REFUSED),
    "the handler of SIGXCPU": ("import signal\nsignal.signal(signal.SIGXCPU, lambda *a: None)\nwhile True: pass", "seconds of CPU|ran longer|Error"),
    "where our code lies": ("import sys\nfor path in sys.path:\n    if 'cloudkitty' in path: get(path)", None),
}

FULL = b" " * (1 << 16)
MESSAGE = "import json\n"
ONE_POINT = '["hour","1","1",{"id":"a"},{}]'
ANSWERS = {
    "nothing but brackets": ("forge(b'[' * 100000)", "nonsense"),
    "brackets in a member": ("forge(b'{\"frames\":[{\"points\":' + b'[' * 100000)", "nonsense"),
    "braces in a member that is not there": ("forge(b'{\"x\":' + b'{\"x\":' * 50000)", "nonsense"),
    "a member that is not there": ("forge(b'{\"frames\":[],\"admin\":true}')", "nonsense"),
    "a member of a frame that is not there": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"1\",\"1\",\"1\"],\"x\":1}]}')", "nonsense"),
    "no JSON": ("forge(b'0.5 for all')", "nonsense"),
    "a list": ("forge(b'[]')", "nonsense"),
    "null": ("forge(b'null')", "nonsense"),
    "an empty message": ("forge(b'')", "nonsense"),
    "an empty answer": ("forge(b'{}')", "it failed"),
    "half a message": ("import os, struct\nos.write(max(opened()), struct.pack('=Q', 1000) + b'{')\nos._exit(0)", "exit status"),
    "half a length": ("import os\nos.write(max(opened()), b'123')\nos._exit(0)", "exit status"),
    "another length": ("import os, struct\nos.write(max(opened()), struct.pack('=Q', 1 << 63) + b'{}')\nos._exit(0)", "longer than"),
    "a message of a mebibyte": ("forge(b'{\"printed\":\"' + b'x' * (1 << 20) + b'\"}')", "longer than"),
    "no UTF-8": ("forge(b'{\"printed\":\"\\xff\\xfe\"}')", "nonsense"),
    "half a character": ("forge(b'{\"failed\":\"\\\\ud800\"}')", "nonsense"),
    "a mark at its begin": ("forge(b'\\xef\\xbb\\xbf{\"frames\":[]}')", "nonsense"),
    "for ever more, of nothing": ("while True: send(b'{\"more\":true,\"frames\":[]}')", "smaller pieces"),
    "for ever more, of blanks": ("while True: send(b'{\"more\":true,\"frames\":[' + b' ' * 70000 + b']}')", "longer than|nonsense|seconds of CPU"),
    "more, and no end": ("forge(b'{\"more\":true,\"frames\":[' + b' ' * 70000 + b']}')", "exit status"),
    "frames without number": ("forge(b'{\"frames\":[' + b','.join([b'{}'] * 5000) + b']}')", "more than 1030 points"),
    "points without number": ("point = b'" + ONE_POINT + "'\nmany = b'{\"more\":true,\"frames\":[{\"metric\":\"compute\",\"points\":[' + b','.join([point] * 3000) + b']}]}'\nwhile True: send(many)", "more than 1030 points"),
    "metrics without number": ("forge(b'{\"frames\":[' + b','.join(b'{\"metric\":\"m%d\",\"points\":[]}' % n for n in range(5000)) + b']}')", "more than 1030 points"),
    "prices without number": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[' + b','.join([b'\"1\"'] * 50000) + b']}]}')", "more than 1030 points"),
    "labels without number": ("labels = b','.join(b'\"l%d\":\"\"' % n for n in range(5000))\nforge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"1\",null,{' + labels + b'},{}]]}]}')", "more than 130 labels"),
    "labels without number, honestly": ("point = data['usage']['compute'][0]\npoint['metadata'] = {str(n): '' for n in range(5000)}", "more than 130 labels"),
    "points without number, honestly": ("data['usage']['compute'] = data['usage']['compute'] * 1000", "more than 1030 points"),
    "metrics of points without number": ("data['usage'] = {str(n): data['usage']['compute'] for n in range(1000)}", "more than 1030 points"),
    "a point without end": ("data['usage']['compute'][0]['metadata'] = {str(n): 'x' * 4000 for n in range(100)}", "more than 262144 bytes"),
    "a label of a mebibyte": ("data['usage']['compute'][0]['metadata']['x'] = 'x' * (1 << 20)", "more than 4096 characters"),
    "a label of wide letters": ("data['usage']['compute'][0]['metadata']['x'] = 'x' * 5000 + chr(0x1f600)", "more than 4096 characters"),
    "a number of digits": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"' + b'1' * 200000 + b'\",null,null]}]}')", "digits"),
    "a number of digits that is none": ("forge(b'{\"frames\":[{\"frame\":' + b'1' * 200000 + b'}]}')", "nonsense"),
    "a price that is a number": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[1,1,1]}]}')", "nonsense"),
    "a price that is text": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"one\",\"1\",\"1\"]}]}')", "no number"),
    "a price of NaN": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"nan\",\"1\",\"1\"]}]}')", "no finite number"),
    "a price of NaN with digits": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"snan123\",\"1\",\"1\"]}]}')", "no finite number"),
    "a price of infinity": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"-inf\",\"1\",\"1\"]}]}')", "no finite number"),
    "a frame that is not there": ("forge(b'{\"frames\":[{\"frame\":-2,\"price\":[\"1\"]}]}')", "not asked"),
    "a frame beyond all numbers": ("forge(b'{\"frames\":[{\"frame\":99999999999999999999,\"price\":[]}]}')", "nonsense|not asked"),
    "a frame twice": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"1\",\"1\",\"1\"]},{\"frame\":0,\"price\":[\"2\",\"2\",\"2\"]}]}')", "not asked"),
    "a price too few": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"1\",\"1\"]}]}')", "not asked"),
    "a point of four": ("forge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"1\",\"1\",{}]]}]}')", "nonsense"),
    "a label of null": ("forge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"1\",\"1\",{\"a\":null},{}]]}]}')", "nonsense"),
    "a label of NUL": ("forge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"1\",\"1\",{\"a\":\"\\\\u0000\"},{}]]}]}')", "cannot be stored"),
    "another scope's point": ("forge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"1\",\"1\",{\"project_id\":\"good\"},{}]]}]}')", "is 'good', but this is the usage of 'evil'"),
    "a metric without a name": ("forge(b'{\"frames\":[{\"metric\":\"\",\"points\":[" + ONE_POINT + "]}]}')", "no name"),
    "a metric of a long name": ("data['usage']['m' * 300] = data['usage'].pop('compute')", "more than 255 characters"),
    "a unit of a long name": ("data['usage']['compute'][0]['vol']['unit'] = 'u' * 65", "more than 64 characters"),
    "code instead of prices": ("forge(b'{\"code\":\"AAAA\",\"form\":\"data\"}')", "it failed"),
    "a failure of another script": ("forge(b'{\"failed\":\"script \\'other\\': it failed\"}')", "script 'evil': it failed"),
    "a failure that draws on the screen": ("forge(b'{\"failed\":\"\\\\u001b[2J\\\\u0007\"}')", r"\?\[2J\?"),
    "a fault at a point that is not there": ("forge(b'{\"wrong\":{\"reason\":\"no\",\"point\":99999999999999999999999}}')", "no|nonsense"),
    "two answers": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"nan\",\"1\",\"1\"]}]}', b'{\"frames\":[]}')", "no finite number|exit status"),
    "an answer and a bad end": ("import os\nsend(b'{\"frames\":[]}')\nos._exit(3)", "exit status 3"),
    "an answer and a crash": ("import ctypes\nsend(b'{\"frames\":[]}')\nctypes.string_at(0)", "SIGSEGV|Error"),
    "an answer and no end": ("import time\nsend(b'{\"frames\":[]}')\ntime.sleep(1000)", "ran longer"),
    "a usage that is itself": ("data['usage']['compute'][0]['metadata']['x'] = data", "a dict, not text"),
    "points that are others": ("class Points(list):\n    def __len__(self): return 3\ndata['usage']['compute'] = Points([1] * 5)", "no point|point 1"),
    "text that lies": ("class Text(str):\n    def __iter__(self): return iter('ok')\ndata['usage']['compute'][0]['metadata']['x'] = Text(chr(0))", "cannot be stored|nonsense"),
    "a dictionary that lies": ("class Point(dict):\n    def get(self, *a): raise KeyboardInterrupt\ndata['usage']['compute'] = [Point(vol=1)]", "KeyboardInterrupt"),
    "another json": ("import json.encoder\njson.encoder.c_make_encoder = None\njson._default_encoder.encode = lambda x: '{\"frames\":[]}' * 9", "nonsense"),
    "answers after its end": ("import atexit\natexit.register(lambda: send(b'{\"frames\":[]}' * 3))", None),
}

PRICE = "from decimal import Decimal, getcontext\npoint = data['usage']['compute'][0]\npoint['rating']['price'] = "
QTY = "from decimal import Decimal, getcontext\npoint = data['usage']['compute'][0]\npoint['vol']['qty'] = "
COLUMNS = "from decimal import Decimal\ndef rate(frame):\n    return [Decimal('{0}')] * len(frame)"
RANGE = "script 'evil', metric 'compute', point 1 .*out of range"
EXPONENTS = {
    f"a {what} of {text}": (head + f"Decimal('{text}')", RANGE)
    for what, head in (("price", PRICE), ("quantity", QTY))
    for text in ("1E-61", "-9.99E-61", "1E-300000000", "-1E-300000000", "1E-999999999999999999", "0E+300000000", "0E-300000000",
                 "0E+19", "1E+18", "1E+300000000", "0E-1001")
} | {
    f"prices of {text}": (COLUMNS.replace("{0}", text), RANGE)
    for text in ("1E-61", "1E-300000000", "0E+300000000", "1E+300000000")
} | {
    "a forged exponent": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"1E-300000000\",\"1\",\"1\"]}]}')", "out of range"),
    "a forged exponent of a quantity": ("forge(b'{\"frames\":[{\"metric\":\"compute\",\"points\":[[\"h\",\"0E+300000000\",null,{},{}]]}]}')", "out of range"),
    "an exponent beyond all numbers": ("forge(b'{\"frames\":[{\"frame\":0,\"price\":[\"1E-99999999999999999999999\",\"1\",\"1\"]}]}')", "out of range|no number"),
    "a whole number of digits": (PRICE + "10 ** 5000", "ValueError|out of range"),
    "a whole number out of range": (PRICE + "10 ** 400", "out of range"),
    "small, but a price": (PRICE + "Decimal('1E-60')", None),
    "a zero of many products": (PRICE + "Decimal('0.000000000000') * (Decimal(1) / 3) * (Decimal(1) / 7)", None),
    "sixty digits after zeros": (PRICE + "Decimal('0.0001') / 3", None),
    "zero times a billion billion": (PRICE + "Decimal('0E+18')", None),
}

LEFT = {
    "an end of the context": ("import decimal\ndecimal.getcontext().Emin = -5\ndecimal.getcontext().prec = 3", None),
    "a trace": ("import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)", None),
    "a hook": ("import sys\nsys.excepthook = lambda *a: None\nraise ValueError('seen')", "ValueError: seen"),
    "an audit hook": ("import sys\nsys.addaudithook(lambda *a: None)", None),
    "no exit": ("import os\nos._exit = lambda n: None", "exit status"),
    "patched framing": ("import sys\nfor name, module in list(sys.modules.items()):\n    if name.endswith('pyscripts.framing'): module.write = lambda *a: None", "exit status|^$"),
    "patched bounds": ("import sys\nfor name, module in list(sys.modules.items()):\n    if name.endswith('pyscripts.runner'): module.ROWS = 10 ** 9; module.FULL_BYTES = 10 ** 9; module.POINT_BYTES = 10 ** 9\n"
                       "for point in data['usage']['compute']: point['metadata'] = {str(n): 'x' * 4000 for n in range(100)}", "longer than"),
    "frozen classes": ("import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict) and 'isolation' in thing: thing.clear()", None),
    "a signal handler": ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)", None),
    "recursion for ever": ("import sys\nsys.setrecursionlimit(50)", "RecursionError|^$"),
}

INTRUDERS = {
    f"{kind}: {name}": script
    for kind, scripts in (("descriptors", DESCRIPTORS), ("machine", MACHINE), ("answers", ANSWERS),
                          ("exponents", EXPONENTS), ("left", LEFT))
    for name, script in scripts.items()
    if os.uname().machine == "x86_64" or not {"called(", "fromhex("} & set(re.findall(r"\w+\(", script[0]))
}
"""What is said of each, as a pattern; None: it does not get what it is after, and rates."""


def usage(scope: str) -> list[Frame]:
    """Three points."""
    return [Frame.of_usage("compute", "hour", HOUR, [Decimal(1), Decimal(2), Decimal(3)],
                           {"project_id": [scope] * 3, "id": list("abc")}, {"flavor": ["m1", "m2", "m1"]})]


def outcomes(confinement: Mapping[str, object], names: Iterable[str]) -> dict[str, str]:
    """What is wrong with how each was contained, by name, where anything is; so many at a time, and honest ones between."""
    sandbox = Sandbox(Confinement(**{  # type: ignore[arg-type]
        "cpu_seconds": 1, "wall_seconds": 4.0, "memory_bytes": 256 << 20, "answer_bytes": 16 << 20,
        "side_by_side": AT_A_TIME, **confinement}))
    good = PyscriptsTariff({"g": Script(name="good", text=GOOD)}, sandbox, "project_id", recheck=0)

    def outcome(name: str) -> tuple[str, str]:
        return name, _outcome(sandbox, name) or _honest(good)

    try:
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            return {name: wrong for name, wrong in threads.map(outcome, names) if wrong}
    finally:
        sandbox.close()


def _outcome(sandbox: Sandbox, name: str) -> str:
    text, said = INTRUDERS[name]
    text = text.replace("@parent@", str(os.getpid()))
    script = Script(name="evil", text=text if "def rate(frame)" in text else PRELUDE + text)
    error = ""
    try:
        PyscriptsTariff({"e": script}, sandbox, "project_id", recheck=0).rate("evil", HOUR, usage("evil"))
    except Error as found:
        error = str(found)
    if "BREACH:" in error or len(error) > 6000 or (error and "evil" not in error):
        return f"breach: {error[:500]}"
    # A library may be where only root can look; and on a busy machine a limit of time may come first.
    said = f"{said or '^$'}|ModuleNotFoundError|ran longer than"
    return "" if re.search(said, error, re.DOTALL) else f"{said!r} is not said: {error[:500]!r}"


def _honest(good: PyscriptsTariff) -> str:
    prices = [price for frame in good.rate("good", HOUR, usage("good")) for price in frame.price]
    return "" if prices == [Decimal("0.5"), 1, Decimal("1.5")] else f"then an honest script came to {prices}"


def main(confinement: str, kinds: str) -> None:
    """For a process of its own: tells, as JSON, what is wrong."""
    names = [name for name in INTRUDERS if name.startswith(tuple(kinds.split(",")))]
    print(json.dumps({"wrong": outcomes(json.loads(confinement), names), "run": len(names), "user": os.getuid()}))
