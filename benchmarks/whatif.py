"""A month of 1,000,000 points rated by other rules, timed: ``python -m benchmarks.whatif`` prints figures.

The ledger is that of ``benchmarks.reports``, in SQLite; the rules are those of ``rules.yml``, all of them dearer.
"""
from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.figures import Target, table
from benchmarks.reports import fill
from benchmarks.shapes import FILLED, Filled
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import EPOCH, LATEST, Period
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.rating.hashmap.module import HashmapModule
from cloudkitty_like.service.hashmap.file import parse
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.whatif.simulation import Simulation, SimulationRequest
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage

SECONDS, MEMORY_MB = 10.0, 100.0
RULES = Path(__file__).parent / "rules.yml"


def trial() -> SimulationRequest:
    """Everything, by rules whose flat costs are ten per cent higher, for the metrics that the ledger has."""
    rules = [replace(rule, cost=rule.cost * 11 / 10) if rule.type == "flat" else rule
             for rule in parse(RULES.read_text())]
    return SimulationRequest(period=Period(EPOCH, LATEST), scopes=None, rules=[*rules, *renamed(rules)])


def renamed(rules: list[Rule]) -> list[Rule]:
    """The same for the names that the filled ledger has, which are those of the source."""
    names = {"instance": "instance_seconds", "volume": "volume_bytes", "network": "network_bytes_total",
             "cpu": "cpu_seconds", "floating_ip": "floating_ips"}
    return [replace(rule, service=names[rule.service]) for rule in rules if rule.service in names]


def simulation(connection: str) -> Simulation:
    """With nothing remembered from before."""
    database = Database(connection)
    return Simulation(database, SqlalchemyStorage(database, shares_transaction=True),
                      Tariffs(database, lambda name: HashmapModule(database)), lambda: ())


def measure(connection: str) -> dict[str, Any]:
    """Seconds of CPU and of wall clock, points, and the most memory taken beyond what was there."""
    desk, wanted = simulation(connection), trial()
    cpu, wall = process_time(), perf_counter()
    answer = desk.run(wanted)
    spent = process_time() - cpu, perf_counter() - wall
    desk.database.close()
    tracemalloc.start()
    desk = simulation(connection)
    desk.run(wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    desk.database.close()
    return {"cpu": spent[0], "wall": spent[1], "points": answer.total.candidate.points,
            "unpriced": answer.total.candidate.unpriced, "difference": float(answer.total.difference), "peak": peak}


def filled(work: Callable[[str], Any], shape: Filled = FILLED) -> Any:
    """What ``work`` answers about a ledger that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        connection = f"sqlite:///{Path(directory) / 'ledger.sqlite'}"
        database = Database(connection)
        fill(database, shape)
        database.close()
        return work(connection)


def profile(connection: str) -> None:
    desk, wanted = simulation(connection), trial()
    with cProfile.Profile() as profiled:
        desk.run(wanted)
    pstats.Stats(profiled).sort_stats("tottime").print_stats(25)


def main() -> None:
    if "--profile" in sys.argv:
        filled(profile)
        return
    found = filled(measure)
    print(table(["points", "unpriced", "CPU s", "wall s", "us/point", "peak MB"], [[
        found["points"], found["unpriced"], found["cpu"], found["wall"], found["cpu"] / found["points"] * 1e6,
        found["peak"] / 1e6]]))
    met = [Target("what-if of a month, CPU", found["cpu"], SECONDS, "s"),
           Target("what-if of a month, memory", found["peak"] / 1e6, MEMORY_MB, "MB")]
    print(table(["target", "at most", "figure", "unit", "met"], [
        [one.what, one.limit, one.figure, one.unit, "ok" if one.met else "missed"] for one in met]))


if __name__ == "__main__":
    main()
