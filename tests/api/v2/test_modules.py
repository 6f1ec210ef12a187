"""``/v2/rating/modules``."""
from __future__ import annotations

import pytest
from sqlalchemy import select

from cloudkitty_like.db.tables import rule_change
from tests.api.site import Site

URL = "/v2/rating/modules"
NOOP = {"module_id": "noop", "description": "Prices nothing.", "enabled": False, "hot_config": False, "priority": 1}


def test_modules_are_listed_by_name_with_an_underscore(site: Site):
    found = site.get(URL)["modules"]
    assert [one["module_id"] for one in found] == ["hashmap", "noop", "pyscripts"]
    assert found[1] == site.get(f"{URL}/noop") == NOOP
    assert "bogus" in site.wrong("GET", f"{URL}/bogus", status=404)


@pytest.mark.parametrize(("body", "after"), [
    ({"enabled": True}, {"enabled": True}), ({"enabled": "on", "priority": 7}, {"enabled": True, "priority": 7}),
    ({"priority": -1}, {"priority": -1}), ({"enabled": "no"}, {}), ({}, {})])
def test_a_change_is_204_without_a_body(site: Site, body, after):
    for _ in range(2):
        assert site.ask("PUT", f"{URL}/noop", body) == (204, None)
        assert "Content-Type" not in site.last.headers
        assert site.get(f"{URL}/noop") == NOOP | after


@pytest.mark.parametrize(("name", "body", "status"), [
    ("noop", {"odd": 1}, 400), ("noop", {"priority": 1.5}, 400), ("noop", {"enabled": "perhaps"}, 400),
    ("noop", {"priority": 2**31}, 400), ("bogus", {"enabled": True}, 404)])
def test_what_is_wrong_with_a_change_is_said(site: Site, name, body, status):
    site.wrong("PUT", f"{URL}/{name}", body, status=status)
    assert site.get(f"{URL}/noop") == NOOP


def test_s9_they_are_for_admins(site: Site):
    for method, url in (("GET", URL), ("GET", f"{URL}/noop"), ("PUT", f"{URL}/noop")):
        site.wrong(method, url, {}, user="alice", status=403)


def test_who_has_changed_a_module_is_recorded(site: Site):
    site.ask("PUT", f"{URL}/noop", {"enabled": True})
    with site.database.read() as tx:
        change = tx.execute(select(rule_change)).one()
    assert (change.author, change.cause) == ("root", "api")
