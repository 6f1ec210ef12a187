"""``python -m benchmarks``: every shape into every storage, then reports; figures beside their targets."""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import STAGES, Figures, Run, Target, report_targets, table, targets
from benchmarks.shapes import DEFAULT, FILLED, SHAPES, STORAGES, Shape
from benchmarks.source import serving
from cloudkitty_like.testing.databases import NoServer, empty_database


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each instead of the median of several")
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--storage", default=",".join(STORAGES), help="which of them (default: %(default)s)")
    parser.add_argument("--shape", default=",".join(DEFAULT),
                        help=f"which of {', '.join(SHAPES)} (default: %(default)s); none: only reports")
    parser.add_argument("--no-reports", action="store_true", help="leave out the reports on a filled ledger")
    parser.add_argument("--json", action="store_true", help="print all readings instead of tables")
    args = parser.parse_args()
    args.runs = 1 if args.quick else args.runs
    args.shape = [] if args.shape == "none" else args.shape.split(",")
    args.storage = args.storage.split(",")
    for given, known in ((args.shape, SHAPES), (args.storage, STORAGES)):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"not known: {', '.join(unknown)}; there are {', '.join(known)}")
    return args


def child(module: str, *given: str) -> Any:
    """What a module of ours prints, run in a process of its own."""
    done = subprocess.run([sys.executable, "-m", module, *given], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def rate(shape: Shape, storage: str, source: str) -> Run:
    """One run into a new database, which is dropped afterwards."""
    with empty_database(storage) as connection:
        run: Run = child("benchmarks.rating", json.dumps(
            {"shape": shape.name, "source": source, "connection": connection}))
        return run


def rated(args: argparse.Namespace) -> dict[str, dict[str, list[Run]]]:
    """Runs by shape and storage."""
    found: dict[str, dict[str, list[Run]]] = {}
    for shape in (SHAPES[name] for name in args.shape):
        with serving(shape) as source:
            for storage in args.storage:
                say(f"{shape} into {storage}")
                try:
                    runs = [rate(shape, storage, source) for _ in range(args.runs)]
                except NoServer as reason:
                    say(f"left out: {reason}")
                    continue
                found.setdefault(shape.name, {})[storage] = runs
    return found


def say(what: str) -> None:
    """Progress, beside the result."""
    print(what, file=sys.stderr, flush=True)


def show(figures: list[Figures], reports: dict[str, Any] | None, runs: int) -> None:
    met: list[Target] = []
    if figures:
        print(f"\nMicroseconds of CPU per point, median of {runs}; warm is the median of the periods after the first\n")
        print(table(
            ["shape", "storage", "", "total", *STAGES, "other"],
            [[one.shape.name, one.storage, name, *spent.values()] for one in figures
             for name, spent in (("cold", one.cold), ("warm", one.warm))]))
        print()
        print(table(
            ["shape", "storage", "points/period", "points/s", "requests/period", "others", "B/point", "peak MB"],
            [[one.shape.name, one.storage, one.shape.points, one.points_per_second, one.requests, one.other_requests,
              one.bytes_per_point, one.memory_mb] for one in figures]))
        met += [target for one in figures for target in targets(one)]
    if reports is not None:
        print(f"\nReports on {FILLED.points:,} points, SQLite, milliseconds\n")
        print(table(["report", "rows", "first, CPU", "later, CPU", "later, wall clock"], [
            [name, one["rows"], one["first"][0] * 1000, one["later"][0] * 1000, one["later"][1] * 1000]
            for name, one in reports.items()]))
        met += report_targets(reports)
    print()
    print(table(["target", "at most", "figure", "unit", "met"], [
        [one.what, float(one.limit), float(one.figure), one.unit, "ok" if one.met else "missed"] for one in met]))


def main() -> None:
    args = arguments()
    runs = rated(args)
    reports = None
    if not args.no_reports:
        say(f"reports on {FILLED.points:,} points")
        reports = child("benchmarks.reports")
    if args.json:
        json.dump({"runs": runs, "reports": reports}, sys.stdout)
        return
    show([Figures.of(SHAPES[shape], storage, some) for shape, by_storage in runs.items()
          for storage, some in by_storage.items()], reports, args.runs)


if __name__ == "__main__":
    main()
