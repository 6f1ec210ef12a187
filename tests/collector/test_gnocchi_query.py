from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cloudkitty_like.collector import gnocchi_query
from cloudkitty_like.collector.gnocchi_query import GnocchiArguments
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.testing.collector import HOUR


def args(**values: Any) -> GnocchiArguments:
    return gnocchi_query.parse_args({"resource_type": "instance", **values})


def test_the_defaults_are_cloudkittys() -> None:
    assert args() == GnocchiArguments("instance", "id", "max", "max", 3600, True, "", "zero")


@pytest.mark.parametrize(("values", "problem"), [
    ({"resource_type": ""}, "resource_type: is empty"),
    ({"resource_key": ""}, "resource_key: is empty"),
    ({"resource_type": 7}, "resource_type: 7 is not a text"),
    ({"force_granularity": "300"}, "force_granularity: '300' is not a whole number"),
    ({"force_granularity": True}, "force_granularity: True is not a whole number"),
    ({"use_all_resource_revisions": 1}, "use_all_resource_revisions: 1 is not true or false"),
    ({"aggregation_method": "avg"}, "aggregation_method: 'avg' is no aggregation of Gnocchi"),
    ({"aggregation_method": "100pct"}, "aggregation_method: '100pct' is no aggregation of Gnocchi"),
    ({"re_aggregation_method": "last"}, "re_aggregation_method: 'last' is not one of "),
    ({"re_aggregation_method": "count"}, "re_aggregation_method: 'count' is not one of "),
    ({"force_granularity": 0}, "force_granularity: 0 is not supported yet"),
    ({"missing": "guess"}, "missing: 'guess' is not one of zero, hold"),
    ({"missing": "hold"}, "missing: hold with use_all_resource_revisions is not supported yet"),
    ({"missing": "hold", "use_all_resource_revisions": False, "aggregation_method": "rate:mean"},
     "missing: hold is for what is measured, and granules of max of rate:mean add up"),
    ({"granularity": 300}, "granularity: is not known; the gnocchi collector knows resource_type"),
])
def test_what_is_wrong_or_not_supported_is_said(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        args(**values)
    assert [text for text in caught.value.problems if text.startswith(f"extra_args.{problem}")]


def test_numbers_of_a_metrics_yml_are_whole_numbers() -> None:
    assert args(force_granularity=Decimal(300)).granularity == timedelta(seconds=300)
    with pytest.raises(Invalid, match="is not a whole number"):
        args(force_granularity=Decimal("0.5"))


@pytest.mark.parametrize("values", [None, {}, {"aggregation_method": "mean"}])
def test_the_resource_type_is_required(values: Any) -> None:
    with pytest.raises(Invalid, match=r"extra_args.resource_type: is empty"):
        gnocchi_query.parse_args(values)


def test_extra_args_are_a_mapping() -> None:
    with pytest.raises(Invalid, match="is not a mapping"):
        gnocchi_query.parse_args(["resource_type"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("values", "additive"), [
    ({}, False), ({"aggregation_method": "mean"}, False), ({"aggregation_method": "95pct"}, False),
    ({"aggregation_method": "sum"}, True), ({"aggregation_method": "count"}, True),
    ({"aggregation_method": "rate:mean"}, True), ({"re_aggregation_method": "rate:max"}, True),
])
def test_sums_counts_and_rates_add_up(values: dict[str, Any], additive: bool) -> None:
    assert args(**values).additive is additive


def test_d1_another_resource_key_is_added_to_the_id() -> None:
    metric = Metric("m", "u", groupby=("flavor", "project_id"), metadata=("name", "flavor"))
    key = args(resource_key="original_resource_id")
    assert gnocchi_query.groupby(metric, key, "project_id") == (
        "id", "original_resource_id", "flavor", "project_id", "name")


def test_the_name_of_a_metric_is_no_pattern() -> None:
    assert gnocchi_query.operations(Metric("disk[*]?", "u"), args()) == [
        "aggregate", "max", ["metric", "disk[[][*]][?]", "max"]]


def test_the_words_of_a_custom_query_are_replaced_in_their_order() -> None:
    query = "(aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD))"
    wanted = args(custom_query=query, aggregation_method="rate:mean", re_aggregation_method="sum")
    assert gnocchi_query.body(Metric("cpu", "u"), wanted, {}) == {
        "operations": "(aggregate sum (metric cpu rate:mean))", "search": {},
        "resource_type": "instance"}


def test_d9_a_rate_of_aggregates_needs_the_granule_before() -> None:
    def start(**values: Any) -> str:
        return dict(gnocchi_query.window(args(force_granularity=300, **values), HOUR))["start"]

    assert start(aggregation_method="rate:mean") == "2026-03-01T10:00:00+00:00"
    assert start(re_aggregation_method="rate:max") == "2026-03-01T09:55:00+00:00"
    assert start(missing="hold", use_all_resource_revisions=False) == "2026-03-01T09:00:00+00:00"


def test_d4_granules_divide_the_period_and_lie_in_it() -> None:
    assert gnocchi_query.period_problems(args(force_granularity=300), HOUR) == []
    moved = Period.starting(HOUR.begin + timedelta(minutes=1), HOUR.length)
    for granularity, period in ((7200, HOUR), (700, HOUR), (300, moved)):
        assert len(gnocchi_query.period_problems(args(force_granularity=granularity), period)) == 1
