"""From the readings of several runs to figures, and figures beside their targets."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.shapes import BYTES, REPORTS, RSS_MB, RSS_POINTS, Shape
from benchmarks.synthetic import METRICS

Run = Mapping[str, Any]
STAGES = ("collect", "rate", "record")


@dataclass(frozen=True)
class Figures:
    """One shape into one storage; medians over the runs, microseconds of CPU per point."""

    shape: Shape
    storage: str
    cold: Mapping[str, float]          # total, the stages, and what is left
    warm: Mapping[str, float]
    points_per_second: float           # by wall clock, warm
    requests: int                      # about usage, in the period that had most
    other_requests: int                # in the whole run
    bytes_per_point: float             # warm periods
    memory_mb: float                   # the highest of the runs

    @classmethod
    def of(cls, shape: Shape, storage: str, runs: Sequence[Run]) -> Figures:
        def over(of_run: Callable[[Run], float]) -> float:
            return median(map(of_run, runs))

        def spent(periods: slice) -> dict[str, float]:
            return {
                what: over(lambda run, what=what: median(_cpu(one, what) for one in run["periods"][periods]))  # type: ignore[misc]
                for what in ("total", *STAGES, "other")
            }

        warm = slice(1, None)
        counts = [period["requests"] for run in runs for period in run["periods"]]
        return cls(
            shape, storage, spent(slice(1)), spent(warm),
            over(lambda run: median(one["points"] / one["wall"] for one in run["periods"][warm])),
            max(count["usage"] for count in counts),
            round(over(lambda run: sum(number for one in run["periods"] for kind, number in one["requests"].items()
                                       if kind != "usage"))),
            over(lambda run: (run["sizes"][-1] - run["sizes"][0]) / sum(one["points"] for one in run["periods"][warm])),
            max(run["memory"] for run in runs) / 1e6,
        )


@dataclass(frozen=True)
class Target:
    """What a figure is and may be at most."""

    what: str
    figure: float
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        return self.figure <= self.limit


def targets(figures: Figures) -> Iterator[Target]:
    """The targets that there are for a shape and a storage."""
    shape, storage = figures.shape, figures.storage
    where = f"{shape.name} into {storage}"
    for name, limits, found in (("cold", shape.cold, figures.cold), ("warm", shape.warm, figures.warm)):
        if storage in limits:
            yield Target(f"{where}: CPU per point, {name}", found["total"], limits[storage], "us")
    yield Target(f"{where}: requests per period", figures.requests, len(METRICS), "")
    if shape.judged:
        yield Target(f"{where}: bytes per point on disk", figures.bytes_per_point, BYTES[storage], "B")
    if shape.points == RSS_POINTS:
        yield Target(f"{where}: peak memory at {RSS_POINTS:,} points a period", figures.memory_mb, RSS_MB, "MB")


def report_targets(reports: Mapping[str, Any]) -> Iterator[Target]:
    """First call and later ones, in milliseconds of CPU."""
    for name, seconds in REPORTS.items():
        for when in ("first", "later"):
            yield Target(f"report {name}, {when}", reports[name][when][0] * 1000, seconds * 1000, "ms")


def _cpu(period: Mapping[str, Any], what: str) -> float:
    stages = period["stages"]
    seconds = {"total": period["cpu"], "other": period["cpu"] - sum(stages.values())}.get(what, stages.get(what, 0))
    return float(seconds / period["points"] * 1e6)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they need; texts to the left, numbers to the right."""
    cells = [list(head), *[[cell if isinstance(cell, str) else _number(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    texts = [all(isinstance(row[place], str) for row in rows) for place in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if text else cell.rjust(width)
                       for cell, width, text in zip(row, widths, texts, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
