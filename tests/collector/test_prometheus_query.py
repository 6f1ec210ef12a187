from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.client import promql
from cloudkitty_like.collector import prometheus_query as build
from cloudkitty_like.collector.prometheus_query import QueryArguments, parse_args
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.testing.collector import HOSTILE

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)

METRIC = Metric("http_requests_total", "unit", groupby=("foo", "bar", "project_id"), metadata=("code", "instance"))


def query(metric: Metric = METRIC, **args: str) -> str:
    return build.query(metric, QueryArguments(**args), "project_id", 'project_id="a"', "3600s")


def test_a_query_is_built_from_the_inside_out() -> None:
    assert query(aggregation_method="avg", range_function="delta", query_function="abs") == (
        'avg(abs(delta(http_requests_total{project_id="a"}[3600s]))) by (foo, bar, project_id, code, instance)')


def test_without_a_range_function_it_aggregates_over_time() -> None:
    assert query() == (
        'max(max_over_time(http_requests_total{project_id="a"}[3600s])) by (foo, bar, project_id, code, instance)')


def test_increase_is_possible() -> None:
    assert query(aggregation_method="sum", range_function="increase").startswith("sum(increase(http_requests_total{")


def test_prefix_and_suffix_surround_it() -> None:
    assert query(query_prefix="1 +", query_suffix="* 2") == f"1 + {query()} * 2"


def test_the_scope_key_is_in_the_grouping_and_no_label_is_twice() -> None:
    metric = Metric("m", "unit", groupby=("a", "b"), metadata=("b", "c"))
    assert query(metric).endswith(" by (a, b, project_id, c)")


@pytest.mark.parametrize(("extra_args", "words"), [
    ({"range_function": "irange"}, "extra_args.range_function: 'irange' is no function of PromQL; irate or idelta"),
    ({"range_function": "rates"}, "extra_args.range_function: 'rates' is not one of changes, delta"),
    ({"aggregation_method": "median"}, "extra_args.aggregation_method: 'median' is not one of avg, count"),
    ({"query_function": "sqrt(1) or abs"}, "extra_args.query_function: "),
    ({"query_prefix": 3}, "extra_args.query_prefix: 3 is not a text"),
    ({"query_suffix": "\ud800"}, "extra_args.query_suffix: "),
    ({"aggregation_method": None}, "extra_args.aggregation_method: None is not a text"),
    ({"aggregation": "max"}, "extra_args.aggregation: is not known"),
    (["max"], "extra_args: ['max'] is not a mapping"),
])
def test_wrong_extra_args_are_named(extra_args: Any, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_args(extra_args)
    assert words in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        parse_args({"aggregation_method": "last", "range_function": "irange", "x": 1})
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("nothing", [None, {}])
def test_extra_args_need_not_be_given(nothing: Any) -> None:
    assert parse_args(nothing) == QueryArguments("max")


def test_names_that_are_no_names_are_problems() -> None:
    metric = Metric('m{a="b"}', "unit", groupby=("good", "b-ad"), metadata=("x y", "1st", "ok\n"))
    assert build.problems_of(metric) == [
        "'m{a=\"b\"}' is not the name of a metric in Prometheus",
        "groupby: 'b-ad' is not the name of a label in Prometheus",
        "metadata: 'x y' is not the name of a label in Prometheus",
        "metadata: '1st' is not the name of a label in Prometheus",
        "metadata: 'ok\\n' is not the name of a label in Prometheus",
    ]
    assert build.problems_of(METRIC) == []


def ids(number: int, prefix: str = "project") -> list[str]:
    return [f"{prefix}-{n:05}" for n in range(number)]


class TestMatchers:
    def test_one_scope_is_matched_by_its_name(self) -> None:
        assert build.matchers("key", ['a"b'], ids(9), 12_000) == ['key="a\\"b"']

    def test_a_few_scopes_are_listed(self) -> None:
        assert build.matchers("key", ["a.b", "c"], [], 12_000) == ['key=~"a\\\\.b|c"']

    def test_p1_two_thousand_scopes_are_one_request(self) -> None:
        assert build.matchers("key", ids(2000), [], 12_000) == ['key!=""']

    def test_a_few_unwanted_are_left_out(self) -> None:
        assert build.matchers("key", ids(2000), ["a|b", "c"], 12_000) == ['key!="",key!~"a\\\\|b|c"']

    @pytest.mark.parametrize(("asked", "others"), [(2000, 2000), (150, 100), (100, 2000)])
    def test_else_the_scopes_are_listed_in_short_requests(self, asked: int, others: int) -> None:
        matchers = build.matchers("key", ids(asked), ids(others, "other"), 3000)
        assert all(len(matcher.encode()) <= 3000 for matcher in matchers)
        assert len(matchers) == -(-asked * 15 // 2950)
        assert [name for matcher in matchers for name in re.findall(r"project-\d+", matcher)] == ids(asked)

    @given(st.sets(texts, min_size=1, max_size=200), st.sets(texts, max_size=50))
    def test_no_matcher_is_longer_than_allowed(self, asked: set[str], others: set[str]) -> None:
        for matcher in build.matchers("key", sorted(asked), sorted(others - asked), 800):
            assert len(matcher.encode()) <= 800


@given(texts)
def test_s6_a_string_literal_ends_where_it_should(text: str) -> None:
    literal = promql.quoted(text)
    assert literal.startswith('"')
    assert literal.endswith('"')
    assert not re.search(r'(?<!\\)(\\\\)*"', literal[1:-1])     # no quote that is not escaped
    assert len(re.search(r"\\*\Z", literal[1:-1])[0]) % 2 == 0   # nor is the last one
    assert "\n" not in literal


@given(st.lists(texts, min_size=1), texts)
def test_s6_a_regular_expression_matches_what_is_meant_and_nothing_else(meant: list[str], other: str) -> None:
    expression = re.compile("|".join(map(promql.literally, meant)))
    assert all(expression.fullmatch(text) for text in (*meant,))
    assert bool(expression.fullmatch(other)) == (other in meant)


def test_hostile_texts_are_escaped() -> None:
    assert promql.one_of(['a"b', "c\\d", "e\nf", "g|h\t", "Zoë\0"]) == (
        r'"a\"b|c\\\\d|e\nf|g\\|h\u0009|Zoë\u0000"')
    assert len(set(map(promql.quoted, HOSTILE))) == len(HOSTILE)


@pytest.mark.parametrize(("selector", "good"), [
    ("up", True), ('up{job="node"}', True), ('{job=~"a|b"}', True), ("node:up:count", True),
    ("", False), ("up[5m]", False), ("up) or vector(1", False), ("sum(up)", False), ("up{}", False),
    ("up{a}{b}", False),
])
def test_a_selector_is_a_selector(selector: str, good: bool) -> None:
    assert (promql.selector_problem(selector) == "") is good
