"""The benchmarks measure what they say, and what they rate is right to the last digit."""
from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.figures import Figures, targets
from benchmarks.shapes import SHAPES
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.service.hashmap.file import parse
from tests.rating.hashmap.reference import price

ROOT = Path(__file__).parents[2]
TINY = SHAPES["tiny"]


@pytest.fixture(scope="module")
def run() -> Any:
    """One run of the smallest shape into SQLite, by the command that everybody uses."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--shape", TINY.name, "--storage", "sqlite",
               "--no-reports", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["runs"][TINY.name]["sqlite"]
    return found


def test_every_figure_is_produced(run: Any) -> None:
    figures = Figures.of(TINY, "sqlite", [run])
    for spent in (figures.cold, figures.warm):
        assert all(spent[stage] > 0 for stage in ("total", "collect", "rate", "record"))
    assert figures.points_per_second > 0
    assert figures.bytes_per_point >= 0
    assert figures.memory_mb > 10
    assert [target.met for target in targets(figures)] == [True]


def test_every_point_of_every_period_is_recorded(run: Any) -> None:
    assert [period["points"] for period in run["periods"]] == [TINY.points] * TINY.periods


def test_there_is_one_request_per_metric_and_period(run: Any) -> None:
    assert [period["requests"]["usage"] for period in run["periods"]] == [5] * TINY.periods
    kinds = {kind for period in run["periods"] for kind in period["requests"]}
    assert kinds <= {"usage", "edges", "begins", "label values"}


def test_the_totals_are_what_the_source_served(run: Any) -> None:
    quantities, prices = expected()
    found = {(scope, metric): (Decimal(qty), Decimal(cost)) for scope, metric, qty, cost, *_ in run["totals"]}
    assert found == {key: (quantities[key], prices[key]) for key in quantities}
    assert {tuple(counts) for _, _, _, _, *counts in run["totals"]} == {(TINY.series * TINY.periods, 0)}


def expected() -> tuple[dict[tuple[str, str], Decimal], dict[tuple[str, str], Decimal]]:
    """Quantity and price by scope and metric, worked out point by point, by none of the code that is tested."""
    catalogue = TINY.catalogue
    metrics = yaml.load((ROOT / "benchmarks" / "metrics.yml").read_text(), yaml.BaseLoader)["metrics"]
    rules: dict[str, list[Rule]] = defaultdict(list)
    for rule in parse((ROOT / "benchmarks" / "rules.yml").read_text()):
        rules[rule.service].append(rule)
    quantities: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    prices: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for metric, definition in metrics.items():
        name = definition.get("alt_name", metric)
        for scope in catalogue.scopes:
            for number in range(catalogue.series):
                labels = catalogue.labels(scope, number)
                for period in range(catalogue.periods):
                    raw = Fraction(catalogue.value(metric, scope, number, period))
                    qty = twelve_decimals(raw * Fraction(definition.get("factor", "1")))
                    cost = price(rules[name], qty, labels)
                    assert cost is not None
                    quantities[scope, name] += qty
                    prices[scope, name] += cost.quantize(Decimal("1e-12"), ROUND_HALF_EVEN, Context(prec=100))
    return quantities, prices


def twelve_decimals(value: Fraction) -> Decimal:
    """Half-even: as Fraction rounds."""
    return Decimal(round(value * 10**12)).scaleb(-12)
