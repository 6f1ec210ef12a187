"""Scripts that try to get out, to hang, to eat everything or to answer nonsense.

Each is a name, its text and what is said of it.  ``{...}`` in a text is filled in by the test (``Belongings.filled``): paths
and addresses of things that a script must not reach.  A script that gets what it is after raises BREACH.
"""
# ruff: noqa: E501, ISC004 - a script a line
from __future__ import annotations

BREACH = """
class BREACH(Exception):
    pass

def get(what):
    raise BREACH(what)
"""

ENDLESS = {
    "endless loop": ("while True: pass", "seconds of CPU"),
    "sleeps for ever": ("import time\ntime.sleep(1000)", "ran longer than"),
    "slow number": ("10 ** 10 ** 9", "seconds of CPU|memory"),
    "slow expression": ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "seconds of CPU"),
    "ignores SIGXCPU": ("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "seconds of CPU"),
    "catches everything for ever": ("while True:\n    try:\n        while True: pass\n    except BaseException: pass",
                                    "seconds of CPU"),
    "waits for a lock": ("import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()", "ran longer than"),
    "endless iterator": ("def rate(frame):\n    while True:\n        yield 1", "MemoryError|seconds of CPU|too much memory"),
}

GREEDY = {
    "memory bomb": ("held = []\nwhile True: held.append(bytearray(1 << 24))", "MemoryError|too much memory"),
    "one huge string": ("'x' * (1 << 40)", "MemoryError"),
    "doubling list": ("held = [0]\nwhile True: held = held * 2", "MemoryError|too much memory"),
    "huge output": ("while True: print('x' * 1000)", "characters were printed"),
    "one huge print": ("print('x' * (1 << 28))", "characters were printed|MemoryError"),
    "huge answer": ("data['usage']['compute'] *= 1 << 22", "more than 1030 points|MemoryError|too much memory"),
    "huge label": ("data['usage']['compute'][0]['metadata']['x'] = 'x' * 100000", "more than 4096 characters"),
    "huge exception": ("raise ValueError('x' * (1 << 24))", "ValueError|xxx"),
    "deep recursion": ("def f(): f()\nf()", "RecursionError"),
    # Python says "SystemError: error return without exception set" where it has no memory for one more call.
    "recursion without a limit": ("import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
                                  "SIGSEGV|MemoryError|too much memory|RecursionError|in f\n.*SystemError"),
    "deep nesting": ("x = []\nfor _ in range(10 ** 6): x = [x]\nrepr(x)", "RecursionError|SIGSEGV"),
    "deeply nested source": ("(" * 100000, "does not compile|too many nested"),
    "many open files": ("import os\nheld = []\nfor n in range(10000): held.append(os.dup(0))", "OSError"),
}

PROCESSES = {
    "fork bomb": ("import os\nwhile True:\n    os.fork()", "PermissionError|BlockingIOError"),
    "fork": ("import os\nif os.fork() >= 0: get('a process')", "PermissionError|BlockingIOError"),
    "vfork by ctypes": ("import ctypes\nif ctypes.CDLL(None).vfork() >= 0: get('a process')", None),
    "thread": ("import _thread\n_thread.start_new_thread(print, ())\nget('a thread')", "can't start new thread"),
    "threads": ("import threading\nwhile True: threading.Thread(target=print).start()", "can't start new thread"),
    "subprocess": ("import subprocess\nsubprocess.run(['/bin/true'])\nget('a process')", "Error"),
    "system": ("import os\nif os.system('true') == 0: get('a shell')", None),
    "exec": ("import os\nos.execv('/bin/sh', ['sh'])", "PermissionError|FileNotFoundError"),
    "posix_spawn": ("import os\nos.posix_spawn('/bin/true', ['true'], {{}})\nget('a process')", "Error"),
    "multiprocessing": ("import multiprocessing\nmultiprocessing.Process(target=print).start()\nget('a process')", "Error"),
    "memory file as a program": ("import os\nos.memfd_create('x')\nget('a file')", "PermissionError|AttributeError"),
}

