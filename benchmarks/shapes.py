"""How much there is to rate, and what we want it to cost at most."""
from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.synthetic import METRICS, Catalogue

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"
STORAGES = (SQLITE, POSTGRESQL, MYSQL)

BYTES = {SQLITE: 40, POSTGRESQL: 100, MYSQL: 100}
"""Of a point on disk, at most, where its series is known."""

RSS_MB, RSS_POINTS = 300, 100_000
"""Peak memory of the process that rates, and the points of one period at which it holds."""


@dataclass(frozen=True)
class Shape:
    """``scopes`` times the metrics times ``series``, in each of ``periods``.

    ``cold`` and ``warm`` are targets by storage, in microseconds of CPU per
    point: of the first period, in which every series is new, and of the others.
    """

    name: str
    scopes: int
    series: int
    periods: int = 6
    judged: bool = True                # whether there are enough points to say what one takes on disk
    cold: dict[str, float] = field(default_factory=dict)
    warm: dict[str, float] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Of one period."""
        return self.scopes * len(METRICS) * self.series

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue.of(self.scopes, series=self.series, periods=self.periods)

    def __str__(self) -> str:
        return f"{self.name}: {self.scopes:,} scopes x {len(METRICS)} metrics x {self.series:,} series"


SHAPES = {shape.name: shape for shape in (
    Shape("A", 10, 1000, cold={SQLITE: 25, POSTGRESQL: 30}, warm={SQLITE: 10, POSTGRESQL: 12}),
    Shape("B", 2000, 10, warm={SQLITE: 15}),
    Shape("C", 20, 1000, periods=3),
    Shape("tiny", 3, 4, periods=4, judged=False),
)}
DEFAULT = ("A", "B", "C")


@dataclass(frozen=True)
class Filled:
    """The ledger that is reported on."""

    scopes: int = 20
    series: int = 10
    periods: int = 1000

    @property
    def points(self) -> int:
        return self.scopes * len(METRICS) * self.series * self.periods


FILLED = Filled()
REPORTS = {"by scope, metric": 0.020, "by region": 0.8, "by flavor": 0.8, "by id": 0.8}
"""Seconds that a report on it may take."""
