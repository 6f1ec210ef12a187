from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.db.chunks import CHUNK, chunks


def check(count, parts, size):
    assert [value for part in parts for value in part] == list(range(count))
    assert all(0 < len(part) <= size for part in parts)


@given(st.integers(0, 3 * CHUNK + 1))
def test_no_value_is_lost_or_moved_and_no_chunk_is_empty_or_too_large(count):
    check(count, list(chunks(range(count))), CHUNK)


@given(st.integers(0, 30), st.integers(1, 10))
def test_a_chunk_is_as_large_as_is_asked_for(count, size):
    check(count, list(chunks(range(count), size)), size)