FILES = {
    "reads the configuration": ("get(open({configuration!r}).read())", "Error"),
    "reads the database": ("get(open({database!r}, 'rb').read(100))", "Error"),
    "opens the database": ("import sqlite3\nsqlite3.connect({database!r}).execute('select 1')\nget('it')", "Error"),
    "reads passwords": ("get(open('/etc/passwd').read())", "Error"),
    "reads our environment": ("get(open('/proc/{parent}/environ', 'rb').read())", "Error"),
    "reads our command line": ("get(open('/proc/{parent}/cmdline').read())", "Error"),
    "reads our memory": ("get(open('/proc/{parent}/mem', 'rb').read(1))", "Error"),
    "reads its own process": ("get(open('/proc/self/maps').read())", "Error"),
    "reads the fork server's memory": ("get(open('/proc/1/mem', 'rb').read(1))", "Error"),
    "environment": ("import os\nif os.environ: get(dict(os.environ))", None),
    "arguments": ("import sys\nif len(sys.argv) > 1 or sys.argv[0]: get(sys.argv)", None),
    "open files": ("import os\nfor n in range(3, 200):\n    try:\n        os.write(n, b'')\n    except OSError:\n        continue\n"
                   "    held.append(n)\nif len(held) > 1: get(held)", None),
    "our code": ("import cloudkitty_like.db.engine\nget('it')", "Error"),
    "our packages": ("import sqlalchemy\nget('it')", "Error"),
    "writes a file": ("open({canary!r}, 'w').write('gone')\nget('it')", "Error"),
    "makes a file": ("open({directory!r} + '/new', 'w')\nget('it')", "Error"),
    "makes a file in /tmp": ("open({shared!r}, 'w')\nget('it')", "Error"),
    "makes a file here": ("open('of-a-script', 'w')\nget('it')", "Error"),
    "writes in the library": ("import os\nopen(os.path.dirname(os.__file__) + '/of_a_script.py', 'w')\nget('it')", "Error"),
    "removes a file": ("import os\nos.unlink({canary!r})\nget('it')", "Error"),
    "makes a directory": ("import os\nos.mkdir({shared!r})\nget('it')", "Error"),
    "changes rights": ("import os\nos.chmod({canary!r}, 0o777)\nget('it')", "Error"),
    "links": ("import os\nos.symlink({canary!r}, {shared!r})\nget('it')", "Error"),
    "writes shared memory": ("open('/dev/shm/of-a-script', 'w')\nget('it')", "Error"),
    "tempfile": ("import tempfile\ntempfile.TemporaryFile()\nget('it')", "Error"),
    "climbs out": ("import os\nos.chdir('../../../../..')\nget(os.listdir('.'))", "Error"),
}

NETWORK = {
    "PostgreSQL": ("import socket\nsocket.create_connection(('127.0.0.1', 5432), 2)\nget('it')", "Error"),
    "Redis": ("import socket\nsocket.create_connection(('127.0.0.1', 6379), 2)\nget('it')", "Error"),
    "the API": ("import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nget('it')", "Error"),
    "the API by HTTP": ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/')\nget('it')", "Error"),
    "the network": ("import socket\nsocket.create_connection(('192.0.2.1', 80), 2)\nget('it')", "Error"),
    "names": ("import socket\nsocket.getaddrinfo('localhost', 80)\nsocket.gethostbyname('example.org')\nget('it')", "error"),
    "datagrams": ("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))\nget('it')",
                  "Error"),
    "PostgreSQL's file": ("import socket\nsocket.socket(socket.AF_UNIX).connect('/var/run/postgresql/.s.PGSQL.5432')\nget('it')",
                          "Error"),
    "listens": ("import socket\nsocket.socket().listen()\nget('it')", "Error"),
    "netlink": ("import socket\nsocket.socket(16, 3, 0)\nget('it')", "Error"),
}

