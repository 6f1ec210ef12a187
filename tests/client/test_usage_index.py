"""What the index refuses; what it finds is told by the file collector's tests."""
from __future__ import annotations

import pytest

from cloudkitty_like.client import usage_index
from cloudkitty_like.domain.errors import Invalid

HEADER = "begin,metric,quantity,project_id"


def test_a_file_that_jumps_between_hours_too_often_is_refused_rather_than_held_in_memory(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("\n".join([HEADER,
                               *(f"2026-03-01T0{number % 2}:00,cpu,1,p" for number in range(20))]))
    with pytest.raises(Invalid, match="jumps between hours too often") as refused:
        usage_index.UsageIndex(path, "project_id", most_stretches=10)
    assert "sort" in refused.value.hint


def test_a_file_of_too_many_metrics_has_something_else_in_that_column(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("\n".join([HEADER, *(f"2026-03-01,m{number},1,p" for number in range(1001))]))
    with pytest.raises(Invalid, match="more than 1000 metrics: is the column 'metric' right"):
        usage_index.UsageIndex(path, "project_id")
