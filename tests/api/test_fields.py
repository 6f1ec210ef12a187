"""Arguments as they come: from a URL always text, from JSON anything."""
from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.api.fields import (
    BooleanField,
    FilterField,
    InstantField,
    IntegerField,
    LabelField,
    NumberField,
    TextField,
    TextListField,
    named,
)
from cloudkitty_like.domain.errors import Invalid

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)      # JSON has no others
JSON = st.recursive(st.none() | st.booleans() | st.integers() | DECIMALS | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
KINDS = (TextField(), TextField(("a", "b"), fold=True), BooleanField(), IntegerField(),
         NumberField(), InstantField(), InstantField(end_of_day=True),
         TextListField(), TextListField(BooleanField()), FilterField(), LabelField())


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@given(value=JSON)
def test_whatever_comes_is_read_or_invalid(kind, value):
    with suppress(Invalid):
        hash(str(kind.read(value)))


@pytest.mark.parametrize("value", ["true", "T", "yes", "y", "on", "1", True, 1])
def test_c27_every_spelling_of_true(value):
    assert BooleanField().read(value) is True


@pytest.mark.parametrize("value", ["false", "F", "no", "n", "off", "0", "", " False ", False, 0])
def test_c27_false_in_a_url_is_false(value):
    assert BooleanField().read(value) is False


@pytest.mark.parametrize("value", ["maybe", 2, Decimal("1.0"), [], None])
def test_what_is_neither_is_refused(value):
    with pytest.raises(Invalid, match="neither true nor false"):
        BooleanField().read(value)


@pytest.mark.parametrize(("value", "number"), [
    ("7", 7), (" -7 ", -7), (7, 7), (Decimal("7.0"), 7), ("+2147483647", 2**31 - 1)])
def test_whole_numbers(value, number):
    assert IntegerField().read(value) == number


@pytest.mark.parametrize("value", [
    "7.5", "1e3", "", True, Decimal("7.5"), 2**31, "9" * 5000, Decimal("1E+999999999"), Decimal("1E-999999999"), [7]])
def test_what_is_no_whole_number_or_too_large_is_refused(value):
    with pytest.raises(Invalid):
        IntegerField().read(value)


def test_an_integer_has_bounds():
    assert IntegerField(1, 10).read("10") == 10
    with pytest.raises(Invalid, match="0 is not from 1 to 10"):
        IntegerField(1, 10).read(0)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-10**20, max_value=10**20))
def test_c10_a_number_is_exactly_as_written(number):
    assert NumberField().read(str(number)) == NumberField().read(number) == number


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-inf", "", "one", True, None, "1e401", "1e-401",
                                   Decimal("1E+999999999"), "1e99999999999999999999"])
def test_c29_what_is_no_finite_number_is_refused(value):
    with pytest.raises(Invalid):
        NumberField().read(value)


def test_a_long_number_is_not_quoted_whole():
    with pytest.raises(Invalid) as raised:
        NumberField().read("x" * 10_000_000)
    assert len(str(raised.value)) < 120


@pytest.mark.parametrize(("text", "when"), [
    ("2026-11-01", (2026, 11, 1)), ("2026-11-01T10:00:00Z", (2026, 11, 1, 10)),
    ("2026-11-01T10:00:00+02:00", (2026, 11, 1, 8)), ("2026-11-01T10:00:00 02:00", (2026, 11, 1, 8)),
    ("2026-11-01 10:00", (2026, 11, 1, 10)), ("20261101T100000Z", (2026, 11, 1, 10)),
    ("20261101T1000", (2026, 11, 1, 10)), ("20261101", (2026, 11, 1)),
    ("2026-11-01T10:00:00.999999999Z", (2026, 11, 1, 10))])
def test_instants_in_every_spelling(text, when):
    assert InstantField().read(text) == datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize("text", [
    "", "now", "2026-13-01", "2026-11-31", "20261301", "2026-11-01T25:00", "1793750400", 1793750400, None,
    "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "2026-11-01" * 5000])
def test_c29_what_is_no_instant_is_refused(text):
    with pytest.raises(Invalid):
        InstantField().read(text)


def test_fractions_are_kept_where_they_count():
    assert InstantField(fractions=True).read("2026-11-01T10:00:00.25") == datetime(
        2026, 11, 1, 10, 0, 0, 250000, tzinfo=UTC)


def test_a_date_alone_can_mean_its_last_second():
    kind = InstantField(end_of_day=True)
    assert kind.read("3000-01-01") == datetime(3000, 1, 1, 23, 59, 59, tzinfo=UTC)
    assert kind.read("3000-01-01T00:00:00") == datetime(3000, 1, 1, tzinfo=UTC)
    assert kind.read("9999-12-31") == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_texts_are_repeated_separated_or_both():
    for value in ("a,b", ["a", "b"], ["a,b", "a"]):
        assert TextListField().read(value) == ("a", "b")


@pytest.mark.parametrize("value", ["", "a,,b", [], [1], [["a"]], "x," * 1001])
def test_texts_hold_texts_not_empty_and_not_too_many(value):
    with pytest.raises(Invalid):
        TextListField().read(value)


def test_c36_filters_are_alternatives_of_a_key_and_keys_that_all_fit():
    expected = {"a": {"x", "y"}, "b": {"z"}}
    assert FilterField().read("a:x,a:y,b:z") == expected
    assert FilterField().read(["a:x", "b:z", "a:y"]) == expected
    assert FilterField().read({"a": ["x", "y"], "b": "z"}) == expected


def test_a_filters_value_may_have_colons_and_may_be_empty():
    assert FilterField().read("address:2001:db8::1,flavor:") == {"address": {"2001:db8::1"}, "flavor": {""}}


@pytest.mark.parametrize("value", ["a", ":x", {"": "x"}, {"a": 1}, {"\ud800": "x"}, {"a\0": "x"}, 7, "a:x," * 1001])
def test_what_is_no_filter_is_refused(value):
    with pytest.raises(Invalid):
        FilterField().read(value)


@pytest.mark.parametrize(("value", "text"), [
    (None, ""), (True, "True"), (7, "7"), (Decimal("1.50"), "1.5"), (Decimal("1E+3"), "1000"), ("1.50", "1.50")])
def test_a_label_is_text_whatever_it_was(value, text):
    assert LabelField().read(value) == text


def test_a_label_has_no_parts_and_no_million_digits():
    for value in ([], {}, Decimal("1E+999999999")):
        with pytest.raises(Invalid):
            LabelField().read(value)


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 10_001, 7, None, ["a"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(Invalid):
        TextField().read(text)


def test_a_text_of_some_words_says_which():
    with pytest.raises(Invalid, match="'c' is not one of a, b"):
        TextField(("a", "b")).read("c")
    assert TextField(("asc", "desc"), fold=True).read("DESC") == "desc"


def test_a_member_that_is_wrong_is_named():
    with pytest.raises(Invalid) as raised:
        named("volume", NumberField(), "x")
    assert raised.value.problems == ("volume: 'x' is not a number",)