SIGNALS = {
    "kills us": ("import os\nos.kill({parent}, 9)\nget('it')", "Error"),
    "kills the fork server": ("import os\nos.kill(os.getppid(), 9)\nget('it')", "Error"),
    "kills everybody": ("import os\nos.kill(-1, 9)\nget('it')", "Error"),
    "kills its group": ("import os\nos.killpg(0, 9)\nget('it')", "Error"),
    "traces the fork server": ("import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0: get('it')", None),
    "reads the fork server by ctypes": (
        "import ctypes, os\nbuffer = ctypes.create_string_buffer(8)\n"
        "vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)\n"
        "if ctypes.CDLL(None).process_vm_readv(os.getppid(), vector, 1, vector, 1, 0) > 0: get('it')", None),
    "limits the fork server": ("import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))\nget('it')", "Error"),
    "raises its limits": ("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1000, 1000))\nget('it')", "Error"),
    "becomes root": ("import os\nos.setuid(0)\nget('it')", "Error"),
    "new namespaces": ("import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) == 0: get('it')", None),
    "mounts": ("import ctypes\nif ctypes.CDLL(None).mount(b'none', b'/proc', b'proc', 0, b'') == 0: get('it')", None),
    "System V memory": ("import ctypes\nif ctypes.CDLL(None).shmget(77, 4096, 0o1666) >= 0: get('it')", None),
    "keyring": ("import ctypes\nif ctypes.CDLL(None).syscall(248, b'user', b'x', b'y', 1, -3) >= 0: get('it')", None),
    "io_uring": ("import ctypes\nif ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(120)) >= 0: get('it')", None),
    "crash by ctypes": ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "aborts": ("import os\nos.abort()", "ended by SIG|exit status"),
}

