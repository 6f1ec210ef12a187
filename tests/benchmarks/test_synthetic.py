"""The synthetic source is what the tests that use it take it for."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from benchmarks.synthetic import Catalogue, Fault, Synthetic
from cloudkitty_like.client.prometheus import Prometheus, Transport
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.fetcher.prometheus import PrometheusFetcher

HOSTILE = 'a "quoted" \\ (ä|b)*'
CATALOGUE = Catalogue(("one", "two", HOSTILE), series=3, periods=4, silent=frozenset({3}))
CPU = Metric("cpu_seconds", "s", groupby=("project_id", "id"), metadata=("flavor",))


@pytest.fixture(params=[True, False], ids=["closed", "left-open"])
def source(request: pytest.FixtureRequest) -> Iterator[Synthetic]:
    with Synthetic(CATALOGUE, closed=request.param) as running:
        yield running


@pytest.fixture
def collector(source: Synthetic) -> PrometheusCollector:
    return PrometheusCollector(Prometheus(source.url, Transport(timeout=1)), guard="up")


def period(number: int) -> Period:
    return Period.starting(CATALOGUE.begin + number * CATALOGUE.length, CATALOGUE.length)


def test_a_frame_holds_the_values_that_the_formula_gives(source: Synthetic, collector: PrometheusCollector) -> None:
    for number in range(3):
        frames = collector.collect(CPU, period(number), CATALOGUE.scopes).frames
        for scope in CATALOGUE.scopes:
            expected = sorted(Decimal(CATALOGUE.value("cpu_seconds", scope, series, number)) for series in range(3))
            assert sorted(frames[scope].qty) == expected
            assert set(frames[scope].groupby["project_id"]) == {scope}
    assert [asked.period for asked in source.asked] == [0, 1, 2]


@pytest.mark.parametrize("scope", CATALOGUE.scopes)
def test_a_matcher_selects_its_scope(source: Synthetic, collector: PrometheusCollector, scope: str) -> None:
    assert set(collector.collect(CPU, period(0), [scope]).frames) == {scope}
    assert source.asked[-1].scopes == (scope,)


def test_scopes_and_the_begin_of_data_are_found(source: Synthetic, collector: PrometheusCollector) -> None:
    assert list(PrometheusFetcher(Prometheus(source.url)).scopes()) == sorted(CATALOGUE.scopes)
    window = Period(CATALOGUE.begin - timedelta(days=2), CATALOGUE.end)
    assert collector.begins([CPU], window) == CATALOGUE.begin


def test_a_period_without_scraping_proves_nothing(collector: PrometheusCollector) -> None:
    assert not collector.collect(CPU, period(3), CATALOGUE.scopes).proven


@pytest.mark.parametrize("kind", ["hang", "500", "503", "error", "truncated", "warning", "partial"])
def test_a_fault_hits_queries_about_its_scope_alone(source: Synthetic, collector: PrometheusCollector,
                                                    kind: str) -> None:
    source.faults.append(Fault(kind, scope="two"))  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        collector.collect(CPU, period(0), CATALOGUE.scopes)
    assert set(collector.collect(CPU, period(0), ["one"]).frames) == {"one"}


@pytest.mark.parametrize("kind", ["nan", "huge"])
def test_a_sample_that_is_no_quantity_fails_its_scope(source: Synthetic, collector: PrometheusCollector,
                                                      kind: str) -> None:
    source.faults.append(Fault(kind, scope=HOSTILE))  # type: ignore[arg-type]
    answer = collector.collect(CPU, period(0), CATALOGUE.scopes)
    assert set(answer.frames) == {"one", "two"}
    assert isinstance(answer.failed[HOSTILE], Invalid)


def test_an_absent_scope_had_no_usage(source: Synthetic, collector: PrometheusCollector) -> None:
    source.faults.append(Fault("absent", scope="one"))
    answer = collector.collect(CPU, period(0), CATALOGUE.scopes)
    assert set(answer.frames) == {"two", HOSTILE}
    assert answer.proven


def test_a_fault_may_hit_one_request(source: Synthetic, collector: PrometheusCollector) -> None:
    source.faults.append(Fault("error", request=2))
    collector.collect(CPU, period(0), CATALOGUE.scopes)
    with pytest.raises(Unavailable):
        collector.collect(CPU, period(1), CATALOGUE.scopes)
    collector.collect(CPU, period(1), CATALOGUE.scopes)
