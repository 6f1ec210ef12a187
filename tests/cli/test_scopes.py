"""Scopes: how far they are, what is wrong with them, and what an operator does about it."""
from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.scope_state import SOURCE, ScopeFailure
from tests.cli.small import LAST, Site


def states(site: Site) -> dict[str, tuple[str, str | None]]:
    return {scope["scope"]: (scope["state"], scope["last_period"]) for scope in site.here.json("scopes", "list")}


def test_what_is_known_of_every_scope_is_listed(site: Site) -> None:
    site.rated()
    assert states(site) == dict.fromkeys(("alpha", "beta"), ("ok", "2026-03-02T03:00:00Z"))
    table = [line.split() for line in site.here.ok("scopes", "list").splitlines()]
    assert table[0] == ["scope", "state", "last", "period", "lag"]
    assert [line[:3] for line in table[2:]] == [[scope, "ok", "2026-03-02T03:00:00Z"] for scope in ("alpha", "beta")]


def test_an_error_is_told_once_below_the_table_with_what_can_be_done(site: Site) -> None:
    site.rated()
    now = datetime.now(UTC)
    with closing(Database(f"sqlite:///{site.path}/state.sqlite")) as database, database.write() as tx:
        rows.fail(tx, [ScopeFailure(state.id, state.due, SOURCE, "it is silent\nscopes accept-empty",
                                    now + timedelta(hours=1)) for state in rows.everything(tx)], now)
    out = site.here.ok("scopes", "list")
    assert out.count("it is silent") == 1
    assert "\nalpha, beta:\n  it is silent\n  scopes accept-empty\n" in out
    assert {state for state, _ in states(site).values()} == {"failing"}
    assert "0 scopes" not in site.here.ok("scopes", "retry", "--all")
    assert {state for state, _ in states(site).values()} == {"ok"}


def test_what_is_accepted_as_empty_beyond_the_end_of_the_source_is_not_rated(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "accept-empty", "alpha", "--begin", LAST, "--end", "2026-03-02T06:00",
                 "--reason", "moved")
    site.spawn("processor", "--once")
    assert states(site) == dict.fromkeys(("alpha", "beta"), ("ok", "2026-03-02T03:00:00Z"))
    assert [row["points"] for row in site.here.json("report", "--by", "scope")] == [3, 3]
    (hole,) = site.here.json("scopes", "holes")
    assert (hole["scope"], hole["kind"]) == ("alpha", "accepted")


def test_a_scope_is_rated_again_from_where_it_is_reset_to(site: Site) -> None:
    site.rated()
    before = site.here.json("report")
    assert "2026-03-01T01:00:00Z" in site.here.ok("scopes", "reset", "--to", "2026-03-01T01:25", "alpha")
    assert states(site)["alpha"] == ("ok", "2026-03-01T00:00:00Z")
    assert site.here.json("report") == before
    site.spawn("rate", "--begin", "2026-03-01T01:00", "--end", LAST)
    assert site.here.json("report") == before


def test_a_scope_can_be_left_alone(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "activate", "--off", "beta")
    assert states(site)["beta"][0] == "inactive"
    site.here.ok("scopes", "activate", "beta")
    assert states(site)["beta"][0] == "ok"


def test_a_scope_that_is_found_and_not_begun_is_new(site: Site) -> None:
    site.prepared()
    assert site.here.json("scopes", "list") == []
    assert site.here.ok("scopes", "list").splitlines()[0].split() == ["scope", "state", "last", "period", "lag"]


def test_i8_small_one_scope_is_one_scope(site: Site) -> None:
    site.rated()
    assert site.here.ok("scopes", "reset", "--to", "2026-03-01T01:00", "alpha").startswith("1 scope will be ")
    assert site.here.ok("scopes", "reset", "--to", "2026-03-01T01:00", "--all").startswith("2 scopes will be ")