ENDINGS = {
    "os._exit": ("import os\nos._exit(0)", "ended its process, with exit status 0"),
    "os._exit with a status": ("import os\nos._exit(7)", "exit status 7"),
    "sys.exit": ("import sys\nsys.exit(0)", "SystemExit"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "an exception without words": ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E"),
    "an exception of NUL": ("raise ValueError('a' + chr(0) + 'b' + chr(27))", r"ValueError: a\?b\?"),
    "an exception of half a character": ("raise ValueError(chr(0xd800))", "nonsense|ValueError"),
    "forges an endless traceback": (
        "import os, json, struct\nanswer = json.dumps({{'failed': 'x' * (1 << 22)}}).encode()\n"
        "for n in range(3, 50):\n    try:\n        os.write(n, struct.pack('=Q', len(answer)) + answer)\n"
        "    except OSError: pass\nos._exit(0)", "longer than"),
    "answers byte by byte": (
        "import os, time, struct\nfor byte in struct.pack('=Q', 100) + b'x' * 92:\n    for n in range(3, 50):\n"
        "        try:\n            os.write(n, bytes([byte]))\n        except OSError: pass\n    time.sleep(0.5)",
        "longer than"),
    "closes everything": ("import os\nos.closerange(0, 100)", "exit status|ended"),
    "forges an answer": (
        "import os, struct\nfor n in range(3, 50):\n    try:\n"
        "        os.write(n, struct.pack('=Q', 20) + b'{{\"frames\":\"forged\"}}')\n    except OSError: pass\nos._exit(0)",
        "nonsense|exit status"),
    "forges an answer about others": (
        "import os, json, struct\nanswer = json.dumps({{'frames': [{{'frame': 99, 'price': ['1']}}]}}).encode()\n"
        "for n in range(3, 50):\n    try:\n        os.write(n, struct.pack('=Q', len(answer)) + answer)\n"
        "    except OSError: pass\nos._exit(0)", "not asked"),
    "announces too much": (
        "import os, struct\nfor n in range(3, 50):\n    try:\n        os.write(n, struct.pack('=Q', 1 << 62))\n"
        "    except OSError: pass\nimport time\ntime.sleep(100)", "longer than"),
    "patches our code": (
        "import sys, gc\nfor name, module in list(sys.modules.items()):\n"
        "    if 'pyscripts' in name:\n        for key in list(vars(module)):\n"
        "            if not key.startswith('__'): vars(module)[key] = None", "exit status|Error"),
    "patches json": ("import json\njson.dumps = lambda *a, **k: 'forged'", "nonsense"),
}

POINT = "point = data['usage']['compute'][0]\n"
RESULTS = {
    "NaN": (POINT + "from decimal import Decimal\npoint['rating']['price'] = Decimal('NaN')", "point 1 .*no finite number"),
    "a signalling NaN": (POINT + "from decimal import Decimal\npoint['rating']['price'] = Decimal('sNaN')", "no finite number"),
    "infinity": (POINT + "from decimal import Decimal\npoint['rating']['price'] = Decimal('Infinity')", "no finite number"),
    "a float": (POINT + "point['rating']['price'] = 0.1", "point 1: its price is 0.1, a float"),
    "a string": (POINT + "point['rating']['price'] = '1'", "point 1: its price is '1', a str"),
    "a boolean": (POINT + "point['rating']['price'] = True", "a bool"),
    "10^30": (POINT + "from decimal import Decimal\npoint['rating']['price'] = Decimal(10) ** 30", "out of range"),
    "a number of many digits": (POINT + "import decimal\ndecimal.getcontext().prec = 10 ** 6\n"
                                "point['rating']['price'] = decimal.Decimal('0.' + '1' * 5000)", "digits"),
    "a foreign scope": (POINT + "point['groupby']['project_id'] = 'good'", "is 'good', but this is the usage of 'evil'"),
    "a point of another": ("data['usage']['compute'].append({{'vol': {{'unit': 'h', 'qty': 1}}, 'rating': {{'price': 1}}, "
                           "'groupby': {{'project_id': 'good'}}, 'metadata': {{}}}})", "point 4 .*is 'good'"),
    "no volume": (POINT + "del point['vol']", "point 1: its vol is None"),
    "no quantity": (POINT + "del point['vol']['qty']", "its vol is"),
    "no labels": (POINT + "del point['groupby']", "its groupby is None"),
    "a strange field": (POINT + "point['colour'] = 'red'", "'colour', which a point has not"),
    "a strange rating": (POINT + "point['rating'] = 5", "its rating is 5"),
    "no point": ("data['usage']['compute'].append(7)", "point 4: it is 7"),
    "no list": ("data['usage']['compute'] = 'all'", "no list"),
    "no usage": ("data = None", "no dictionary"),
    "no metric": ("data['usage'][5] = []", "no metric's name"),
    "a label of NUL": (POINT + "point['metadata']['x'] = chr(0)", "cannot be stored"),
    "half a character": (POINT + "point['metadata']['x'] = chr(0xd800)", "cannot be stored"),
    "a price too few": ("def rate(frame):\n    return [1]", "1 prices for 3 points"),
    "prices that are none": ("def rate(frame):\n    return 5", "TypeError"),
    "replaces Decimal": ("import decimal\nclass Evil(decimal.Decimal):\n    def __str__(self): return 'evil'\n"
                         "decimal.Decimal = Evil\n" + POINT + "point['rating']['price'] = Evil(1)", "no number|'evil'"),
    "chance": ("import random\n" + POINT + "from decimal import Decimal\n"
               "point['rating']['price'] = Decimal(random.randrange(10 ** 9))", "two runs"),
    "a NUL in the text": ("x = 1\0", "cannot be stored"),
}

HOSTILE = {
    f"{kind}: {name}": found
    for kind, scripts in (
        ("endless", ENDLESS), ("greedy", GREEDY), ("processes", PROCESSES), ("files", FILES), ("network", NETWORK),
        ("signals", SIGNALS), ("endings", ENDINGS), ("results", RESULTS))
    for name, found in scripts.items()
}
"""What is said of each, as a pattern; None: it does not get what it is after, and rates."""
