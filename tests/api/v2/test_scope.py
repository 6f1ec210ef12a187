"""``/v2/scope``: which scopes there are, how far each is rated, and from where it is to be rated again."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.domain.scope import Scope
from tests.api.site import DUE, NOW, Site

URL = "/v2/scope"
ALICE = {"scope_id": "alice", "scope_key": "project_id", "fetcher": "finder", "collector": "reader",
         "last_processed_timestamp": "2026-11-20T09:00:00+00:00", "state": "2026-11-20T09:00:00+00:00", "active": True,
         "scope_activation_toggle_date": "2026-11-20T12:30:00+00:00"}
T = "last_processed_timestamp"


def names(site: Site, **query):
    return [row["scope_id"] for row in site.get(URL, **query)["results"]]


# --- reading ------------------------------------------------------------------------------------

def test_a_scope_says_the_begin_of_its_last_rated_period(site: Site):
    assert site.get(URL, scope_id="alice") == {"results": [ALICE]}
    assert site.get(URL, scope_id="carol")["results"][0][T] is None


def test_scopes_are_listed_by_id_in_pages(site: Site):
    assert names(site) == ["alice", "bob", "carol"]
    assert names(site, limit=2) == ["alice", "bob"]
    assert names(site, offset=2, limit=2) == ["carol"]
    site.wrong("GET", f"{URL}?offset=3", status=404)
    for query in ("limit=0", "offset=-1", "limit=x"):
        site.wrong("GET", f"{URL}?{query}")


def test_filters_are_lists_that_all_have_to_fit(site: Site):
    site.scope("dave", fetcher="other")
    assert names(site, scope_id="alice,dave") == names(site, scope_id=["alice", "dave"]) == ["alice", "dave"]
    assert names(site, fetcher="other", scope_id="alice,dave") == ["dave"]
    assert names(site, collector="reader", scope_key="project_id,tenant", fetcher="finder") == ["alice", "bob", "carol"]
    site.wrong("GET", f"{URL}?scope_id=bogus", status=404)
    site.wrong("GET", f"{URL}?bogus=1")


@pytest.mark.parametrize(("active", "found"), [
    ("1", ["bob", "carol"]), ("true", ["bob", "carol"]), ("0", ["alice"]), ("false", ["alice"]),
    ("0,1", ["alice", "bob", "carol"])])
def test_active_ones_and_others(site: Site, active, found):
    site.ok("PATCH", URL, {"scope_id": "alice", "active": False})
    assert names(site, active=active) == found


# --- resetting ----------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [
    {"scope_id": "alice", T: "2026-11-01T00:00:00Z"}, {"scope_id": ["alice"], "state": "2026-11-01T00:59:59"},
    {"scope_id": "alice,bogus", T: "20261101T003000Z", "fetcher": "finder"}])
def test_c1_a_reset_rates_the_period_again_that_holds_the_time(site: Site, body):
    assert site.ask("PUT", URL, body) == (202, {})
    assert site.state("alice").due == datetime(2026, 11, 1, tzinfo=UTC)
    assert site.state("bob").due == DUE
    assert site.get(URL, scope_id="alice")["results"][0][T] == "2026-10-31T23:00:00+00:00"


def test_all_scopes_are_reset_but_those_switched_off(site: Site):
    site.ok("PATCH", URL, {"scope_id": "carol", "active": False})
    assert site.ask("PUT", URL, {"all_scopes": True, T: "2026-11-02"}) == (202, {})
    assert [site.state(name).due.day for name in ("alice", "bob", "carol")] == [2, 2, 20]
    site.wrong("PUT", URL, {"scope_id": "carol", T: "2026-11-02"}, status=404)


def test_c23_more_than_a_hundred_scopes_are_reset(site: Site):
    with site.database.write() as tx:
        added = rows.register(tx, [Scope(f"many-{number:04}", "project_id", "finder", "reader")
                                   for number in range(700)], NOW)
        rows.start(tx, {DUE: [state.id for state in rows.named(tx, added)]})
    assert site.ask("PUT", URL, {"all_scopes": True, T: "2026-11-02"}) == (202, {})
    assert {state.due for state in site.scopes.states()} == {datetime(2026, 11, 2, tzinfo=UTC)}


@pytest.mark.parametrize(("body", "status"), [
    ({T: "2026-11-02"}, 400), ({"all_scopes": False, T: "2026-11-02"}, 400),
    ({"all_scopes": True, "scope_id": "alice", T: "2026-11-02"}, 400), ({"scope_id": "alice"}, 400),
    ({"scope_id": "alice", T: "soon"}, 400), ({"scope_id": "alice", T: "2026-11-02", "state": "2026-11-03"}, 400),
    ({"scope_id": "bogus", T: "2026-11-02"}, 404), ({"scope_id": "alice", "fetcher": "other", T: "2026-11-02"}, 404),
    ({"scope_id": "alice", T: "2026-12-01"}, 400), ({}, 400)])
def test_what_is_wrong_with_a_reset_is_said_and_nothing_is_reset(site: Site, body, status):
    site.wrong("PUT", URL, body, status=status)
    assert {state.due for state in site.scopes.states()} == {DUE}


def test_json_without_a_body_is_400(site: Site):
    site.wrong("PUT", URL, b"")


# --- changing -----------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "active"), [
    (False, False), ("false", False), ("no", False), (0, False), ("0", False), (True, True), ("yes", True)])
def test_c27_a_patch_with_false_is_false(site: Site, value, active):
    assert site.ok("PATCH", URL, {"scope_id": "alice", "active": value}) == ALICE | {"active": active}
    assert site.state("alice").active is active


def test_a_toggle_has_its_date(site: Site):
    site.now = NOW.replace(hour=15)
    found = site.ok("PATCH", URL, {"scope_id": "alice", "active": False})
    assert found["scope_activation_toggle_date"] == "2026-11-20T15:30:00+00:00"
    site.now = NOW.replace(hour=16)
    assert site.ok("PATCH", URL, {"scope_id": "alice", "active": False}) == found


def test_c22_a_scope_keeps_its_progress_whatever_reads_it(site: Site):
    found = site.ok("PATCH", URL, {"scope_id": "alice", "collector": "new", "fetcher": "other", "scope_key": ""})
    assert found == ALICE | {"collector": "new", "fetcher": "other"}
    assert site.state("alice").due == DUE


@pytest.mark.parametrize(("body", "status"), [
    ({"scope_id": "bogus", "active": True}, 404), ({"active": True}, 400), ({"scope_id": "alice", "active": "?"}, 400),
    ({"scope_id": "alice", "collector": "x" * 65}, 400), ({"scope_id": ["alice"]}, 400),
    ({"scope_id": "alice", T: "2026-11-01"}, 400)])
def test_what_is_wrong_with_a_patch_is_said(site: Site, body, status):
    site.wrong("PATCH", URL, body, status=status)
    assert site.get(URL, scope_id="alice") == {"results": [ALICE]}


# --- making -------------------------------------------------------------------------------------

def test_c24_a_scope_needs_no_names_and_can_be_listed_and_changed_then(site: Site):
    made = site.ok("POST", URL, {"scope_id": "new", T: "2026-11-01T05:30:00Z"})
    assert made == ALICE | {"scope_id": "new", **dict.fromkeys((T, "state"), "2026-11-01T05:00:00+00:00")}
    assert site.state("new").due == datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert names(site) == ["alice", "bob", "carol", "new"]
    assert site.ok("PATCH", URL, {"scope_id": "new", "active": False})["active"] is False


def test_a_scope_with_names_and_switched_off(site: Site):
    made = site.ok("POST", URL, {"scope_id": "new", T: "2026-11-01", "scope_key": "tenant", "fetcher": "f",
                                 "collector": "c", "active": "false"})
    assert (made["scope_key"], made["fetcher"], made["collector"], made["active"]) == ("tenant", "f", "c", False)


@pytest.mark.parametrize("active", [True, False])
def test_c24_a_second_one_of_its_id_is_409_whether_it_is_switched_on_or_off(site: Site, active):
    site.ok("PATCH", URL, {"scope_id": "alice", "active": active})
    assert "alice" in site.wrong("POST", URL, {"scope_id": "alice", T: "2026-11-01"}, status=409)
    assert names(site) == ["alice", "bob", "carol"]
    assert site.state("alice").due == DUE


@pytest.mark.parametrize("body", [
    {"scope_id": "new"}, {T: "2026-11-01"}, {"scope_id": "", T: "2026-11-01"}, {"scope_id": "x" * 256, T: "2026-11-01"},
    {"scope_id": "a\0b", T: "2026-11-01"}, {"scope_id": 7, T: "2026-11-01"}, {"scope_id": "new", T: "then"},
    {"scope_id": "new", T: "9999-12-31T23:59:59"}, {"scope_id": "new", T: "2026-11-01", "odd": 1}])
def test_what_is_wrong_with_a_new_scope_is_said(site: Site, body):
    site.wrong("POST", URL, body)
    assert names(site) == ["alice", "bob", "carol"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST"])
def test_it_is_for_admins_and_that_is_looked_at_first(site: Site, method):
    site.wrong(method, URL, {"bogus": 1}, user="alice", status=403)


# --- skipping -----------------------------------------------------------------------------------

def test_i8_m13_all_scopes_are_taken_to_a_time_whichever_side_of_it_they_are_on(site: Site):
    site.ok("PUT", URL, {"scope_id": "bob", T: "2026-11-20T08:00:00Z"})
    status, body = site.ask("PUT", URL, {"all_scopes": True, T: "2026-11-20T09:00:00Z"})
    assert status == 202
    assert {state.due.hour for state in site.scopes.states()} == {9}
    assert body == {"warnings": ["2026-11-20T08:00:00Z to 2026-11-20T09:00:00Z is skipped, of bob"]}


def test_i8_m13_a_reset_to_a_later_time_skips_and_says_so(site: Site):
    status, body = site.ask("PUT", URL, {"all_scopes": True, T: "2026-11-20T12:00:00Z", "reason": "moved"})
    assert (status, body) == (202, {
        "warnings": ["2026-11-20T10:00:00Z to 2026-11-20T12:00:00Z is skipped, of alice, bob, carol"]})
    assert {state.due.hour for state in site.scopes.states()} == {12}
    entry = site.get("/v2/history", kind="ledger")["results"][0]
    assert (entry["author"], entry["cause"]) == ("root", "skip")
    assert entry["reason"] == "alice, bob, carol to 2026-11-20T12:00:00Z: moved"
    assert "3 scopes skipped in" in entry["summary"]


def test_i8_m13_a_reset_beyond_the_last_complete_period_is_400(site: Site):
    body = site.wrong("PUT", URL, {"all_scopes": True, T: "2026-11-20T13:00:00Z"})
    assert "beyond the last period that is complete, which ends at 2026-11-20T12:00:00Z" in str(body)
    assert {state.due for state in site.scopes.states()} == {DUE}


def test_i8_m16_no_scope_at_all_is_refused_in_cloudkittys_words(site: Site):
    when = {"last_processed_timestamp": "2026-11-01T00:00:00"}
    assert site.wrong("PUT", URL, when) == "Either all_scopes or a scope_id should be specified."
    assert site.wrong("PUT", URL, when | {"all_scopes": True, "scope_id": "alice"}) == (
        "all_scopes and scope_id cannot be given both")
