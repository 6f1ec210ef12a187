from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.db.chunks import CHUNK, chunks


@given(st.integers(0, 3 * CHUNK + 1))
def test_no_value_is_lost_or_moved_and_no_chunk_is_empty_or_too_large(count):
    parts = list(chunks(range(count)))
    assert [value for part in parts for value in part] == list(range(count))
    assert all(0 < len(part) <= CHUNK for part in parts)
