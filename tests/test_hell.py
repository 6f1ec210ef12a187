"""A day of hell: whatever breaks, when and however often, the ledger ends as if nothing had happened.

Two processors that share their work rate one history after the other while, at random, they
are killed and stopped beyond their leases, the clock jumps, the disk is full, the database is
killed, locked, cut off, slow or silent.  ``HELL_SEED`` repeats a run, ``HELL_SECONDS`` is how
long it lasts.  The long form prints how long each kind of event took to recover from.
"""
from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.limits import WaitLimits
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.period import instant
from cloudkitty_like.testing.databases import KINDS
from cloudkitty_like.testing.network import free_port
from tests.installation import History, Installation
from tests.own_servers import OwnServer, own_server
from tests.proxy import Proxy

SHORT = History(hours=120, begin=datetime(2026, 8, 29, tzinfo=UTC))        # so that a month ends in it
LONG = History(hours=240, begin=datetime(2026, 8, 25, tzinfo=UTC))
PATIENCE = 300.0                       # until rating goes on after an event, on a machine that does other things too
LIMITS = {"connect_timeout": 2, "network_timeout": 4, "answer_timeout": 3}
LEASE_SECONDS = 2
DISK_BYTES = 64 << 20
WORKERS = 2
STACKS = """
import faulthandler, signal
faulthandler.register(signal.SIGUSR2, open({path!r}, "a"), all_threads=True)
"""
"""What every processor runs at its start, so that one that hangs tells where."""

SESSIONS = {
    "postgresql": "SELECT pid, application_name, state, wait_event, clock_timestamp() - state_change, "
                  "pg_blocking_pids(pid), query FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SHOW FULL PROCESSLIST",
}


@dataclass
class Recoveries:
    """Seconds until rating went on, by kind of event."""

    seconds: dict[str, list[float]]

    def lines(self) -> Iterator[str]:
        yield f"{'event':<22} {'times':>5} {'median s':>9} {'longest s':>9}"
        for kind, taken in sorted(self.seconds.items()):
            yield f"{kind:<22} {len(taken):>5} {statistics.median(taken):>9.1f} {max(taken):>9.1f}"


class Place:
    """Where it all happens: the database, the proxy before it, the leases, the clock, and two processors."""

    def __init__(self, kind: str, directory: Path, history: History, draw: random.Random,
                 stack: ExitStack) -> None:
        self.kind, self.directory, self.history, self.draw = kind, directory, history, draw
        self.server: OwnServer | None = None if kind == "sqlite" else stack.enter_context(own_server(kind))
        self.proxy = None if self.server is None else stack.enter_context(Proxy(self.server.port))
        self.disk = stack.enter_context(small_disk()) if kind == "sqlite" else None
        self.lease = stack.enter_context(leases(directory))
        self.clock = directory / "clock"
        self.processes: list[subprocess.Popen[str]] = []
        self.rounds = 0
        self.site: Installation
        self.database: Database
        self.stacks = directory / "stacks"
        (directory / "start").mkdir()
        (directory / "start" / "sitecustomize.py").write_text(STACKS.format(path=str(self.stacks)))

    def begin(self) -> None:
        """A new history in a new database, with the first hour of it rated."""
        self.rounds += 1
        self.clock.write_text("+0")
        name = f"hell_{self.rounds}"
        direct = (self.server.connection(name) if self.server is not None
                  else f"sqlite:///{(self.disk or self.directory) / name}.sqlite")
        self.database = Database(direct)
        self.database.limit(WaitLimits(connect=2, network=4, answer=5, question=5))
        reached = direct if self.server is None or self.proxy is None else direct.replace(
            f":{self.server.port}/", f":{self.proxy.port}/")
        self.site = Installation(self.directory / name, reached, {
            "database": LIMITS,
            "orchestrator": {"coordination_url": self.lease, "retry_first": 0.2, "retry_most": 1, "poll_interval": 0.2,
                             "slice_seconds": 2, "discovery_interval": 2, "shards": 2},
        }, {**faked(self.clock), "PYTHONPATH": str(self.directory / "start")})
        self.site.prepare(self.history)
        first = ["--begin", instant(self.history.begin), "--end", instant(self.history.begin.replace(hour=1))]
        self.site.run("rate", *first)
        self.processes = [self.site.start("processor") for _ in range(WORKERS)]

    def progress(self) -> int | None:
        """How many periods of scopes are in the ledger; None while it does not say."""
        try:
            with self.database.read() as tx:
                return int(tx.execute(text("SELECT count(*) FROM frame WHERE revision > 0")).scalar_one())
        except Error:
            return None

    def is_over(self) -> bool:
        """Whether all of the history is rated."""
        try:
            with self.database.read() as tx:
                due = tx.execute(text("SELECT min(due) FROM scope")).scalar_one()
        except Error:
            return False
        return due is not None and int(due) >= self.history.end.timestamp()

    def await_heartbeat(self, pid: int) -> None:
        """Wait until this processor is at work."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(Error), self.database.read() as tx:
                if tx.execute(text("SELECT count(*) FROM worker WHERE pid = :pid"), {"pid": pid}).scalar_one():
                    return
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def restart(self, number: int) -> None:
        self.processes[number] = self.site.start("processor")

    def log(self) -> str:
        return (self.site.directory / "log").read_text()[-5000:]

    def hanging(self) -> str:
        """The end of the log, and where each thread of each processor is."""
        for process in self.processes:
            process.send_signal(signal.SIGUSR2)
        time.sleep(2)
        stacks = self.stacks.read_text() if self.stacks.exists() else "no stacks"
        return f"{self.log()}\n{stacks}\n{self.sessions()}"

    def sessions(self) -> str:
        """What the server's sessions do."""
        if self.kind == "sqlite":
            return ""
        with suppress(Error), self.database.read() as tx:
            return "\n".join(map(str, tx.execute(text(SESSIONS[self.kind])).all()))
        return "the server does not say what its sessions do"

    def end(self) -> None:
        """Stop the processors; each within ten seconds.

        One that has been started a moment ago is at work first: before that a signal ends it as any
        other program.
        """
        for process in self.processes:
            self.await_heartbeat(process.pid)
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                assert process.wait(60) == 0, self.log()
            finally:
                process.kill()
        self.processes = []

    def forget(self) -> None:
        """Make room for the next history."""
        self.database.close()
        shutil.rmtree(self.site.directory)
        if self.disk is not None:
            for file in self.disk.iterdir():
                file.unlink()


