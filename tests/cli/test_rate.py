"""A backfill in the foreground."""
from __future__ import annotations

import json

import pytest

from cloudkitty_like.testing.databases import KINDS
from tests.cli.small import FIRST, LAST, Site
from tests.databases import new_database


def test_it_rates_what_is_asked_for_and_says_how_far_it_is(site: Site) -> None:
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", LAST)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "[##############################] 100%  2026-03-02T04:00:00Z  56 periods\n"
    rows = site.here.json("report", "--by", "scope")
    assert [(row["price"], row["points"], row["unpriced"]) for row in rows] == [("4", 3, 0), ("6.5", 3, 1)]


def test_once_more_changes_nothing(site: Site) -> None:
    before = site.rated().here.json("report", "--by", "scope,metric,time,flavor")
    again = site.spawn("rate", "--begin", FIRST, "--end", LAST)
    assert again.code == 0
    assert again.err == "Nothing was rated: all scopes (2) are rated up to 2026-03-02T04:00:00Z already, or further.\n"
    assert site.here.json("report", "--by", "scope,metric,time,flavor") == before
    assert site.here.json("status", "--verify")[-1]["state"] == "ok"


def test_an_earlier_begin_takes_the_scopes_back(site: Site) -> None:
    site.prepared()
    assert site.spawn("rate", "--begin", "2026-03-01T02:00", "--end", LAST).code == 0
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [2]
    assert site.spawn("rate", "--begin", FIRST, "--end", LAST).code == 0
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]


def test_what_could_not_be_rated_is_named_and_the_exit_code_says_so(site: Site) -> None:
    site.prepared()
    path = site.path / "usage.csv"
    path.write_text(path.read_text() + "2026-03-02T05:00:00Z,instance,-1e30,beta,small\n")
    ran = site.spawn("rate", "--begin", FIRST, "--end", "2026-03-02T06:00")
    assert ran.code == 1
    assert "scope 'beta': instance in" in ran.err
    assert "alpha" not in ran.err.partition("%")[2]
    assert "Traceback" not in ran.err
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]


def test_i8_m12_a_file_that_has_ended_is_finished_and_not_failing(site: Site) -> None:
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", "2026-03-02T08:00")
    assert ran.code == 0
    assert "the source ends at 2026-03-02T03:30:00Z: what was used after that is not known" in ran.err
    listed = site.here.json("scopes", "list")
    assert {(scope["state"], scope["due"]) for scope in listed} == {("ok", "2026-03-02T04:00:00Z")}
    again = site.spawn("rate", "--begin", "2026-03-02T04:00", "--end", "2026-03-02T08:00")
    assert "error" in again.err
    daemon = site.spawn("processor", "--once")
    assert (daemon.code, "WARNING" in daemon.err, "ERROR" in daemon.err) == (0, False, False), daemon.err
    assert {scope["state"] for scope in site.here.json("scopes", "list")} == {"ok"}
    # The file goes on, and so does rating.
    path = site.path / "usage.csv"
    path.write_text(path.read_text() + "2026-03-02T06:00:00Z,instance,1,beta,small\n")
    assert site.spawn("processor", "--once").code == 0
    assert {scope["due"] for scope in site.here.json("scopes", "list")} == {"2026-03-02T07:00:00Z"}


def test_i8_m12_it_says_when_it_did_nothing_and_why(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "activate", "--off", "alpha", "beta")
    ran = site.spawn("rate", "--begin", FIRST, "--end", LAST)
    assert "Nothing was rated: none of 2 scopes is rated: they are inactive" in ran.err


def test_a_source_without_scopes_is_warned_of(site: Site) -> None:
    (site.path / "usage.csv").write_text("begin,metric,quantity,project_id\n")
    ran = site.prepared().spawn("rate", "--begin", FIRST, "--end", LAST)
    assert "cloudkitty-like: warning: no scopes: nothing in the source has a label 'project_id'" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_database_is_worked_the_same_way(site: Site, kind: str) -> None:
    with new_database(kind, create=False) as database:
        site.configure(database={"connection": database.url.render_as_string(hide_password=False)})
        assert site.spawn("processor", "--once").code == 1
        if kind != "sqlite":
            assert "has no schema yet" in site.here("report").err
        site.rated()
        rows = site.here.json("report", "--by", "scope,flavor")
        assert [(*row["key"].values(), row["price"], row["unpriced"]) for row in rows] == [
            ("alpha", "small", "4", 0), ("beta", "huge", "0", 1), ("beta", "large", "2.5", 0),
            ("beta", "small", "4", 0)]
        site.here.ok("scopes", "reset", "--to", FIRST, "alpha", "beta")
        site.here.ok("scopes", "accept-empty", "--all", "--begin", LAST, "--end", "2026-03-03", "--reason", "known")
        assert site.spawn("rate", "--begin", FIRST, "--end", "2026-03-03").code == 0
        assert site.here.json("report", "--by", "scope,flavor") == rows
        assert site.here.json("status", "--verify")[-1]["state"] == "ok"
        assert site.here("dbsync", "version").code == 0


def test_it_begins_where_the_data_does_and_changes_nothing_where_there_is_none(site: Site) -> None:
    site.prepared()
    ran = site.spawn("rate", "--begin", "2026-02-01", "--end", LAST)
    assert ran.code == 0
    assert "data begins at 2026-03-01T00:00:00Z" in ran.err
    listed = json.loads(site.here.ok("scopes", "list", "--json"))
    assert {scope["state"] for scope in listed} == {"ok"}
    ran = site.spawn("rate", "--begin", "2026-01-01", "--end", "2026-02-01")
    assert ran.code == 1
    assert "no data from 2026-01-01T00:00:00Z" in ran.err
    assert json.loads(site.here.ok("scopes", "list", "--json"))[0]["due"] == listed[0]["due"]
