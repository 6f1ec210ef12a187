"""``/v1/collector``: what CloudKitty's clients write and read back."""
from __future__ import annotations

import pytest

from tests.api.site import Site

PAIR = {"service": "compute", "collector": "gnocchi"}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_root_is_an_empty_answer_and_asks_a_rule_too(site: Site, slash):
    assert site.ask("GET", f"/v1/collector{slash}") == (204, None)
    assert "Content-Type" not in site.last.headers
    site.wrong("GET", f"/v1/collector{slash}", user="alice", status=403)


def test_a_mapping_is_made_with_200_listed_replaced_and_removed(site: Site):
    assert site.ask("POST", "/v1/collector/mappings", PAIR) == (200, PAIR)
    assert site.ask("POST", "/v1/collector/mappings/prometheus/compute") == (200, PAIR | {"collector": "prometheus"})
    assert site.get("/v1/collector/mappings") == {"mappings": [PAIR | {"collector": "prometheus"}]}
    assert site.get("/v1/collector/mappings", collector="gnocchi") == {"mappings": []}
    assert site.ask("DELETE", "/v1/collector/mappings/compute") == (204, None)
    assert site.wrong("GET", "/v1/collector/mappings/compute", status=404) == "No mapping for service: compute"
    site.wrong("DELETE", "/v1/collector/mappings/compute", status=404)


def test_a_mapping_needs_both_names(site: Site):
    assert site.wrong("POST", "/v1/collector/mappings", {"service": "compute"}) == "collector: is required"
    assert site.wrong("POST", "/v1/collector/mappings", {"service": "", "collector": "x" * 256})


@pytest.mark.parametrize("url", ["/v1/collector/states/gnocchi", "/v1/collector/gnocchi/states",
                                 "/v1/collector/states/gnocchi/"])
def test_a_state_is_off_and_never_404_until_it_is_switched(site: Site, url):
    assert site.get(url) == {"name": "gnocchi", "enabled": False}
    assert site.ask("PUT", url, {"enabled": True, "name": "gnocchi"}) == (200, {"name": "gnocchi", "enabled": True})
    assert site.get(url)["enabled"]
    assert site.ok("PUT", f"{url}?enabled=false") == {"name": "gnocchi", "enabled": False}
    assert site.wrong("PUT", url, {}) == "enabled: is required"


@pytest.mark.parametrize(("method", "url"), [
    ("GET", "mappings"), ("GET", "mappings/x"), ("POST", "mappings/a/b"), ("DELETE", "mappings/x"),
    ("GET", "states/x"), ("PUT", "states/x")])
def test_it_is_for_admins(site: Site, method, url):
    site.wrong(method, f"/v1/collector/{url}", {"enabled": True}, user="alice", status=403)
