from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.client.gnocchi import GranuleSeries, GroupMeasures, MeasuredGroup
from cloudkitty_like.collector import gnocchi_measures, gnocchi_query
from cloudkitty_like.collector.gnocchi_query import GnocchiArguments
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.testing.collector import HOUR

TINY = Decimal("2e-12")
"""Rows with equal labels are rounded one by one, then added up."""

SMALL = Metric("m", "u", groupby=("project_id",))


def args(granularity: int = 300, **values: Any) -> GnocchiArguments:
    return gnocchi_query.parse_args({
        "resource_type": "instance", "force_granularity": granularity, **values})


def group(*values: str, seconds: float = 300, first: int = 0, **attributes: Any) -> MeasuredGroup:
    """Granules with these values, as written, from the ``first`` of the hour on."""
    length = timedelta(seconds=seconds)
    granules = [(HOUR.begin + length * (first + n), seconds, msgspec.Raw(value.encode()))
                for n, value in enumerate(values)]
    return MeasuredGroup({"id": "vm", "project_id": "a", **attributes},
                         GroupMeasures(GranuleSeries(granules)))


def quantities(metric: Metric, wanted: GnocchiArguments, *groups: MeasuredGroup) -> list[Decimal]:
    frame = gnocchi_measures.frame_of(metric, wanted, HOUR, groups)
    return list(frame.qty) if frame else []


@pytest.mark.parametrize(("value", "text"), [
    (None, ""), ("a", "a"), (4, "4"), (True, "true"), (1.5, "1.5"), (["a", 1], '["a",1]'),
])
def test_an_attribute_is_a_text(value: Any, text: str) -> None:
    assert gnocchi_measures.label(value) == text


def test_d2_granules_of_a_cut_revision_weigh_by_time() -> None:
    """A resize at minute 20, as Gnocchi cuts granules of five minutes and one of an hour."""
    fine = [group(*["2048"] * 4), group(*["4096"] * 8, first=4)]
    assert abs(sum(quantities(SMALL, args(), *fine)) - Decimal(10240) / 3) < TINY
    coarse = [group("1365.3333333333333", seconds=3600), group("2730.6666666666665", seconds=3600)]
    assert abs(sum(quantities(SMALL, args(3600), *coarse)) - 4096) < TINY


@given(st.lists(st.integers(-10**9, 10**9), min_size=12, max_size=12))
def test_a_gauge_is_its_mean_and_a_sum_the_sum(values: list[int]) -> None:
    measured = group(*map(str, values))
    with_factor = Metric("m", "u", groupby=("project_id",), factor=Fraction(12))
    assert quantities(with_factor, args(), measured) == [sum(values)]
    assert quantities(SMALL, args(aggregation_method="sum"), measured) == [sum(values)]


def test_a_share_of_the_period_is_no_rounded_number() -> None:
    """Seven of twelve granules of 12 are 7, and not a bit less, which FLOOR would make a 6."""
    floor = Metric("m", "u", groupby=("project_id",), mutate="FLOOR")
    assert quantities(floor, args(), group(*["12"] * 7)) == [7]


def test_granules_outside_the_period_do_not_count() -> None:
    wanted = args(re_aggregation_method="rate:max")
    assert quantities(SMALL, wanted, group("1", "2", "4", first=-1)) == [6]
    assert quantities(SMALL, wanted, group("1", "2", "4", first=10)) == [3]
    assert quantities(SMALL, wanted, group("1", first=12), group()) == []


def test_groups_with_equal_labels_add_up_and_others_stay_apart() -> None:
    metric = Metric("m", "u", groupby=("project_id", "flavor"), metadata=("name",))
    frame = gnocchi_measures.frame_of(metric, args(aggregation_method="sum"), HOUR, [
        group("1", flavor="s", name=None), group("2", flavor="s", name=None),
        group("4", flavor="l", name="x")])
    assert frame is not None
    assert [(*groupby, *metadata, qty) for groupby, metadata, qty, _ in frame.rows()] == [
        ("a", "l", "x", 4), ("a", "s", "", 3)]


@pytest.mark.parametrize("wrong", [
    group("1", seconds=3600),
    MeasuredGroup({"id": "vm", "project_id": "a"}, GroupMeasures(GranuleSeries(
        [(HOUR.begin, 300, msgspec.Raw(b"1"))] * 2))),
])
def test_d4_other_granules_than_those_asked_for_are_no_answer(wrong: MeasuredGroup) -> None:
    with pytest.raises(Unavailable, match="Gnocchi answers"):
        quantities(SMALL, args(), wrong)


def test_many_wrong_groups_are_not_all_named() -> None:
    with pytest.raises(Invalid) as caught:
        quantities(SMALL, args(), *[group("null")] * 9, group("1"))
    assert list(caught.value.problems) == [
        *["m of vm: 'null' is not a number"] * 5, "m: 4 more groups like these"]
