"""What rating by scripts costs: CPU per point, all processes counted, and the start of a fresh worker.

    python -m benchmarks.scripts [--isolation namespaces]

The package has to be compiled, as it is where it was installed: ``python -m compileall -q cloudkitty_like`` first where
Python is told to write no bytecode.
"""
from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic, process_time

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.script import Script
from cloudkitty_like.rating.pyscripts.sandbox import LEVELS, Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import PyscriptsTariff

HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
METRICS, POINTS, RUNS, ROUNDS = 5, 1000, 40, 5
LIMITS = {"points": 8.0, "columns": 3.0}
START_LIMIT = 60.0

PRICES = """
from decimal import Decimal

prices = {"m1": Decimal("0.12"), "m2": Decimal("0.24"), "m3": Decimal("0.5")}
"""
SCRIPTS = {
    "points": PRICES + """
for points in data["usage"].values():
    for point in points:
        price = prices.get(point["groupby"]["flavor"])
        if price is not None:
            point["rating"] = {"price": point["vol"]["qty"] * price}
""",
    "columns": PRICES + """
def rate(frame):
    return [qty * prices[flavor] for qty, flavor in zip(frame.qty, frame["flavor"])]
""",
}


def usage() -> list[Frame]:
    """Five metrics of one scope and hour, 1,000 points each, three labels beside the scope's."""
    numbers = range(POINTS)
    return [
        Frame.of_usage(f"metric_{metric}", "hour", HOUR, [Decimal(number) / 7 for number in numbers],
                       {"project_id": ["p"] * POINTS, "id": [f"i{number:06}" for number in numbers],
                        "flavor": [f"m{number % 3 + 1}" for number in numbers]},
                       {"image": [f"image {number % 10}" for number in numbers]})
        for metric in range(METRICS)
    ]


def of_all_processes() -> float:
    """Seconds of CPU of this process and of those it has waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def per_point(text: str, frames: Sequence[Frame], isolation: str, runs: int) -> float:
    """Seconds of CPU for so many runs, with the start and the end of a worker."""
    sandbox = Sandbox(Confinement(isolation=isolation))
    before = of_all_processes()
    tariff = PyscriptsTariff({"1": Script(name="price", text=text)}, sandbox, "project_id", recheck=0)
    for _ in range(runs):
        tariff.rate("p", HOUR, frames)
    sandbox.close()
    return of_all_processes() - before


def start(isolation: str) -> tuple[float, float]:
    """Milliseconds until a fresh worker is ready, and of CPU that it takes."""
    sandbox = Sandbox(Confinement(isolation=isolation))
    before, begun = of_all_processes(), monotonic()
    sandbox.check()
    taken = (monotonic() - begun) * 1000
    sandbox.close()
    return taken, (of_all_processes() - before) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isolation", choices=LEVELS, default=LEVELS[0])
    isolation = parser.parse_args().isolation
    frames = usage()
    begun = process_time()
    for form, text in SCRIPTS.items():
        costs = []
        for _ in range(ROUNDS):
            least = per_point(text, frames, isolation, 1)
            costs.append((per_point(text, frames, isolation, RUNS + 1) - least) / (RUNS * METRICS * POINTS) * 1e6)
        found = statistics.median(costs)
        print(f"{form:<10} {found:6.2f} us CPU per point ({min(costs):.2f} to {max(costs):.2f}; at most "
              f"{LIMITS[form]:g}) {'ok' if found <= LIMITS[form] else 'missed'}")
    starts = [start(isolation) for _ in range(20)]
    wall, cpu = (statistics.median(column) for column in zip(*starts, strict=True))
    print(f"fresh worker {wall:.0f} ms, {cpu:.0f} ms of CPU (at most {START_LIMIT:g}) "
          f"{'ok' if wall <= START_LIMIT else 'missed'}")
    print(f"all of it took {process_time() - begun:.1f} s of CPU here")


if __name__ == "__main__":
    main()
