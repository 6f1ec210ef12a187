"""The benchmark of trials rates every point, and by its own rules at a higher price."""
from __future__ import annotations

from benchmarks.shapes import Filled
from benchmarks.whatif import filled, measure

SMALL = Filled(scopes=3, series=4, periods=5)


def test_every_point_is_rated_at_a_price() -> None:
    found = filled(measure, SMALL)
    assert (found["points"], found["unpriced"]) == (SMALL.points, 0)
    assert found["difference"] != 0
    assert found["cpu"] > 0
    assert found["peak"] > 0
