"""What is a row of a CSV file, and where it is; which rows are wrong is told by the file collector's tests."""
from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.client import usage_file

cells = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
                 min_size=1, max_size=5)


@given(st.lists(cells, min_size=1, max_size=6))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "written.csv"
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    found = [usage_file.cells_of(record.content) for record in usage_file.records(path)]
    assert found == rows


def test_records_say_where_they_are(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_bytes(b'a,b\n\n"c\nd",e\nlast')
    assert list(usage_file.records(path)) == [(1, 0, b"a,b\n"), (2, 4, b"\n"), (3, 5, b'"c\nd",e\n'), (5, 13, b"last")]
