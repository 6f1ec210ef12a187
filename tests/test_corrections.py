"""What the page on correcting the past shows is what happens."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import spawn
from tests.pages import follow


@pytest.mark.slow
def test_each_command_does_what_the_page_says(tmp_path: Path) -> None:
    followed = follow("corrections.rst", tmp_path)
    assert "0 added, 1 changed, 0 withdrawn" in followed.printed("rules apply")
    first = followed.printed("reprocess start --scope website").splitlines()[-1].split()
    assert first[:2] + first[5:7] == ["1", "website", "744/744", "done"]
    assert float(first[8]) > float(first[7]) > 0
    assert followed.printed("reprocess start --all").count("24/24  done") == 4
    now, then = (followed.printed(f"report --scope website --by metric{as_of}\n") for as_of in ("", " --as-of 745"))
    assert now != then
    assert "1 task cancelled" in followed.printed("reprocess cancel 6")
    undone = followed.printed("reprocess undo 1").splitlines()[-1].split()
    assert (undone[9], undone[10]) == (first[8], first[7])
    assert spawn("report", "--scope", "website", "--by", "metric", cwd=tmp_path).out == then
    assert followed.printed("purge --rated-before 2026-10-08 --dry-run").endswith("Nothing was forgotten: a dry run.\n")
    assert "equal to the last digit" in followed.printed("status --verify")
    found = json.loads(spawn("history", "--json", cwd=tmp_path).out)
    assert [(one["cause"], one["reason"]) for one in found if one["kind"] == "ledger"][1:] == [
        ("reprocess", "price list"), ("reprocess", "price list"), ("undo", "the price list was wrong"),
        ("purge", "points rated before 2026-10-08T00:00:00Z")]
    changes = {one["cause"]: float(one["price"]) for one in found if one["published"] == 744}
    assert changes["undo"] == pytest.approx(-changes["reprocess"])
    assert changes["undo"] < 0
