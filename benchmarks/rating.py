"""One run: a new ledger is filled over HTTP, period by period, and each period's cost is measured.

``python -m benchmarks.rating SETUP``, with a JSON object, prints another: a
process of its own, so that its CPU time and its peak memory are the run's alone.
"""
from __future__ import annotations

import json
import resource
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.shapes import SHAPES, Shape
from benchmarks.sizes import size
from benchmarks.source import counts
from cloudkitty_like.app import App, read_configuration
from cloudkitty_like.db import workers
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.query import METRIC, SCOPE, Query
from cloudkitty_like.orchestrator import assembly
from cloudkitty_like.service.hashmap import apply as rules
from cloudkitty_like.service.hashmap import file as rules_file
from cloudkitty_like.service.operation.migration import upgrade

HERE = Path(__file__).parent


@dataclass
class Clock:
    """The time, where and when we want it to be."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Reading:
    """The counters of the worker and of the source at one moment."""

    stages: dict[str, float]           # seconds of CPU
    points: int
    requests: dict[str, int]

    def since(self, before: Reading) -> dict[str, Any]:
        return {
            "points": self.points - before.points,
            "stages": {name: spent - before.stages.get(name, 0) for name, spent in self.stages.items()},
            "requests": {kind: number - before.requests.get(kind, 0) for kind, number in self.requests.items()},
        }


def run(shape: Shape, source: str, connection: str, directory: Path) -> dict[str, Any]:
    """Rate every period of the shape as soon as it is over; the cost of each, the bytes on disk, the totals."""
    catalogue = shape.catalogue
    clock = Clock(catalogue.begin)
    app = App(configuration(source, connection, directory), clock)
    upgrade(app.database)
    apply_rules(app)
    worker = assembly.worker(app, threading.Event())
    periods = []
    sizes = []

    def reading() -> Reading:
        worker.heartbeat.beat()
        with app.database.read() as tx:
            beat = workers.everyone(tx)[0]
        return Reading({name: cpu for name, (_, cpu) in beat.stages.items()}, beat.points, counts(source))

    with worker.heartbeat:
        for number in range(shape.periods):
            clock.now = catalogue.begin + (number + 1) * catalogue.length + timedelta(seconds=1)
            before = reading()
            cpu, wall = process_time(), perf_counter()
            worker.drain()
            spent = {"cpu": process_time() - cpu, "wall": perf_counter() - wall}
            periods.append(spent | reading().since(before))
            sizes.append(size(app.database))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows = app.use_cases.summary.rows(Query(scopes=None, groupby=(SCOPE, METRIC)))
    app.close()
    return {
        "periods": periods, "sizes": sizes, "memory": memory,
        "totals": [[*row.key, str(row.sum.qty), str(row.sum.price), row.sum.points, row.sum.unpriced] for row in rows],
    }


def configuration(source: str, connection: str, directory: Path) -> Any:
    path = directory / "cloudkitty_like.conf"
    path.write_text(
        f"[database]\nconnection = {connection}\n"
        f"[orchestrator]\ncoordination_url = file://{directory / 'locks'}\n"
        f"[collect]\ncollector = prometheus\nwait_periods = 0\nmetrics_conf = {HERE / 'metrics.yml'}\n"
        f"[fetcher]\nbackend = prometheus\n"
        f"[collector_prometheus]\nprometheus_url = {source}\nguard = up\n"
        f"[fetcher_prometheus]\nprometheus_url = {source}\n")
    return read_configuration([str(path)])


def apply_rules(app: App) -> None:
    wanted = rules_file.parse((HERE / "rules.yml").read_text(), "rules.yml")
    how = rules.RuleApplication(effective=datetime(2026, 1, 1, tzinfo=UTC), retroactive=True)
    rules.apply(app.database, wanted, how, Change(app.clock(), "benchmarks", "apply"))


def main(setup: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        result = run(SHAPES[setup["shape"]], setup["source"], setup["connection"], Path(directory))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
