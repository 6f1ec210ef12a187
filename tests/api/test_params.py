"""What a request carries, against what a controller takes."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudkitty_like.api.fields import BooleanField, IntegerField, TextField, TextListField
from cloudkitty_like.api.params import (
    Param,
    accepts,
    arguments,
    check_order,
    object_of,
    returns,
    window,
)
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import LATEST, Period

PARAMS = {"name": Param(TextField()), "limit": Param(IntegerField(1), 100),
          "ids": Param(TextListField(), ()),
          "when": Param(TextField(), None, alias="state")}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(*date):
    return datetime(*date, tzinfo=UTC)


def test_values_are_read_and_what_is_not_given_has_its_default():
    assert arguments(PARAMS, {"name": ["a"], "ids": ["b,c", "d"]}) == {
        "name": "a", "limit": 100, "ids": ("b", "c", "d"), "when": None}


def test_an_alias_is_the_same_argument():
    assert arguments(PARAMS, {"name": ["a"], "state": ["x"]})["when"] == "x"
    with pytest.raises(Invalid, match="when: is given more than once"):
        arguments(PARAMS, {"name": ["a"], "state": ["x"], "when": ["y"]})


def test_everything_that_is_wrong_is_named_at_once():
    with pytest.raises(Invalid) as raised:
        arguments(PARAMS, {"limit": ["0"], "nmae": ["a"], "ids": [""], "x" * 200: ["1"]})
    assert raised.value.problems == (
        "nmae: there is no such argument", "x" * 80 + ": there is no such argument",
        "name: is required",
        "limit: 0 is not from 1 to 2147483647", "ids: is empty")


def test_null_is_as_if_it_were_not_given():
    with pytest.raises(Invalid, match="name: is required"):
        arguments(PARAMS, {"name": [None]})
    assert arguments({"on": Param(BooleanField(), True)}, {"on": [None]}) == {"on": True}


def test_a_list_in_json_is_several_values():
    assert arguments(PARAMS, {"name": ["a"], "ids": [["b", "c"]]})["ids"] == ("b", "c")


def test_a_declaration_leaves_the_function_as_it_is():
    @returns(object_of("next", total={}, next={}), csv=True)
    @accepts(**PARAMS)
    def answer():
        return 7

    assert answer() == 7
    assert (answer.takes, answer.csv, answer.shape["required"]) == (PARAMS, True, ["total"])


# --- windows ------------------------------------------------------------------------------------

@pytest.mark.parametrize(("begin", "end", "found"), [
    (None, None, (at(2026, 11, 1), at(2026, 12, 1))),
    (at(2026, 11, 10), None, (at(2026, 11, 10), at(2026, 12, 1))),
    (None, at(2026, 11, 10), (at(2026, 11, 1), at(2026, 11, 10))),
    (at(1, 1, 1), None, (at(1, 1, 1), at(2026, 12, 1))),
    (at(2026, 11, 1), at(9999, 12, 31), (at(2026, 11, 1), LATEST))])
def test_a_window_is_the_current_month_where_nothing_is_said(begin, end, found):
    assert window(NOW, begin, end) == Period(*found)


@pytest.mark.parametrize(("begin", "end"), [
    (at(2026, 11, 1), at(2026, 11, 1)), (at(2026, 12, 1), None), (at(2027, 1, 1), None),
    (None, at(2026, 11, 1)), (at(9999, 1, 1), None)])
def test_a_window_in_which_there_is_nothing_is_empty(begin, end):
    assert window(NOW, begin, end) is None


def test_only_a_begin_after_the_end_is_out_of_order():
    for begin, end in ((None, None), (at(2026, 1, 1), None), (at(2026, 1, 1), at(2026, 1, 1))):
        check_order(begin, end)
    with pytest.raises(Invalid, match="begin: 2026-01-02T00:00:00Z is after end, 2026-01-01"):
        check_order(at(2026, 1, 2), at(2026, 1, 1))
