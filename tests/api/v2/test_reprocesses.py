"""``/v2/task/reprocesses``: asking for periods to be rated again."""
from __future__ import annotations

import pytest
from sqlalchemy import update

from cloudkitty_like.db.ledger.tasks import add_totals
from cloudkitty_like.db.tables import reprocess_task
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.period import parse_instant
from cloudkitty_like.domain.task import TaskTotals
from tests.api.site import Site

URL = "/v2/task/reprocesses"


def wish(scope_ids="alice", start="2026-11-01T00:00:00", end="2026-11-01T05:00:00+00:00", reason="new rules"):
    return {"scope_ids": scope_ids, "start_reprocess_time": start, "end_reprocess_time": end, "reason": reason}


def listed(site: Site, path="", **query):
    return [one["scope_id"] for one in site.get(URL + path, **query)["results"]]


def test_a_request_is_202_and_is_listed_with_both_begins(site: Site):
    assert site.get(URL) == {"results": []}
    assert site.ask("POST", URL, wish()) == (202, {})
    assert site.get(URL) == {"results": [{
        "scope_id": "alice", "reason": "new rules", "start_reprocess_time": "2026-11-01T00:00:00",
        "end_reprocess_time": "2026-11-01T05:00:00", "current_reprocess_time": "",
        # What CloudKitty does not have:
        "id": 1, "quantities": "source", "undoes": None, "state": "waiting", "error": None, "author": "root",
        "periods": 6, "periods_done": 0, "periods_changed": 0, "periods_left_alone": 0, "totals": []}]}


def test_c2_the_end_is_the_begin_of_the_last_period(site: Site):
    site.ok("POST", URL, wish(end="2026-11-01T00:00:00"))
    with site.database.read() as tx:
        (row,) = tx.execute(reprocess_task.select())
    assert row.end - row.begin == parse_instant("2026-11-01T01:00:00") - parse_instant("2026-11-01T00:00:00")
    assert "waiting already" in site.wrong("POST", URL, wish(end="2026-11-01T00:00:00"))
    site.ok("POST", URL, wish(start="2026-11-01T01:00:00", end="2026-11-01T01:00:00"))


def test_progress_is_the_begin_of_the_last_period_rated_again(site: Site):
    site.ok("POST", URL, wish())
    for due, current in (("2026-11-01T00:00:00", ""), ("2026-11-01T03:00:00", "2026-11-01T02:00:00"),
                         ("2026-11-01T06:00:00", "2026-11-01T05:00:00")):
        with site.database.write() as tx:
            tx.execute(update(reprocess_task).values(due=seconds(parse_instant(due))))
        assert site.get(URL)["results"][0]["current_reprocess_time"] == current


def test_the_newest_is_first_unless_asked_otherwise_and_in_pages(site: Site):
    site.ok("POST", URL, wish(["bob", "alice"]))
    site.ok("POST", URL, wish("carol"))
    assert listed(site) == listed(site, order="DESC") == ["carol", "alice", "bob"]
    assert listed(site, order="asc") == ["bob", "alice", "carol"]
    assert listed(site, order="Asc", limit=1, offset=1) == ["alice"]
    assert listed(site, offset=9) == []
    for query in ("order=up", "limit=0", "offset=-1", "bogus=1"):
        site.wrong("GET", f"{URL}?{query}")


def test_those_of_some_scopes_and_the_path_counts_more_than_the_query(site: Site):
    site.ok("POST", URL, wish("ALL"))
    assert listed(site, order="asc") == ["alice", "bob", "carol"]
    assert listed(site, scope_ids="alice,carol", order="asc") == ["alice", "carol"]
    assert listed(site, scope_ids=["alice", "carol"]) == ["carol", "alice"]
    assert listed(site, "/bob") == listed(site, "/bob", scope_ids="alice") == ["bob"]
    assert listed(site, "/bogus") == []


def test_all_is_every_active_scope(site: Site):
    site.ok("PATCH", "/v2/scope", {"scope_id": "bob", "active": False})
    site.ok("POST", URL, wish("ALL"))
    assert listed(site, order="asc") == ["alice", "carol"]


def test_c48_an_end_before_the_start_says_both_the_right_way_round(site: Site):
    text = site.wrong("POST", URL, wish(start="2026-11-02T00:00:00", end="2026-11-01T00:00:00"))
    assert text == "end_reprocess_time: 2026-11-01T00:00:00Z is before start_reprocess_time, 2026-11-02T00:00:00Z"


