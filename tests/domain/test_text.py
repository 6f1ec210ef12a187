import pytest

from cloudkitty_like.domain.text import alternatives, counted, nearest, storable


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
