"""A real Prometheus in, exact totals out: what is reported equals a sum worked out here from the samples alone."""
from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import requests

from cloudkitty_like.domain.period import EPOCH
from cloudkitty_like.testing.collector import Sample
from cloudkitty_like.testing.network import free_port
from tests.commands import Here, spawn, started, write_configuration
from tests.servers import SERVERS, prometheus

HOUR, MILLISECOND = timedelta(hours=1), timedelta(milliseconds=1)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = 48
SILENT = range(20, 23)                     # hours in which nothing was scraped
SCOPES = ("alpha", 'be"ta \\ γ', "gamma")
FLAVORS = ("small", "large", "free")

METRICS = """\
metrics:
  e2e_traffic_bytes:
    alt_name: traffic
    unit: KiB
    factor: 1/1024
    groupby: [flavor]
    metadata: [zone]
    extra_args: {aggregation_method: sum}
  e2e_cores:
    alt_name: cores
    unit: core
    groupby: [flavor, host]
    extra_args: {aggregation_method: max}
  e2e_addresses:
    alt_name: addresses
    unit: address
    groupby: [flavor]
    extra_args: {aggregation_method: count}
"""
RULES = """\
services:
  traffic:
  - {cost: 0.03}
  cores:
  - {field: flavor, value: small, cost: 0.5}
  - {field: flavor, value: large, cost: 1.25}
  - {field: flavor, value: large, cost: 0.75, scope: gamma}
  addresses:
  - {cost: 2}
  - {level: 2, type: rate, cost: 0.9}
"""


def samples() -> Iterator[Sample]:
    """Three metrics of three scopes, on the very edges of the hours among other places; whole numbers and halves."""
    for hour in range(HOURS):
        if hour in SILENT:
            continue
        begin = BEGIN + hour * HOUR
        yield Sample(begin + timedelta(minutes=5), "up", "1", {"job": "any"})
        for number, scope in enumerate(SCOPES):
            # The first belongs to this hour and not to the one that it ends, the last to this one.
            for place, offset in enumerate((timedelta(0), timedelta(minutes=17), HOUR - MILLISECOND)):
                value = 1 + (hour * 977 + number * 131 + place * 7919) % 100_000
                flavor = FLAVORS[(hour + number) % 2]
                yield Sample(begin + offset, "e2e_traffic_bytes", str(value),
                             {"project_id": scope, "flavor": flavor, "zone": f"z{place % 2}"})
                for host in range(2):
                    cores = Decimal((hour * 13 + number * 5 + place * 3 + host) % 64) / 2
                    yield Sample(begin + offset, "e2e_cores", str(cores),
                                 {"project_id": scope, "flavor": FLAVORS[(number + host) % 3], "host": f"h{host}"})
            for address in range(1 + (hour + number) % 4):
                yield Sample(begin + timedelta(minutes=30), "e2e_addresses", "1",
                             {"project_id": scope, "flavor": "any", "address": str(address)})


@dataclass
class Total:
    qty: Fraction = Fraction(0)
    price: Fraction = Fraction(0)
    points: int = 0
    unpriced: int = 0


@dataclass(frozen=True)
class Point:
    """What one data point should be: worked out from the samples, by none of our code."""

    scope: str
    metric: str
    hour: int
    labels: tuple[tuple[str, str], ...]
    qty: Fraction
    price: Fraction | None


