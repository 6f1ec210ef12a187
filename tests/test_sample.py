"""The month that ships with the package: made reproducibly, readable, and priced but for one flavor."""
from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import cloudkitty_like
from benchmarks import make_sample
from cloudkitty_like.collector.file import FileCollector
from cloudkitty_like.domain.period import Period
from cloudkitty_like.fetcher.file import FileFetcher
from cloudkitty_like.service.hashmap import file as rules_file
from cloudkitty_like.service.metrics import definitions as metrics

SAMPLE = Path(cloudkitty_like.__file__).parent / "sample"
MONTH = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def rows():
    return list(csv.DictReader(io.StringIO(gzip.decompress((SAMPLE / "usage.csv.gz").read_bytes()).decode())))


@pytest.fixture(scope="module")
def collector():
    return FileCollector(SAMPLE / "usage.csv.gz")


@pytest.fixture(scope="module")
def definitions(collector):
    return metrics.load(metrics.read(SAMPLE / "metrics.yml"), collector, "project_id").metrics


def test_making_it_again_makes_the_same():
    shipped = (SAMPLE / "usage.csv.gz").read_bytes()
    assert gzip.decompress(shipped).decode() == make_sample.text()
    assert make_sample.packed() == make_sample.packed()
    assert shipped[4:8] == bytes(4)                # no time stamp: packing it again is no change


def test_it_is_a_small_file_of_a_whole_month(rows):
    assert (SAMPLE / "usage.csv.gz").stat().st_size < 300_000
    assert 15_000 <= len(rows) <= 25_000
    assert (rows[0]["begin"], rows[-1]["begin"]) == ("2026-10-01T00:00:00Z", "2026-10-31T23:00:00Z")
    assert len({row["begin"] for row in rows}) == 31 * 24


def test_its_metrics_are_those_of_the_file(rows, definitions):
    assert {metric.name for metric in definitions} == {row["metric"] for row in rows}
    columns = set(rows[0])
    assert [label for metric in definitions for label in metric.labels if label not in columns] == []


def test_everything_in_it_is_collected(rows, collector, definitions):
    scopes = list(FileFetcher(SAMPLE / "usage.csv.gz").scopes())
    assert sorted(scopes) == ["laboratory", "shop", "start-up", "website"]
    written: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        written[row["metric"], row["project_id"]] += Decimal(row["quantity"])
    read: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for period in MONTH.split(timedelta(hours=1)):
        for metric in definitions:
            answer = collector.collect(metric, period, scopes)
            assert answer.proven
            assert not answer.failed
            for scope, frame in answer.frames.items():
                read[metric.name, scope] += sum(frame.qty)
    gib = 1 << 30
    assert {key: round(value / gib, 6) if key[0] in ("image.size", "network.outgoing.bytes") else value
            for key, value in written.items()} == {
            key: round(value, 6) if key[0] in ("image.size", "network.outgoing.bytes") else value
            for key, value in read.items()}
    assert collector.begins(definitions, MONTH) == MONTH.begin


def test_one_project_begins_in_the_middle_of_the_month(rows):
    assert min(row["begin"] for row in rows if row["project_id"] == "start-up") == "2026-10-12T14:00:00Z"


def test_its_rules_price_all_of_it_but_one_flavor(rows):
    rules = rules_file.parse((SAMPLE / "rules.yml").read_text(encoding="utf-8"), "rules.yml")
    services = {rule.service for rule in rules}
    assert services == {"instance", "volume", "image", "floating_ip", "network"}
    priced = {rule.value for rule in rules if rule.field in ("flavor", "type")}
    assert {row["flavor"] or row["type"] for row in rows} - priced - {""} == {"g1.large"}
    assert {rule.scope for rule in rules} - {None} <= {row["project_id"] for row in rows}
