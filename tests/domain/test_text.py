import pytest

from cloudkitty_like.domain.text import storable


@pytest.mark.parametrize("text", ["", "a", "\U0001f4b6", "\ud7ff\ue000", "\x01\x7f"])
def test_text_in_utf_8_without_nul_can_be_kept(text):
    assert storable(text)


@pytest.mark.parametrize("text", ["\0", "a\0", "\ud800", "b\udfff"])
def test_nul_and_halves_of_characters_cannot(text):
    assert not storable(text)