def expected() -> list[Point]:
    values: dict[tuple[str, str, int, tuple[tuple[str, str], ...]], list[tuple[Fraction, str]]] = defaultdict(list)
    kept = {"e2e_traffic_bytes": ("flavor", "zone"), "e2e_cores": ("flavor", "host"), "e2e_addresses": ("flavor",)}
    for sample in samples():
        if sample.metric == "up":
            continue
        labels = tuple((name, sample.labels[name]) for name in kept[sample.metric])
        key = sample.labels["project_id"], sample.metric, (sample.when - BEGIN) // HOUR, labels
        values[key].append((Fraction(sample.quantity), str(sorted(sample.labels.items()))))
    points = []
    for (scope, metric, hour, labels), found in values.items():
        numbers = [number for number, _ in found]
        flavor = dict(labels)["flavor"]
        price: Fraction | None
        match metric:
            case "e2e_traffic_bytes":
                qty = sum(numbers, Fraction(0)) / 1024
                price = qty * Fraction("0.03")
            case "e2e_cores":
                qty = max(numbers)
                cost = {"small": "0.5", "large": "0.75" if scope == "gamma" else "1.25"}.get(flavor)
                price = qty * Fraction(cost) if cost else None
            case _:
                qty = Fraction(len({series for _, series in found}))
                price = qty * 2 * (Fraction("0.9") if qty >= 2 else 1)
        points.append(Point(scope, metric.split("_")[1], hour, labels, qty, price))
    return points


def totals(points: list[Point], *by: str) -> dict[tuple[str, ...], Total]:
    keys: dict[str, Callable[[Point], str]] = {
        "scope": lambda point: point.scope, "metric": lambda point: point.metric,
        "day": lambda point: f"{BEGIN + point.hour * HOUR:%Y-%m-%d}",
        "time": lambda point: f"{BEGIN + point.hour * HOUR:%Y-%m-%dT%H:%M:%SZ}",
    }
    sums: dict[tuple[str, ...], Total] = defaultdict(Total)
    for point in points:
        labels = dict(point.labels)
        total = sums[tuple(keys[name](point) if name in keys else labels.get(name, "") for name in by)]
        total.qty += point.qty
        total.price += point.price or 0
        total.points += 1
        total.unpriced += point.price is None
    return dict(sums)


def written(number: Fraction) -> str:
    """As many decimals as it has, and no more; it must have no more than twelve."""
    whole = number * 10**12
    assert whole.denominator == 1
    text = f"{whole.numerator // 10**12}.{whole.numerator % 10**12:012}"
    return text.rstrip("0").rstrip(".")


def check(here: Here, points: list[Point], *by: str) -> None:
    """The report by these, with quantities where metrics are apart, is what it should be to the last digit."""
    answer = here.json("report", "--by", ",".join(by))
    found = {tuple(row["key"].values()): (row.get("qty"), row["price"], row["points"], row["unpriced"])
             for row in answer}
    assert len(found) == len(answer)
    assert found == {
        key: (written(total.qty) if "metric" in by else None, written(total.price), total.points, total.unpriced)
        for key, total in totals(points, *by).items()
    }


def configure(directory: Path, url: str) -> Path:
    (directory / "metrics.yml").write_text(METRICS)
    (directory / "rules.yml").write_text(RULES)
    return write_configuration(directory / "rating.conf", {
        "database": {"connection": f"sqlite:///{directory}/state.sqlite"},
        "orchestrator": {"coordination_url": f"file://{directory}/locks"},
        "collect": {"metrics_conf": directory / "metrics.yml"},
        "collector_prometheus": {"prometheus_url": url, "guard": "up"},
        "fetcher_prometheus": {"prometheus_url": url},
    })


def at(hour: int) -> str:
    return f"{BEGIN + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}"


def due(here: Here) -> dict[str, str]:
    return {scope["scope"]: scope["due"] for scope in here.json("scopes", "list")}


