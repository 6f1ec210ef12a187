"""Who changed what, from the command line."""
from __future__ import annotations

import csv
import io

import pytest

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


def test_i8_small_the_table_fits_the_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.rated()
    site.here.ok("scopes", "reset", "--to", "2026-03-01", "--reason", "a flavor was wrong for weeks " * 5, "alpha")
    wide = site.here.ok("history")
    assert max(map(len, wide.splitlines())) > 150          # not on a terminal: a line for each change
    monkeypatch.setenv("COLUMNS", "100")
    lines = site.here.ok("history").splitlines()
    assert max(map(len, lines)) <= 100
    why = "".join(line[lines[0].index("why"):].strip() + " " for line in lines[-10:])
    assert "a flavor was wrong for weeks a flavor was wrong for weeks" in " ".join(why.split())
    assert site.here.ok("history", "--csv").count("\n") == 5


def test_i8_small_the_newest_changes_alone(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "reset", "--to", "2026-03-01", "--reason", "again", "alpha")
    assert [one["reason"][-5:] for one in site.here.json("history", "--last", "1")] == ["again"]
    assert len(site.here.json("history", "--last", "99")) == 4
    assert "argument --last: '0' is no number of changes" in site.here("history", "--last", "0").err
