"""What a server calls its metrics and labels, asked with few requests."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.collector.prometheus_query import QueryArguments
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.testing.collector import Sample
from tests.servers import SERVERS

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAMPLES = [
    Sample(WHEN, "cpu", "1", {"project_id": "a", "flavor": "small"}),
    Sample(WHEN, "cpu", "1", {"project_id": "b", "zone": "z"}),
    Sample(WHEN, "disk", "1", {"project_id": "a"}),
    Sample(WHEN, "net:rate", "1", {"job": "x"}),
]


def metric(name: str, **args: str) -> Metric:
    return Metric(name, "u", groupby=("project_id",), args=QueryArguments(**args))


@pytest.fixture(scope="module", params=SERVERS)
def collector(request: pytest.FixtureRequest) -> Iterator[PrometheusCollector]:
    with SERVERS[request.param](SAMPLES) as url:
        yield PrometheusCollector(Prometheus(url))


def test_i8_m4_metrics_that_are_there_are_told_with_one_request(collector: PrometheusCollector) -> None:
    before = collector.requests_made
    names = collector.names([metric("cpu"), metric("net:rate"), metric("cpu")], labels=False)
    assert (names.metrics, dict(names.labels), names.usage_only) == ({"cpu", "net:rate"}, {}, False)
    assert collector.requests_made - before == 1


def test_i8_m4_where_one_is_missing_all_names_are_told(collector: PrometheusCollector) -> None:
    before = collector.requests_made
    names = collector.names([metric("cpu"), metric("cpuu")], labels=False)
    assert names.metrics >= {"cpu", "disk", "net:rate"}
    assert "cpuu" not in names.metrics
    assert collector.requests_made - before == 2


def test_i8_m4_labels_are_those_of_any_series_but_not_of_what_other_promql_surrounds(
        collector: PrometheusCollector) -> None:
    names = collector.names([metric("cpu"), metric("disk"), metric("net:rate", query_suffix="* 2"), metric("no")],
                            labels=True)
    assert dict(names.labels) == {"cpu": {"project_id", "flavor", "zone"}, "disk": {"project_id"}}


def test_i8_m4_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        PrometheusCollector(Prometheus("http://127.0.0.1:1")).names([metric("cpu")], labels=False)
