from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from oslo_config import cfg

from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.fetcher.prometheus import PrometheusFetcher
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.testing.collector import HOSTILE, Sample
from tests.fake_http import Reply, as_json, refusal, serve, vector
from tests.servers import SERVERS


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of now: scopes that live, one that has not been seen for a day, and a series of nobody."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    samples = [
        *(Sample(now, "instances", "1", {"project_id": scope, "region": "north"}) for scope in HOSTILE),
        Sample(now, "instances", "1", {"project_id": "south pole", "region": 'so"uth'}),
        Sample(now, "instances", "2", {"project_id": "south pole", "region": 'so"uth', "disk": "sda"}),
        Sample(now, "instances", "1", {"region": "north"}),
        Sample(now - timedelta(days=1), "instances", "1", {"project_id": "gone", "region": "north"}),
        Sample(now, "volumes", "1", {"project_id": "another metric", "region": "north"}),
    ]
    with SERVERS[request.param](samples) as url:
        yield url


def found(url: str, **options: Any) -> list[str]:
    return list(PrometheusFetcher(Prometheus(url), **options).scopes())


def test_the_series_of_a_metric_name_the_scopes_of_now(url: str) -> None:
    assert found(url, metric="instances") == sorted([*HOSTILE, "south pole"])


def test_the_values_of_the_label_are_all_that_is_kept(url: str) -> None:
    assert found(url) == sorted([*HOSTILE, "south pole", "gone", "another metric"])


def test_s6_filters_are_values_and_not_text_of_the_query(url: str) -> None:
    for options in ({"metric": "instances"}, {}):
        assert found(url, filters={"region": 'so"uth'}, **options) == ["south pole"]
        assert found(url, filters={"region": '"} or {project_id!="'}, **options) == []
        assert "south pole" not in found(url, filters={"region": "north"}, **options)


def test_the_label_is_the_one_that_is_named(url: str) -> None:
    assert found(url, metric="instances", label="region") == ["north", 'so"uth']
    assert found(url, label="disk") == ["sda"]


def test_the_clock_is_the_servers() -> None:
    with serve(lambda asked: vector(({"tenant_id": "a"}, "1"), ({}, "1"))) as fake:
        assert found(fake.url, metric="m", label="tenant_id", filters={"a": 'b"', "c": "d\\"}) == ["a"]
        assert fake.asked[0].query == r'max by (tenant_id) (m{a="b\"",c="d\\"})'
        assert "time" not in fake.asked[0].parameters


@pytest.mark.parametrize("metric", ["m", ""])
@pytest.mark.parametrize("reply", [
    Reply(500), Reply(200, b"[]"), refusal(422, "execution", "no"),
    vector(({"project_id": "a"}, "1"), warnings=["a store is away"]),
    as_json({"status": "success", "data": ["a"], "warnings": ["a store is away"]}),
])
def test_a_part_of_the_scopes_is_not_the_scopes(reply: Reply, metric: str) -> None:
    with serve(lambda asked: reply) as fake, pytest.raises(Unavailable):
        found(fake.url, metric=metric)


def configured(**options: Any) -> PrometheusFetcher:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(PrometheusFetcher.OPTS, "fetcher_prometheus")
    for name, value in options.items():
        conf.set_override(name, value, "fetcher_prometheus")
    return PrometheusFetcher.from_conf(conf.fetcher_prometheus, PluginContext())


def test_it_is_built_from_its_options() -> None:
    with serve(lambda asked: vector(({"tenant": "a"}, "1"))) as fake:
        fetcher = configured(prometheus_url=fake.url, metric="m", scope_attribute="tenant", filters={"a": "b"})
        assert list(fetcher.scopes()) == ["a"]
        assert fake.asked[0].query == 'max by (tenant) (m{a="b"})'


def test_all_options_that_make_no_sense_are_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        configured(metric="sum(m)", scope_attribute="a-b", filters={"c d": "x", "e": "\ud800"}, timeout=0.0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "metric", "scope_attribute", "filters", "filters", "prometheus_url", "timeout"]
