import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.text import (
    LONGEST_VALUE,
    all_storable,
    alternatives,
    counted,
    nearest,
    quoted,
    shortened,
    storable,
    storable_value,
)


@pytest.mark.parametrize("text", ["", "a", "\U0001f4b6", "\ud7ff\ue000", "\x01\x7f"])
def test_text_in_utf_8_without_nul_can_be_kept(text):
    assert storable(text)


@pytest.mark.parametrize("text", ["\0", "a\0", "\ud800", "b\udfff"])
def test_nul_and_halves_of_characters_cannot(text):
    assert not storable(text)


def test_i8_small_a_number_has_its_noun_in_the_singular_or_the_plural():
    assert [counted(number, "scope") for number in (0, 1, 2)] == ["0 scopes", "1 scope", "2 scopes"]


def test_i8_small_the_nearest_word_is_found_whatever_its_letters_case():
    assert nearest("raport", ["status", "report"]) == "report"
    assert nearest("STATUS", ["status", "report"]) == "status"
    assert nearest("frobnicate", ["status", "report"]) is None
    assert nearest("", []) is None


def test_i8_small_alternatives_are_joined_as_one_says_them():
    assert [alternatives(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


ANY_CHARACTER = st.characters(codec=None, exclude_categories=())
ANY_TEXT = st.text(ANY_CHARACTER, max_size=20) | st.builds(
    lambda text, times: text * times, st.text(ANY_CHARACTER, min_size=1, max_size=3), st.integers(1, 5000))


@given(ANY_TEXT)
def test_i8_b11_any_value_becomes_one_that_can_be_kept_and_stays_so(text):
    value = storable_value(text)
    assert all_storable([value])
    assert storable_value(value) == value
    assert (value == text) == all_storable([text])


def test_i8_b11_a_nul_and_half_a_character_become_the_replacement_character():
    assert storable_value("a\0b\ud800") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_i8_b11_long_values_that_begin_alike_stay_distinct():
    begin = "x" * LONGEST_VALUE
    assert storable_value(begin) == begin
    values = {storable_value(begin + end) for end in ("a", "b", "\0", "\N{REPLACEMENT CHARACTER}")}
    assert len(values) == 4
    assert {len(value) for value in values} == {LONGEST_VALUE}
    assert storable_value(begin + "a") == "x" * 4063 + "#9e803b6069fafa558fffccd67bcdf71e"


@pytest.mark.parametrize("values", [[], [""], ["a", "\U0001f4b6"], ["x" * LONGEST_VALUE]])
def test_values_that_can_all_be_kept(values):
    assert all_storable(values)


@pytest.mark.parametrize("value", ["\0", "\udfff", "x" * (LONGEST_VALUE + 1)])
def test_one_value_that_cannot_be_kept_is_enough(value):
    assert not all_storable(["a", value, "b"])


@given(st.text(max_size=120), st.integers(4, 100))
def test_a_long_text_is_cut_to_its_length_and_its_end_is_marked(text, longest):
    short = shortened(text, longest)
    assert len(short) <= longest
    assert short == text if len(text) <= longest else short == text[:longest - 3] + "..."


def test_a_message_quotes_a_value_in_80_characters():
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted("x" * 78) == repr("x" * 78)
    assert quoted("x" * 79) == "'" + "x" * 76 + "..."
