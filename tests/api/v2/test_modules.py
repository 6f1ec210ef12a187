"""``/v2/rating/modules``."""
from __future__ import annotations

import pytest
from sqlalchemy import select

from cloudkitty_like import plugin
from cloudkitty_like.db.rules import modules
from cloudkitty_like.db.rules.modules import ModuleSetting
from cloudkitty_like.db.tables import rule_change
from cloudkitty_like.domain.change import Change
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.rule_changes.change_log import recorded
from tests.api.site import Site

URL = "/v2/rating/modules"
NOOP = {"module_id": "noop", "description": "Dummy test module.", "enabled": False, "hot_config": False, "priority": 1}


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


def test_i8_m16_descriptions_and_an_unknown_module_are_in_cloudkittys_words(site: Site):
    described = {one["module_id"]: one["description"] for one in site.get(URL)["modules"]}
    assert described == {"hashmap": "HashMap rating module.", "noop": "Dummy test module.",
                         "pyscripts": "PyScripts rating module."}
    for method, body in (("GET", {}), ("PUT", {"enabled": True})):
        assert site.wrong(method, f"{URL}/x", body, status=404) == "Module 'x' not found"
        assert site.wrong(method, "/v1/rating/modules/x", body | {"module_id": "x"}, status=404) == "Module not found."


def decided(site: Site, name: str, enabled: bool) -> None:
    """What somebody decided about a module when it was still installed."""
    recorded(site.database, Change(site.now, "tester", "cli"),
             lambda tx, number: modules.record(tx, number, name, ModuleSetting(enabled, 3)))


def test_i8_m17_a_module_that_cannot_be_loaded_is_the_services_fault(site: Site):
    decided(site, "gone", enabled=False)
    text = site.wrong("PUT", f"{URL}/gone", {"enabled": True}, status=503)
    assert "no rating is called 'gone'" in text
    assert "gone" in site.wrong("PUT", "/v1/rating/modules/gone", {"module_id": "gone", "enabled": True}, status=503)
    decided(site, "gone", enabled=True)
    tariffs = Tariffs(site.database, lambda name: plugin.load_class("rating", name)())
    site.with_use_cases(tariffs=tariffs, rating=lambda: (1, tariffs.latest()[1]))
    wanted = {"resources": [{"service": "vcpu", "volume": 1, "desc": {}}]}
    for url, body in (("/v1/rating/quote", wanted), ("/v2/rating/simulations", {"begin": "2026-11-01"}),
                      ("/v2/rating/simulations", {"begin": "2026-11-01", "rules": "services: {}"})):
        assert site.ask("POST", url, body)[0] == 503, url
