"""Makes the month of usage that ships with the package: ``python -m benchmarks.make_sample``.

October 2026 of a small cloud with four projects: a shop that grows with the
day and resizes its database, a laboratory that computes on weekdays (and
tries a flavor that nobody has priced), a quiet website, and a start-up that
begins on the twelfth.  Made up here, from a fixed seed: the same every time.
"""
from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
HOURS = 31 * 24
COLUMNS = ("begin", "metric", "quantity", "project_id", "id", "name", "flavor", "type")
TARGET = Path(__file__).parent.parent / "cloudkitty_like" / "sample" / "usage.csv.gz"
GIB = 1 << 30

WAVE = (37, 25, 15, 7, 2, 1, 2, 7, 15, 25, 37, 50, 63, 75, 85, 93, 98, 100, 98, 93, 85, 75, 63, 50)
"""Traffic in percent of its peak, by the hour of the day."""

Quantity = Callable[[int], str]        # of an hour of the month, as the file says it


@dataclass(frozen=True)
class Resource:
    """Something that is used from one hour of the month to another."""

    metric: str
    project: str
    name: str
    quantity: Quantity
    begin: int = 0
    end: int = HOURS
    labels: dict[str, str] = field(default_factory=dict)
    only: Callable[[int], bool] = lambda hour: True

    def row(self, hour: int, identifier: str) -> dict[str, str]:
        when = BEGIN + timedelta(hours=hour)
        return {"begin": f"{when:%Y-%m-%dT%H:%M:%SZ}", "metric": self.metric, "quantity": self.quantity(hour),
                "project_id": self.project, "id": identifier, "name": self.name, **self.labels}


def at(day: int, hour: int = 0) -> int:
    """The hour of the month."""
    return (day - 1) * 24 + hour


def when(hour: int) -> tuple[int, int]:
    """Day of the week (Monday is 0) and hour of the day."""
    moment = BEGIN + timedelta(hours=hour)
    return moment.weekday(), moment.hour


def busy(hour: int) -> bool:
    weekday, hour_of_day = when(hour)
    return weekday < 6 and 8 <= hour_of_day < 20


def computing(hour: int) -> bool:
    weekday, hour_of_day = when(hour)
    return weekday < 5 and 7 <= hour_of_day < 19


def whole_hours(_: int) -> str:
    return "1"


def partial(begin: int, end: int, first: str, last: str) -> Quantity:
    """Hours in use, of which the first and the last hour saw only a part."""
    return lambda hour: {begin: first, end - 1: last}.get(hour, "1")


