"""Values of JSON are read exactly or refused."""
from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain import json_value
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import label, named, number, parsed, shown, text

PLAIN = st.none() | st.booleans() | st.integers() | st.text()
DOCUMENTS = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3)
                         | st.dictionaries(st.text(), inner, max_size=3))


@given(DOCUMENTS)
def test_a_document_is_read_as_json_has_it(document):
    assert parsed(json.dumps(document).encode()) == document


def test_a_number_is_read_to_its_last_digit():
    assert parsed(b"[0.10, 1e-30, 12345678901234567890.000000000001]") == [
        Decimal("0.10"), Decimal("1e-30"), Decimal("12345678901234567890.000000000001")]


@pytest.mark.parametrize("data", [b"", b"{", b"[NaN]", b"[Infinity]", b"\xff", b"[" * 100_000,
                                  b"[1e99999999999999999999999]"])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(Invalid, match="the body is"):
        parsed(data)


@pytest.mark.parametrize(("value", "problem"), [
    (1, "1 is not a text"), ("x" * 5, "is longer than 4 characters"), ("\0", "cannot be stored"),
    ("", "is empty")])
def test_a_text_can_be_stored(value, problem):
    assert text("word", 4, may_be_empty=False) == "word"
    with pytest.raises(Invalid, match=problem):
        text(value, 4, may_be_empty=False)


@pytest.mark.parametrize("value", [True, None, [], "x", "1e500", Decimal("1e-401")])
def test_what_is_no_exact_decimal_is_refused(value):
    with pytest.raises(Invalid):
        number(value)


def test_a_label_is_text_whatever_it_was():
    assert [label(value) for value in (None, True, False, 7, Decimal("0.50"), "x")] == [
        "", "True", "False", "7", "0.5", "x"]
    with pytest.raises(Invalid, match="is not a text"):
        label([])


def test_every_problem_of_a_member_has_its_name():
    def refuse(value):
        raise Invalid("is short", "is late")

    with pytest.raises(Invalid) as raised:
        named("volume", refuse, 1)
    assert raised.value.problems == ("volume: is short", "volume: is late")
    assert named("volume", json_value.number, "2") == 2


def test_what_is_quoted_is_short_whatever_it_is():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    values = ("x" * 1000, deep, 10**5000, Decimal("1E+999999"))
    assert all(len(shown(value)) <= 80 for value in values)
