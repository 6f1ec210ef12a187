"""Who changed what, from the command line."""
from __future__ import annotations

import csv
import io

from tests.cli.small import Site


def test_rules_and_ledger_are_told_in_one_list(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "reset", "--to", "2026-03-01", "--reason", "a wrong flavor", "alpha")
    found = site.here.json("history")
    assert [(one["kind"], one["cause"]) for one in found] == [
        ("rules", "apply"), ("metrics", "start"), ("ledger", "start"), ("ledger", "reset")]
    assert found[0]["summary"] == "rules: 2 added; names: 2 added"
    assert found[-1]["reason"] == "alpha to 2026-03-01T00:00:00Z: a wrong flavor"
    assert [one["kind"] for one in site.here.json("history", "--rules")] == ["rules", "metrics"]
    assert {one["cause"] for one in site.here.json("history", "--ledger", "--all")} == {"start", "reset", "rating"}
    assert len(site.here.json("history", "--scope", "beta", "--ledger")) == 1
    lines = site.here.ok("history").splitlines()
    assert lines[0].split() == ["when", "who", "change", "cause", "what", "why"]
    assert len(lines) == 2 + len(found)
    rows = list(csv.DictReader(io.StringIO(site.here.ok("history", "--csv"))))
    assert [row["cause"] for row in rows] == ["apply", "start", "start", "reset"]


def test_nothing_is_said_to_be_nothing(site: Site) -> None:
    assert site.prepared().here.ok("history", "--begin", "2036-01-01") == "Nothing was changed then.\n"
    assert site.here("history", "--begin", "2026-02-01", "--end", "2026-01-01").code == 1
    assert "no scope is called 'x'" in site.here("history", "--scope", "x").err