def faked(clock: Path) -> dict[str, str]:
    """The environment of a process whose clock is off by what stands in a file; its waits are not."""
    import libfaketime

    library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


@contextmanager
def leases(directory: Path) -> Iterator[str]:
    """A Redis of the test's own, whose leases run out; where there is none, lock files, which do not."""
    program = shutil.which("redis-server")
    if program is None:
        print("no redis-server: leases are lock files, which do not run out while a process is stopped")
        yield f"file://{directory / 'locks'}"
        return
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(0.5)
        try:
            yield f"redis://127.0.0.1:{port}?timeout={LEASE_SECONDS}"
        finally:
            process.kill()


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system that is soon full; None where this user may not mount one."""
    directory = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)], check=False,
        capture_output=True).returncode == 0
    if not mounted:
        print("no small file system can be mounted: the disk is never full")
    try:
        yield directory if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(directory)], check=False)
        directory.rmdir()


# --- what happens -------------------------------------------------------------------------------------


def a_processor_is_killed(place: Place) -> None:
    number = place.draw.randrange(WORKERS)
    place.processes[number].kill()
    place.processes[number].wait()
    time.sleep(place.draw.uniform(0, 2))
    place.restart(number)


def both_processors_are_killed(place: Place) -> None:
    for process in place.processes:
        process.kill()
    for number, process in enumerate(place.processes):
        process.wait()
        place.restart(number)


def a_processor_sleeps(place: Place) -> None:
    """Beyond its lease, so that the other takes its work over; and wakes up in the middle of it."""
    process = place.draw.choice(place.processes)
    process.send_signal(signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + place.draw.uniform(1, 5))
    process.send_signal(signal.SIGCONT)


def the_clock_jumps(place: Place) -> None:
    """By up to two days, to and fro; it stays off for a while, and is right again afterwards."""
    for offset in (place.draw.randrange(-172800, 172800), 0):
        # Written at once: half of a file would be another time.
        new = place.clock.with_suffix(".new")
        new.write_text(f"{offset:+d}")
        new.replace(place.clock)
        if offset:
            time.sleep(place.draw.uniform(1, 4))


def a_processor_is_out_of_descriptors(place: Place) -> None:
    process = place.draw.choice(place.processes)
    place.await_heartbeat(process.pid)         # one that cannot load its program can only end
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
    time.sleep(place.draw.uniform(1, 4))
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def the_disk_is_full(place: Place) -> None:
    assert place.disk is not None
    filling = place.disk / "filling"
    with suppress(OSError), filling.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    time.sleep(place.draw.uniform(1, 4))
    filling.unlink()


def the_file_is_locked(place: Place) -> None:
    file = str(place.database.url.database)
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other, suppress(sqlite3.OperationalError):
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(place.draw.uniform(1, 5))
        other.execute("ROLLBACK")


def the_server_is_killed(place: Place) -> None:
    assert place.server is not None
    place.server.kill()
    time.sleep(place.draw.uniform(0, 4))
    place.server.start()


def connections_are_cut(place: Place) -> None:
    assert place.proxy is not None
    for _ in range(place.draw.randrange(1, 4)):
        place.proxy.cut()
        time.sleep(place.draw.uniform(0, 0.3))


def connections_are_refused(place: Place) -> None:
    assert place.proxy is not None
    place.proxy.refusing = True
    place.proxy.cut()
    time.sleep(place.draw.uniform(1, 5))
    place.proxy.refusing = False


def connections_are_slow(place: Place) -> None:
    assert place.proxy is not None
    place.proxy.delay = place.draw.uniform(0.01, 0.3)
    time.sleep(place.draw.uniform(2, 6))
    place.proxy.delay = 0.0


def connections_are_silent(place: Place) -> None:
    """For less or for longer than an answer is waited for; what was open then may stay so for ever."""
    assert place.proxy is not None
    place.proxy.silent = True
    time.sleep(place.draw.uniform(1, 9))
    if place.draw.random() < 0.5:
        place.proxy.strand()
    place.proxy.silent = False


EVERYWHERE = [a_processor_is_killed, both_processors_are_killed, a_processor_sleeps, the_clock_jumps,
              a_processor_is_out_of_descriptors]
SQLITE = [the_disk_is_full, the_file_is_locked]
SERVED = [the_server_is_killed, connections_are_cut, connections_are_refused, connections_are_slow,
          connections_are_silent]


def possible(place: Place) -> list[Callable[[Place], None]]:
    """The events that can happen here."""
    if place.kind != "sqlite":
        return EVERYWHERE + SERVED
    return EVERYWHERE + [event for event in SQLITE if place.disk is not None or event is not the_disk_is_full]


def recovered(place: Place, event: str) -> float:
    """Wait until something more is rated, or nothing is left to be; how long that takes."""
    began, before = time.monotonic(), None
    while True:
        for process in place.processes:
            assert process.poll() is None, f"a processor has ended by itself after {event}:\n{place.log()}"
        if before is None:
            before = place.progress()
        elif (now := place.progress()) is not None and (now > before or place.is_over()):
            return time.monotonic() - began
        assert time.monotonic() - began < PATIENCE, f"nothing is rated {PATIENCE:g} s after {event}:\n{place.hanging()}"
        time.sleep(0.05)


def undisturbed(history: History, directory: Path) -> str:
    """The report of a run that nobody disturbs, on SQLite."""
    directory.mkdir()
    site = Installation(directory, f"sqlite:///{directory / 'state.sqlite'}")
    site.prepare(history)
    site.run("rate", *history.window)
    return site.report(*history.window)


def through_hell(kind: str, seconds: float, history: History, directory: Path) -> Iterator[str]:
    """Rate and disturb for so long, and compare each history when it is over; lines of a report."""
    seed = int(os.environ.get("HELL_SEED") or random.SystemRandom().randrange(10**6))
    yield f"{kind}: seed {seed}, {seconds:g} s"
    draw, recoveries = random.Random(seed), Recoveries(defaultdict(list))
    expected = undisturbed(history, directory / "undisturbed")
    with ExitStack() as stack:
        place = Place(kind, directory, history, draw, stack)
        stack.callback(lambda: [process.kill() for process in place.processes])
        ends = time.monotonic() + seconds
        events = possible(place)
        while time.monotonic() < ends:
            place.begin()
            while not place.is_over():
                if time.monotonic() < ends:
                    event = draw.choice(events)
                    event(place)
                    recoveries.seconds[event.__name__].append(recovered(place, event.__name__))
                time.sleep(draw.uniform(0.1, 1.5))
            place.end()
            settled(place, expected)
            place.forget()
        yield f"{place.rounds} histories of {history.hours} hours and {history.scopes} scopes, each equal to the digit"
    yield from recoveries.lines()


def settled(place: Place, expected: str) -> None:
    """What stands in the ledger is what would stand there without any of it."""
    site = place.site
    quiet = Installation(site.directory, site.connection, site.settings)
    quiet.verify()
    assert quiet.report(*place.history.window) == expected


def reported(lines: Iterator[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Print each line as it comes, also where the test passes."""
    for line in lines:
        with capsys.disabled():
            print(f"\n{line}", end="", flush=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_i8_shows3_half_a_minute_of_hell_changes_nothing_in_the_ledger(
        kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(through_hell(kind, 30, SHORT, tmp_path), capsys)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_i8_shows3_half_an_hour_of_hell_changes_nothing_in_the_ledger(
        kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(through_hell(kind, float(os.environ.get("HELL_SECONDS", "1800")), LONG, tmp_path), capsys)