@pytest.mark.parametrize("kind", SERVERS)
def test_totals_are_the_sums_of_the_samples_to_the_last_digit(kind: str, tmp_path: Path, capsys) -> None:
    points = expected()
    with SERVERS[kind](list(samples())) as url:
        conf = configure(tmp_path, url)
        here = Here(capsys, "--config-file", conf)
        here.ok("dbsync", "upgrade")
        here.ok("rules", "apply", tmp_path / "rules.yml")
        # The scopes begin where the history does, not with the month of today; the first hour, no more.
        backfill = spawn("--config-file", conf, "rate", "--begin", at(0), "--end", at(1))
        assert backfill.code == 0, backfill.err
        assert due(here) == dict.fromkeys(SCOPES, at(1))

        process = spawn("--config-file", conf, "processor", "--once")
        assert process.code == 0, process.err
        assert due(here) == dict.fromkeys(SCOPES, at(SILENT.start))
        assert {scope["state"] for scope in here.json("scopes", "list")} == {"failing"}
        check(here, [point for point in points if point.hour < SILENT.start], "scope", "metric")

        here.ok("scopes", "accept-empty", "--all", "--begin", at(SILENT.start), "--end", at(SILENT.stop),
                "--reason", "Prometheus was moved")
        assert due(here) == dict.fromkeys(SCOPES, at(SILENT.start))
        process = spawn("--config-file", conf, "processor", "--once")
        assert process.code == 0, process.err
    assert due(here) == dict.fromkeys(SCOPES, at(HOURS))       # what comes after the last sample is not known
    for by in (("scope", "metric"), ("metric",), ("scope",), ("scope", "metric", "day"), ("metric", "time"),
               ("metric", "flavor"), ("scope", "metric", "flavor", "zone", "host"), ("day",), ("flavor",)):
        check(here, points, *by)
    assert "equal to the last digit" in here("status", "--verify").out


def test_the_first_totals_of_a_young_prometheus_appear_within_a_minute(tmp_path: Path, capsys) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    history = [
        Sample(now - timedelta(seconds=15 * step), metric, str(1 + step % 4), labels)
        for step in range(40) for metric, labels in
        [("up", {"job": "any"}), *(("e2e_cores", {"tenant": scope, "flavor": "small"}) for scope in ("a", "b"))]
    ]
    (tmp_path / "metrics.yml").write_text(
        "metrics: {e2e_cores: {alt_name: cores, unit: core, groupby: [flavor], extra_args: {aggregation_method: sum}}}")
    (tmp_path / "rules.yml").write_text("services: {cores: [{cost: 0.25}]}")
    state, port = tmp_path / "rating", free_port()
    with prometheus(history) as url, started(
            "standalone", "--prometheus", url, "--scope-label", "tenant", "--metrics", tmp_path / "metrics.yml",
            "--rules", tmp_path / "rules.yml", "--period", "60", "--state", state, "--port", port) as standalone:
        began = time.monotonic()
        assert standalone.stdout is not None
        printed = []
        while not printed or "Ctrl-C stops" not in printed[-1]:
            printed.append(standalone.stdout.readline())
            assert printed[-1], f"it ended: {printed} {standalone.communicate()}"
            assert time.monotonic() - began < 60
        assert [line.split()[:3] for line in printed if line.startswith(("a ", "b "))] == [
            [scope, "cores", "core"] for scope in ("a", "b")]
        check_minutes(Here(capsys, "--state", state), history)
        check_api(f"http://127.0.0.1:{port}/v2/summary?groupby=tenant")
        standalone.send_signal(signal.SIGINT)
        asked = time.monotonic()
        assert standalone.wait(10) == 0
        assert time.monotonic() - asked < 10
        assert "goes on from here" in standalone.stdout.read()


def check_api(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = requests.get(url, timeout=5)
            break
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert answer.status_code == 200
    assert [row[-1] for row in answer.json()["results"]] == ["a", "b"]


def check_minutes(here: Here, history: list[Sample]) -> None:
    rows = here.json("report", "--by", "time,scope,metric")
    assert len(rows) >= 2
    for row in rows:
        minute = datetime.fromisoformat(row["key"]["time"])
        qty = sum(int(sample.quantity) for sample in history
                  if sample.metric == "e2e_cores" and sample.labels["tenant"] == row["key"]["scope"]
                  and minute <= sample.when < minute + timedelta(minutes=1))
        assert (row["qty"], row["price"]) == (str(qty), written(Fraction(qty, 4)))
        assert (minute - EPOCH) % timedelta(minutes=1) == timedelta(0)