def traffic(random: Random, peak: int, quiet: float) -> Quantity:
    """Bytes out: a wave over the day, and hours of nothing."""
    def quantity(hour: int) -> str:
        if random.random() < quiet:
            return "0"
        _, hour_of_day = when(hour)
        return str(peak * WAVE[hour_of_day] // 100 * (700 + int(600 * random.random())) // 1000)
    return quantity


def growing(first: int, steps: dict[int, int]) -> Quantity:
    """A size that is raised at some hours of the month."""
    return lambda hour: str(max([first, *(size for since, size in steps.items() if since <= hour)]))


def instance(project: str, name: str, flavor: str, quantity: Quantity = whole_hours, begin: int = 0, end: int = HOURS,
             only: Callable[[int], bool] = lambda hour: True) -> Resource:
    return Resource("instance", project, name, quantity, begin, end, {"flavor": flavor}, only)


def volume(project: str, name: str, kind: str, quantity: Quantity, begin: int = 0, end: int = HOURS) -> Resource:
    return Resource("volume.size", project, name, quantity, begin, end, {"type": kind})


def image(project: str, name: str, size: int, begin: int = 0, end: int = HOURS) -> Resource:
    return Resource("image.size", project, name, lambda _: str(size), begin, end)


def address(project: str, name: str, begin: int = 0, end: int = HOURS) -> Resource:
    return Resource("ip.floating", project, name, whole_hours, begin, end)


def network(project: str, quantity: Quantity, begin: int = 0) -> Resource:
    return Resource("network.outgoing.bytes", project, "router", quantity, begin)


def resources(random: Random) -> Iterator[Resource]:
    """What there is, by project; a resized instance is one resource under two flavors."""
    resize, launch = at(15, 9), at(12, 14)
    yield from (instance("shop", f"web-{number}", "m1.small") for number in (1, 2))
    yield from (instance("shop", f"web-{number}", "m1.small", only=busy) for number in (3, 4))
    yield instance("shop", "database", "m1.large", partial(0, resize, "1", "0.4"), end=resize)
    yield instance("shop", "database", "m1.xlarge", partial(resize - 1, HOURS, "0.6", "1"), begin=resize - 1)
    yield volume("shop", "orders", "ssd", growing(200, {at(15, 9): 300, at(27): 350}))
    yield volume("shop", "backup", "hdd", lambda hour: f"{500 + hour * 0.375:.3f}")
    yield image("shop", "web-image", 2_361_393_152)
    yield address("shop", "203.0.113.10")
    yield network("shop", traffic(random, 9 * GIB, 0.0))
    yield from (instance("laboratory", f"node-{number}", "c1.large", only=computing) for number in range(1, 7))
    yield instance("laboratory", "login", "m1.medium")
    yield instance("laboratory", "trial", "g1.large", partial(at(20, 10), at(23, 16), "0.75", "0.25"),
                   at(20, 10), at(23, 16))
    yield volume("laboratory", "results", "hdd", growing(1500, {at(9): 2000, at(21): 3000}))
    yield volume("laboratory", "scratch", "ssd", lambda _: "400", begin=at(5, 7), end=at(30, 19))
    yield image("laboratory", "node-image", 11_811_160_064, begin=at(2, 15))
    yield network("laboratory", traffic(random, 2 * GIB, 0.1))
    yield instance("website", "web", "m1.small")
    yield volume("website", "pages", "ssd", lambda _: "20")
    yield address("website", "203.0.113.27")
    yield network("website", traffic(random, GIB // 16, 0.25))
    yield instance("start-up", "try-1", "m1.medium", partial(launch, at(14, 18), "0.5", "0.9"), launch, at(14, 18))
    yield instance("start-up", "app-1", "m1.medium", begin=at(14, 17))
    yield instance("start-up", "app-2", "m1.medium", partial(at(22, 8), HOURS, "0.2", "1"), at(22, 8))
    yield volume("start-up", "data", "ssd", growing(50, {at(22, 8): 120}), begin=at(14, 17))
    yield image("start-up", "app-image", 1_073_741_824, begin=at(14, 17))
    yield address("start-up", "203.0.113.44", begin=at(14, 17))
    yield network("start-up", traffic(random, GIB // 2, 0.05), begin=launch)


def text() -> str:
    """The file, in order of time."""
    random = Random(2026)
    there = list(resources(random))
    identifiers: dict[tuple[str, str, str], str] = {}
    for one in there:
        # Written like a UUID, as a cloud does.
        digits = "".join("0123456789abcdef"[int(random.random() * 16)] for _ in range(32))
        identifiers.setdefault((one.project, one.metric, one.name),
                               "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))
    made = io.StringIO()
    writer = csv.DictWriter(made, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for hour in range(HOURS):
        for one in there:
            if one.begin <= hour < one.end and one.only(hour):
                writer.writerow(one.row(hour, identifiers[one.project, one.metric, one.name]))
    return made.getvalue()


def packed() -> bytes:
    return gzip.compress(text().encode(), compresslevel=9, mtime=0)


if __name__ == "__main__":
    TARGET.write_bytes(packed())
    print(f"{TARGET}: {len(text().splitlines()) - 1} rows, {TARGET.stat().st_size} bytes")
