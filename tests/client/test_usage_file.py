"""What is a row of a CSV file, and where it is; which rows are wrong is told by the file collector's tests."""
from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.client import usage_file
from cloudkitty_like.domain.errors import Invalid

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


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_i8_small_the_separator_is_told_from_the_header(tmp_path, separator):
    path = tmp_path / "usage.csv"
    lines = [["\ufeffbegin", '"metric"', "quantity", "project_id", '"a;b"'],
             ["2026-10-01", "cpu", "1.5", "shop", '"x,y;z"']]
    path.write_text("\r\n".join(separator.join(cells) for cells in lines), encoding="utf-8")
    header, row = usage_file.rows(path, "project_id")
    assert (header.separator, header.labels) == (separator, ("project_id", "a;b"))
    assert row.cells == ["2026-10-01", "cpu", "1.5", "shop", "x,y;z"]


def test_i8_small_what_is_missing_is_said_of_the_separator_that_the_file_has(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("begin;metric;quantity;flavor\n")
    with pytest.raises(Invalid) as error:
        list(usage_file.rows(path, "project_id"))
    assert error.value.problems == (f"{path}: line 1: the header has no column 'project_id'",)


def test_i8_small_a_decimal_comma_is_refused_and_called_so(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("begin;metric;quantity;project_id\n2026-10-01;cpu;1,234;shop\n")
    with pytest.raises(Invalid, match=r"line 2: column 'quantity': '1,234' has a comma; write a point before the"):
        list(usage_file.rows(path, "project_id"))
