"""A cursor comes back as it was given, or not at all."""
import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.cursor import LONGEST, Cursor
from cloudkitty_like.domain.errors import Invalid

SCOPES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=255)
GOOD = [7, 100, 50, 1793397600, "alice", 3]


def written(cells):
    return urlsafe_b64encode(json.dumps(cells, separators=(",", ":")).encode()).decode().rstrip("=")


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**63 - 1), min_size=3, max_size=3),
       st.integers(0, 2 * 10**11), SCOPES)
def test_a_cursor_is_read_as_it_was_written(as_of, numbers, begin, scope):
    skip, number, total = sorted(numbers)
    cursor = Cursor(as_of, total, number, begin, scope, skip)
    text = str(cursor)
    assert Cursor.of(text) == cursor
    assert text.isascii()
    assert len(text) <= LONGEST


def test_the_longest_scope_fits():
    longest = Cursor(2**63 - 1, 2**63 - 1, 2**63 - 1, 1, "\N{PILE OF POO}" * 255, 2**63 - 1)
    assert Cursor.of(str(longest)) == longest


def test_it_says_where_to_read_on():
    assert Cursor.of(written(GOOD)).after == (datetime(2026, 10, 30, 22, tzinfo=UTC), "alice")


@pytest.mark.parametrize("text", [
    "", "x", "%%%", "é", "=" * 8, "A" * 5000, written(None), written({}), written([]), written(GOOD[:-1]),
    written([*GOOD, 1]), written("abcdef"), written([[]] * 6), "[" * 3000, str(Cursor(*GOOD)) + "=",
    str(Cursor(*GOOD)) + "A" * LONGEST, "\N{KELVIN SIGN}",
    *(written([*GOOD[:place], wrong, *GOOD[place + 1:]]) for place, values in enumerate([
        (-1, 2**63, True, "7", None, 1.5), (49, -1, [], float("inf")), (2, 101, "x"), (-1, 10**12, 10**30, None),
        ("", "a" * 256, "a\0", "\ud800", 5, None, ["a"]), (51, -1, False, {})]) for wrong in values),
])
def test_what_is_garbled_is_refused(text):
    with pytest.raises(Invalid, match="cursor"):
        Cursor.of(text)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode()))
def test_whatever_text_it_is_it_is_a_cursor_or_invalid(text):
    with suppress(Invalid):
        assert str(Cursor.of(text)) == text
