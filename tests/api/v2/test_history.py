"""``/v2/history``: who has changed what."""
from __future__ import annotations

from datetime import timedelta

from tests.api.site import Site

URL = "/v2/history"


def test_changes_are_told_the_newest_first_and_in_pages(site: Site):
    site.ok("PUT", "/v2/rating/modules/noop", {"priority": 3})
    site.now += timedelta(minutes=1)
    site.ok("PUT", "/v2/scope", {"scope_id": ["alice"], "last_processed_timestamp": "2026-11-10"})
    found = site.get(URL)
    assert found["total"] == len(found["results"]) >= 2
    newest = found["results"][0]
    assert (newest["kind"], newest["cause"], newest["author"]) == ("ledger", "reset", "root")
    assert [one["at"] for one in found["results"]] == sorted((one["at"] for one in found["results"]), reverse=True)
    assert site.get(URL, offset=1, limit=1)["results"] == found["results"][1:2]


def test_they_can_be_chosen(site: Site):
    site.ok("PUT", "/v2/rating/modules/noop", {"priority": 3})
    rules = site.get(URL, kind="rules")["results"]
    assert [(one["kind"], one["summary"], one["author"]) for one in rules] == [("rules", "modules: noop added", "root")]
    everything = site.get(URL, kind="ledger", everything="true", decimal="string")["results"]
    assert "rating" in {one["cause"] for one in everything}
    assert all(isinstance(one["price"], str | None) for one in everything)
    assert site.get(URL, kind="ledger", begin="2030-01-01") == {"total": 0, "results": []}
    alice = site.get(URL, kind="ledger", everything="true", scope_id="alice")["results"]
    assert 0 < len(alice) < len(everything)


def test_what_is_wrong_is_said(site: Site):
    assert "'bogus'" in site.wrong("GET", f"{URL}?scope_id=bogus", status=404)
    assert "kind" in site.wrong("GET", f"{URL}?kind=bogus")
    site.wrong("GET", URL, user="alice", status=403)
