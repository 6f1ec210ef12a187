from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.scope import LONGEST, Scope, check_identifier


@pytest.mark.parametrize("text", [
    "a", "0", " ", "a b", "it's", 'a"b', "a\\b", "a/b?c=d&e", "%", "a\nb", "größe", "東京", "😀",
    "x" * LONGEST, "😀" * LONGEST,
])
def test_any_text_that_can_be_stored_is_the_id_of_a_scope(text):
    assert check_identifier(text) == text


@pytest.mark.parametrize(("text", "reason"), [
    ("", "is empty"),
    ("x" * (LONGEST + 1), "has 256 characters; 255 are possible"),
    ("😀" * 300, "has 300 characters"),
    ("a\0b", "cannot be stored"),
    ("\0", "cannot be stored"),
    ("\ud800", "cannot be stored"),
    ("a\udfffb", "cannot be stored"),
])
def test_what_cannot_be_the_id_of_a_scope_is_invalid_with_the_reason(text, reason):
    with pytest.raises(Invalid, match=reason) as caught:
        check_identifier(text)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=300))
def test_an_id_that_is_accepted_can_be_written(text):
    try:
        accepted = check_identifier(text)
    except Invalid:
        assert not 0 < len(text) <= LONGEST or set(text) & {"\0", *map(chr, range(0xD800, 0xE000))}
    else:
        assert 0 < len(accepted.encode("utf-8").decode("utf-8")) <= LONGEST
        assert "\0" not in accepted


def test_scopes_are_sorted_by_their_id():
    assert sorted([Scope("b", "a"), Scope("a", "z"), Scope("a", "b")]) == [
        Scope("a", "b"), Scope("a", "z"), Scope("b", "a")]
    assert Scope("a") == Scope("a", "project_id", "", "")