def test_times_that_begin_no_period_are_told_the_nearest_that_do(site: Site):
    text = site.wrong("POST", URL, wish(start="2026-11-01T00:30:00", end="2026-11-01T01:45:00", reason=" "))
    assert text.splitlines() == [
        "reason: is empty",
        "start_reprocess_time: 2026-11-01T00:30:00Z is not the begin of a rating period; 2026-11-01T00:00:00Z is",
        "end_reprocess_time: 2026-11-01T01:45:00Z is not the begin of a rating period; 2026-11-01T01:00:00Z is"]


@pytest.mark.parametrize(("body", "said"), [
    (wish("ALL,alice"), "either ALL or ids"), (wish(["alice", "bogus"]), "'bogus'"), (wish(reason=""), "reason"),
    (wish(""), "scope_ids"), (wish([]), "scope_ids"), (wish(start="2026-11-01T00:10:00"), "2026-11-01T00:00:00Z is"),
    (wish(end="2026-11-20T10:00:00"), "not rated up to 2026-11-20T11:00:00Z"), (wish(end="soon"), "end_reprocess_time"),
    ({}, "scope_ids: is required"), (wish() | {"odd": 1}, "odd"), (wish(reason=["a"]), "reason"),
    (wish(end="9999-12-31T23:00:00"), "out of range")])
def test_what_is_wrong_is_said_and_nothing_is_asked_for(site: Site, body, said):
    assert said in site.wrong("POST", URL, body)
    assert listed(site) == []


def test_a_scope_that_is_switched_off_is_not_rated_again(site: Site):
    site.ok("PATCH", "/v2/scope", {"scope_id": "bob", "active": False})
    assert "no active scope is called 'bob'" in site.wrong("POST", URL, wish("bob"))


def test_the_last_rated_period_can_be_rated_again(site: Site):
    site.ok("POST", URL, wish(start="2026-11-20T09:00:00", end="2026-11-20T09:00:00"))


def done(site: Site, number=1):
    """As a worker leaves it, with one period at another price."""
    with site.database.write() as tx:
        tx.execute(update(reprocess_task).where(reprocess_task.c.id == number).values(
            due=reprocess_task.c.end, ended_at=site.now, changed=1))
        before, after = Amounts(1, 0, 2, 0, 3, 1), Amounts(1, 0, 2, 500_000_000_000, 3, 0)
        add_totals(tx, {number: TaskTotals({("vcpu", "h"): before}, {("vcpu", "h"): after})})


def test_what_a_task_came_to_is_told(site: Site):
    site.ok("POST", URL, wish() | {"quantities": "stored"})
    done(site)
    (task,) = site.get(URL, decimal="string")["results"]
    assert (task["state"], task["quantities"]) == ("done", "stored")
    assert (task["periods_done"], task["periods_changed"]) == (6, 1)
    assert task["totals"] == [{
        "metric": "vcpu", "unit": "h", "before": {"qty": "1", "price": "2", "points": 3, "unpriced": 1},
        "after": {"qty": "1", "price": "2.5", "points": 3, "unpriced": 0}}]


def test_c52_a_task_can_be_ended_once(site: Site):
    site.ok("POST", URL, wish())
    assert site.ask("DELETE", f"{URL}/1")[0] == 204
    assert site.get(URL)["results"][0]["state"] == "cancelled"
    assert "cancelled already" in site.wrong("DELETE", f"{URL}/1", status=409)
    assert "no task 7" in site.wrong("DELETE", f"{URL}/7", status=404)
    assert "whole number" in site.wrong("DELETE", f"{URL}/alice")
    site.ok("POST", URL, wish())


def test_a_task_can_be_undone_by_another(site: Site):
    site.ok("POST", URL, wish())
    assert "has not ended" in site.wrong("POST", f"{URL}/1/undo", {"reason": "why"})
    done(site)
    assert "reason" in site.wrong("POST", f"{URL}/1/undo", {})
    assert site.ask("POST", f"{URL}/1/undo", {"reason": "a mistake"}) == (202, {"id": 2})
    task = site.get(URL)["results"][0]
    assert (task["id"], task["undoes"], task["quantities"], task["reason"]) == (2, 1, "undo", "a mistake")
    assert "is undone by task 2" in site.wrong("POST", f"{URL}/1/undo", {"reason": "again"})


def test_it_is_for_admins(site: Site):
    for method, url in (("GET", URL), ("GET", f"{URL}/alice"), ("POST", URL), ("DELETE", f"{URL}/1"),
                        ("POST", f"{URL}/1/undo")):
        site.wrong(method, url, {}, user="alice", status=403)
