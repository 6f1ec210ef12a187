"""What a request carries, against what a controller takes."""
from __future__ import annotations

import pytest

from cloudkitty_like.api.fields import Boolean, Integer, Text, Texts
from cloudkitty_like.api.params import Param, arguments, gives, object_of, takes
from cloudkitty_like.domain.errors import Invalid

PARAMS = {"name": Param(Text()), "limit": Param(Integer(1), 100), "ids": Param(Texts(), ()),
          "when": Param(Text(), None, alias="state")}


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
        "nmae: there is no such argument", "x" * 80 + ": there is no such argument", "name: is required",
        "limit: 0 is not from 1 to 2147483647", "ids: is empty")


def test_null_is_as_if_it_were_not_given():
    with pytest.raises(Invalid, match="name: is required"):
        arguments(PARAMS, {"name": [None]})
    assert arguments({"on": Param(Boolean(), True)}, {"on": [None]}) == {"on": True}


def test_a_list_in_json_is_several_values():
    assert arguments(PARAMS, {"name": ["a"], "ids": [["b", "c"]]})["ids"] == ("b", "c")


def test_a_declaration_leaves_the_function_as_it_is():
    @gives(object_of("next", total={}, next={}), csv=True)
    @takes(**PARAMS)
    def answer():
        return 7

    assert answer() == 7
    assert (answer.takes, answer.csv, answer.shape["required"]) == (PARAMS, True, ["total"])
