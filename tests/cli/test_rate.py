"""A backfill in the foreground."""
from __future__ import annotations

from tests.cli.small import FIRST, LAST, Site


def test_it_rates_what_is_asked_for_and_says_how_far_it_is(site: Site) -> None:
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", LAST)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "[##############################] 100%  2026-03-02T04:00:00Z  56 periods\n"
    rows = site.here.json("report", "--by", "scope")
    assert [(row["price"], row["points"], row["unpriced"]) for row in rows] == [("4", 3, 0), ("6.5", 3, 1)]


def test_once_more_changes_nothing(site: Site) -> None:
    before = site.rated().here.json("report", "--by", "scope,metric,time,flavor")
    again = site.spawn("rate", "--begin", FIRST, "--end", LAST)
    assert (again.code, again.err) == (0, "")
    assert site.here.json("report", "--by", "scope,metric,time,flavor") == before
    assert site.here.json("status", "--verify")[-1]["state"] == "ok"


def test_an_earlier_begin_takes_the_scopes_back(site: Site) -> None:
    site.prepared()
    assert site.spawn("rate", "--begin", "2026-03-01T02:00", "--end", LAST).code == 0
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [2]
    assert site.spawn("rate", "--begin", FIRST, "--end", LAST).code == 0
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]


def test_what_could_not_be_rated_is_named_and_the_exit_code_says_so(site: Site) -> None:
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", "2026-03-02T05:00")
    assert ran.code == 1
    assert "scope 'alpha': the source has no sign of life in 2026-03-02T04:00:00Z" in ran.err
    assert "Traceback" not in ran.err
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]


def test_a_source_without_scopes_is_warned_of(site: Site) -> None:
    (site.path / "usage.csv").write_text("begin,metric,quantity,project_id\n")
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", LAST)
    assert "cloudkitty-like: warning: no scopes: nothing in the source has a label 'project_id'" in ran.err
