"""The REST API on a filled ledger: ``python -m benchmarks.api``.

A server of two worker processes, asked over HTTP by one client or by eight at
once.  Printed are the median time that a client waits, the server's CPU per
request, and either as a ratio to the trivial route ``/`` in the same run.
"""
from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep

from benchmarks.figures import table
from benchmarks.reports import fill
from benchmarks.shapes import FILLED, POSTGRESQL, SQLITE, Filled
from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import instant
from cloudkitty_like.testing.databases import empty_database
from cloudkitty_like.testing.network import free_port

TICKS = os.sysconf("SC_CLK_TCK")
CALLS, CLIENTS, SECONDS = 30, 8, 5.0


@dataclass(frozen=True)
class Question:
    """A request, and what its median time may be at most, in milliseconds."""

    name: str
    path: str
    limit: float = 0
    accept: str = "application/json"


class Server:
    """The process that was started, its workers, and a client's view of it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self.port = process, port

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cpu(self) -> float:
        """Seconds that the workers have spent so far."""
        return sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
                   for pid in self.workers) / TICKS

    def peak_mb(self) -> float:
        """The most memory that any worker has had."""
        return max(int(line.split()[1]) for pid in self.workers
                   for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")) / 1024

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)


@contextmanager
def serving(connection: str, directory: Path) -> Iterator[Server]:
    """The API over this database, once it answers."""
    port = free_port()
    path = directory / "cloudkitty_like.conf"
    (directory / "metrics.yml").write_text((Path(__file__).parent / "metrics.yml").read_text())
    path.write_text(f"[DEFAULT]\nauth_strategy = noauth\nlog_file = {directory / 'log'}\n"
                    f"[database]\nconnection = {connection}\n"
                    f"[collect]\nmetrics_conf = {directory / 'metrics.yml'}\n"
                    f"[collector_prometheus]\nprometheus_url = http://127.0.0.1:1/\n")     # nobody asks it
    command = [sys.executable, "-m", "cloudkitty_like", f"--config-file={path}", "api", "--port", str(port),
               "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            server = Server(process, port)
            deadline = monotonic() + 60
            while True:
                try:
                    asked(server.connection(), Question("", "/"))
                    break
                except OSError:
                    assert monotonic() < deadline
                    sleep(0.1)
            yield server
        finally:
            process.terminate()


def asked(client: http.client.HTTPConnection, question: Question) -> int:
    """The size of the answer, which has to be a good one."""
    client.request("GET", question.path, headers={"Accept": question.accept})
    answer = client.getresponse()
    size = 0
    while piece := answer.read(1 << 16):
        size += len(piece)
    assert answer.status == 200, (question.path, answer.status)
    return size


def timed(server: Server, question: Question, calls: int = CALLS) -> tuple[float, float]:
    """Median milliseconds that one client waits, and milliseconds of the server's CPU per request."""
    with closing(server.connection()) as client:
        for _ in range(4):
            asked(client, question)                # both workers have been asked before
        before, spent = server.cpu(), []
        for _ in range(calls):
            began = perf_counter()
            asked(client, question)
            spent.append(perf_counter() - began)
        return median(spent) * 1000, (server.cpu() - before) / calls * 1000


def crowded(server: Server, question: Question) -> float:
    """Requests per second that eight clients get answered."""
    done: list[int] = []
    ends = monotonic() + SECONDS

    def ask() -> None:
        number = 0
        with closing(server.connection()) as client:
            while monotonic() < ends:
                asked(client, question)
                number += 1
        done.append(number)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / SECONDS


def questions(begin: str, end: str, day: tuple[str, str], last: str) -> list[Question]:
    everything = f"begin={begin}&end={end}"
    one = f"begin={day[0]}&end={day[1]}"
    return [
        Question("/", "/"),
        Question("by type and project, everything", f"/v2/summary?groupby=type,project_id&{everything}&limit=1000", 25),
        Question("one scope, one day, by type", f"/v2/summary?groupby=type&filters=project_id:scope-0003&{one}", 10),
        Question("by a label, everything", f"/v2/summary?groupby=flavor&{everything}", 1000),
        Question("1,000 points, first page", f"/v2/dataframes?limit=1000&{everything}", 40),
        Question("1,000 points, last page by next", last, 40),
        Question("v1, one scope and day, 1,200 points", f"/v1/storage/dataframes?tenant_id=scope-0003&{one}", 60),
    ]


def last_page(server: Server, begin: str, end: str) -> str:
    """The path of the last page of 1,000 points, come to by the ``next`` of one not far before it."""
    import json

    path = f"/v2/dataframes?limit=1000&begin={begin}&end={end}&offset={FILLED.points - 2500}"
    with closing(server.connection()) as client:
        while True:
            client.request("GET", path)
            answer = json.loads(client.getresponse().read())
            following = answer.get("next", "").partition(f":{server.port}")[2]
            if not following:
                return path
            path = following


def measured(connection: str, directory: Path, filled: Filled, say: Callable[[str], None]) -> list[list[object]]:
    with new_view(connection) as (begin, end, day), serving(connection, directory) as server:
        rows: list[list[object]] = []
        trivial = (0.0, 0.0)
        for question in questions(begin, end, day, last_page(server, begin, end)):
            slow = question.limit >= 1000
            wait, cpu = timed(server, question, 5 if slow else CALLS)
            trivial = trivial if trivial[0] else (wait, cpu)
            rows.append([question.name, wait, cpu, f"{wait / trivial[0]:.1f}", question.limit or "",
                         "" if not question.limit else "ok" if wait <= question.limit else "missed"])
            say(question.name)
        crowd = crowded(server, questions(begin, end, day, "")[2])
        rows.append(["the same by 8 clients, requests/s", crowd, "", "", 250, "ok" if crowd >= 250 else "missed"])
        began = perf_counter()
        with closing(server.connection()) as client:
            size = asked(client, Question("", f"/v2/dataframes?begin={begin}&end={end}", accept="text/csv"))
        rows.append([f"{filled.points:,} points as CSV, {size / 1e6:.0f} MB, s", perf_counter() - began, *[""] * 4])
        peak = server.peak_mb()
        rows.append(["peak memory of a worker, MB", peak, "", "", 200, "ok" if peak < 200 else "missed"])
        return rows


@contextmanager
def new_view(connection: str) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """From when to when the ledger goes, and one of its days, as a URL has them."""
    database = Database(connection)
    with database.read() as tx:
        begin = scopes.everything(tx)[0].first
    database.close()
    assert begin is not None
    day = begin + timedelta(days=10)
    yield (instant(begin), instant(begin + timedelta(hours=FILLED.periods)),
           (instant(day), instant(day + timedelta(days=1))))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--storage", default=f"{SQLITE},{POSTGRESQL}", help="which of them (default: %(default)s)")
    for storage in parser.parse_args().storage.split(","):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
            connection = stack.enter_context(empty_database(storage))
            database = stack.enter_context(closing(Database(connection)))
            print(f"filling {storage} with {FILLED.points:,} points", file=sys.stderr, flush=True)
            fill(database, FILLED)
            rows = measured(connection, directory, FILLED,
                            lambda name: print(name, file=sys.stderr, flush=True))
            print(f"\n{storage}\n")
            print(table(["request", "p50, ms", "server's CPU, ms", "times /", "at most", "met"], rows))


if __name__ == "__main__":
    main()
