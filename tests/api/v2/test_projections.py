"""``custom_fields``, parsed and worked out."""
from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.api.v2.projections import DEFAULT, Projection, projections
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.query import Sum
from cloudkitty_like.service.reports.grouping import Extremes, GroupTotals

GROUP = GroupTotals(None, (), Sum(Decimal(7), Decimal("0.5"), 3, 1))
EXTREMES = Extremes(Decimal(1), Decimal(4), Decimal("0.1"), Decimal("0.4"))
EMPTY = GroupTotals(None, (), Sum())


@pytest.mark.parametrize(("text", "found"), [
    ("SUM(qty) AS qty, SUM(price) AS rate", DEFAULT),
    (" avg( price )  as\tmean ", (Projection("AVG", "price", "mean"),)),
    ('MAX(qty) AS "the most", MIN(QTY) AS _1',
     (Projection("MAX", "qty", "the most"), Projection("MIN", "qty", "_1")))])
def test_fields_are_parsed_into_values(text, found):
    assert projections(text) == found


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(Invalid) as raised:
        projections("qty, SUM(qty) AS a, SUM(price) AS a, MIN(x) AS b, COUNT(qty) AS end")
    assert len(raised.value.problems) == 4


@given(st.text())
def test_s3_any_text_is_projections_or_invalid(text):
    try:
        found = projections(text)
    except Invalid:
        return
    assert {one.function for one in found} <= {"SUM", "MIN", "MAX", "AVG", "COUNT"}
    assert {one.column for one in found} <= {"qty", "price"}


@pytest.mark.parametrize(("function", "column", "value"), [
    ("SUM", "qty", Decimal(7)), ("SUM", "price", Decimal("0.5")), ("COUNT", "qty", 3),
    ("COUNT", "price", 2),
    ("AVG", "qty", Decimal("2.333333333333")), ("AVG", "price", Decimal("0.25")),
    ("MIN", "qty", Decimal(1)),
    ("MAX", "price", Decimal("0.4"))])
def test_values_are_those_of_the_points_and_prices_of_the_priced_ones(function, column, value):
    assert Projection(function, column, "x").value(GROUP, EXTREMES) == value


@pytest.mark.parametrize("function", ["AVG", "MIN", "MAX"])
def test_of_nothing_there_is_no_mean_and_no_extreme(function):
    assert Projection(function, "price", "x").value(EMPTY, None) is None


@pytest.mark.parametrize("function", ["SUM", "AVG", "MIN", "MAX"])
def test_quantities_of_several_units_have_no_value(function):
    mixed = GroupTotals(None, (), GROUP.sum, mixed=True)
    assert Projection(function, "qty", "x").value(mixed, EXTREMES) is None
    assert Projection(function, "price", "x").value(mixed, EXTREMES) is not None


def test_a_mean_of_what_no_point_could_have_is_one_too():
    huge = GroupTotals(None, (), Sum(Decimal(8 * 10**18), points=1))
    assert Projection("AVG", "qty", "x").value(huge, None) == Decimal(8 * 10**18)
