"""Every number on the page about prices is computed: by rating a real Prometheus, and by the arithmetic itself."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff
from cloudkitty_like.service.hashmap.file import read
from cloudkitty_like.service.pricing.tariffs import Pricing
from cloudkitty_like.testing.collector import Sample
from tests.cli.conftest import site as site  # the fixture
from tests.cli.small import Site
from tests.servers import prometheus

TEXT = (Path(__file__).parents[1] / "doc" / "source" / "pricing.rst").read_text(encoding="utf-8")
PERIODS = (3600, 300, 60)
HOUR = Period(datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC))
GIB = 2**30
RAW = {"network": GIB, "volume": 100 * GIB, "machine": 1}


def table(heading: str) -> list[list[str]]:
    """The rows of the simple table whose heading begins so, cell by cell."""
    body = re.search(rf"^{heading}  .*\n[= ]+\n((?:.+\n)+?)=", TEXT, re.MULTILINE)
    assert body is not None, heading
    return [re.split(r"  +", line.strip()) for line in body[1].splitlines()]


def block(begins: str) -> str:
    (text,) = re.findall(rf"code-block:: yaml\n\n((?:   .*\n|\n)*   {begins}(?:.*\n)(?:   .*\n|\n)*)", TEXT)
    return "".join(line[3:] + "\n" for line in text.splitlines())


def samples() -> list[Sample]:
    """Every 15 seconds: a GiB sent per minute, a volume of 100 GiB, a machine."""
    times = [HOUR.begin + timedelta(seconds=15 * number) for number in range(-40, 280)]
    labels = {"project_id": "alice"}
    return [Sample(when, name, str(value), labels) for number, when in enumerate(times)
            for name, value in (("sent_bytes_total", number * GIB // 4), ("volume_bytes", 100 * GIB),
                                ("machine_up", 1))]


@pytest.fixture(scope="module")
def url():
    with prometheus(samples()) as address:
        yield address


@pytest.mark.parametrize(("column", "seconds"), list(enumerate(PERIODS)))
def test_i8_m5_the_hour_of_the_example_costs_what_the_page_says(
        site: Site, url: str, column: int, seconds: int) -> None:
    for name, begins in (("metrics.yml", "metrics:"), ("rules.yml", "services:")):
        (site.path / name).write_text(block(begins))
    site.configure(collect={"collector": "prometheus", "period": seconds},
                   fetcher={"backend": "source"}, fetcher_source={"sources": "alice"},
                   collector_prometheus={"prometheus_url": url})
    site.prepared()
    ran = site.spawn("rate", "--begin", "2026-03-01T12:00", "--end", "2026-03-01T13:00")
    assert ran.code == 0, ran
    rated = {row["key"]["metric"]: [row["qty"], row["price"]] for row in site.here.json("report", "--by", "metric")}
    assert rated == {row[0]: row[1 + 2 * column:3 + 2 * column] for row in table("metric ")}


@pytest.mark.parametrize("row", table("wanted "), ids=lambda row: row[0])
def test_i8_m5_the_factors_are_the_period_in_the_unit(row: list[str]) -> None:
    wanted, unit, *factors, _ = row
    hours = {"GiB": None, "GiB-hour": 1, "GiB-month": 730, "hour": 1, "month": 730}[unit]
    inside = GIB if "GiB" in unit else 1
    assert [Fraction(factor) for factor in factors] == [
        Fraction(1 if hours is None else Fraction(seconds, 3600 * hours)) / inside for seconds in PERIODS], wanted


@pytest.mark.parametrize("row", re.findall(r"^((?:volume|machine), .*\d)$", TEXT.partition("come to\n")[2],
                                           re.MULTILINE))
def test_i8_m5_thirty_days_cost_what_the_page_says(row: str) -> None:
    wanted, *prices = re.split(r"  +", row)
    (chosen,) = [other for other in table("wanted ") if other[0] == wanted]
    metric, (_, unit, *factors, cost) = wanted.partition(",")[0], chosen
    for seconds, factor, price in zip(PERIODS, factors, prices, strict=True):
        quantities = Metric("m", unit, metric, factor=Fraction(factor)).quantities([RAW[metric]])
        period = Period.starting(HOUR.begin, timedelta(seconds=seconds))
        pricing = Pricing([("hashmap", HashmapTariff([Rule(service=metric, cost=Decimal(cost))]))])
        (frame,) = pricing.rate("alice", period, [Frame.of_usage(metric, unit, period, quantities, {}, {})])
        assert frame.price[0] is not None
        assert plain(frame.price[0] * (30 * 86400 // seconds)) == price


def test_i8_m5_the_cost_of_a_gauge_may_carry_the_period_instead() -> None:
    (text,) = re.findall(r"::\n\n((?:    .*\n)+)", TEXT)
    file = read("".join(line[4:] + "\n" for line in text.splitlines()))
    assert file.period == 3600
    assert abs(file.rules[0].cost - Decimal("0.10") / 730) < Decimal("1e-18")