def test_i8_m13_a_reset_to_a_later_time_skips_and_is_told_everywhere(site: Site) -> None:
    site.rated()
    refused = site.here("scopes", "reset", "alpha", "--to", "2026-03-02T08:00")
    assert (refused.code, refused.out) == (1, "")
    assert "reason: alpha would not be rated up to 2026-03-02T08:00:00Z: say why" in refused.err
    out = site.here.ok("scopes", "reset", "alpha", "--to", "2026-03-02T08:00", "--reason", "moved")
    assert "rated from 2026-03-02T08:00:00Z on, and not before:" in out
    assert "2026-03-02T04:00:00Z to 2026-03-02T08:00:00Z is skipped, of alpha" in out
    assert states(site) == dict.fromkeys(("alpha", "beta"), ("ok", "2026-03-02T03:00:00Z"))
    table = site.here.ok("scopes", "list").splitlines()
    assert "not rated" in table[0]
    assert table[2].endswith("4 skipped")
    (listed, other) = site.here.json("scopes", "list")
    assert (listed["holes"], other["holes"]) == (
        [{"begin": "2026-03-02T04:00:00Z", "end": "2026-03-02T08:00:00Z", "kind": "skipped"}], [])
    (hole,) = site.here.json("scopes", "holes")
    assert (hole["scope"], hole["kind"], hole["reason"]) == ("alpha", "skipped", "alpha to 2026-03-02T08:00:00Z: moved")
    assert "skipped" in site.here.ok("scopes", "holes")
    history = site.here.ok("history", "--scope", "alpha")
    assert "1 scope skipped in 2026-03-02T04:00:00Z to 2026-03-02T08:00:00Z" in history
    site.here.ok("scopes", "reset", "alpha", "--to", "2026-03-02T06:00")
    assert site.here.json("scopes", "list")[0]["holes"][0]["end"] == "2026-03-02T06:00:00Z"


def test_i8_m13_a_reset_beyond_what_is_complete_is_refused(site: Site) -> None:
    site.rated()
    refused = site.here("scopes", "reset", "--all", "--to", "2999-01-01", "--reason", "why")
    assert refused.code == 1
    assert "is beyond the last period that is complete, which ends at" in refused.err


def test_i8_m10_no_hole_is_no_column(site: Site) -> None:
    site.rated()
    assert site.here.ok("scopes", "holes") == "There are no holes.\n"
    assert site.here.json("scopes", "holes") == []


def test_i8_small_a_reset_names_the_period_that_it_took(site: Site) -> None:
    site.rated()
    assert site.here.ok("scopes", "reset", "--to", "2026-03-01T01:25", "alpha") == (
        "2026-03-01T01:25:00Z is in the period from 2026-03-01T01:00:00Z to 2026-03-01T02:00:00Z.\n"
        "1 scope will be rated again from 2026-03-01T01:00:00Z on.\n")


def test_i8_small_a_dry_run_of_a_reset_says_what_it_would_do_and_does_nothing(site: Site) -> None:
    site.rated()
    before = site.here.json("scopes", "list"), site.here.json("history")
    out = site.here.ok("scopes", "reset", "--to", "2026-03-01T01:25", "--all", "--dry-run")
    assert "2 scopes will be rated again from 2026-03-01T01:00:00Z on." in out
    assert [line.split() for line in out.splitlines()[4:6]] == [
        ["alpha", "2026-03-02T04:00:00Z", "go", "back", "27"], ["beta", "2026-03-02T04:00:00Z", "go", "back", "27"]]
    ahead = site.here.ok("scopes", "reset", "--to", "2026-03-02T06:00", "alpha", "--dry-run")
    assert "2026-03-02T04:00:00Z to 2026-03-02T06:00:00Z" in ahead
    assert "go forward" in ahead
    assert ahead.endswith("Nothing was changed: a dry run.\n")
    after = site.here.json("scopes", "list"), site.here.json("history")
    for scopes, _ in (before, after):
        for scope in scopes:
            scope.pop("lag_seconds")
    assert after == before
    assert "no scope is called 'x'" in site.here("scopes", "reset", "--to", "2026-03-01", "x", "--dry-run").err


def test_i8_small_activating_says_what_it_did(site: Site) -> None:
    site.rated()
    assert site.here.ok("scopes", "activate", "--off", "beta") == "beta will be left alone from now on.\n"
    assert site.here.ok("scopes", "activate", "--off", "beta") == (
        "beta: nothing has changed; it was left alone already.\n")
    assert site.here.ok("scopes", "activate", "beta", "alpha") == (
        "beta will be rated, from 2026-03-02T04:00:00Z on.\nalpha: nothing has changed; it is active already.\n")


def test_i8_small_scopes_are_listed_by_their_state(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "activate", "--off", "beta")
    assert [one["scope"] for one in site.here.json("scopes", "list", "--only", "inactive")] == ["beta"]
    assert [one["scope"] for one in site.here.json("scopes", "list", "--only", "inactive", "--only", "ok")] == [
        "alpha", "beta"]
    assert "beta" not in site.here.ok("scopes", "list", "--only", "ok")
    assert "there is no 'okay'; did you mean 'ok'?" in site.here("scopes", "list", "--only", "okay").err
