"""``/v1/rating``, and the same as ``/v1/billing``: modules, reload, quotes."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.rule import Rule
from tests.api.site import Site

HASHMAP = {"module_id": "hashmap", "description": "HashMap rating module.", "enabled": True,
           "hot-config": True, "priority": 1}
PYSCRIPTS = {"module_id": "pyscripts", "description": "PyScripts rating module.", "enabled": False,
             "hot-config": True, "priority": 1}
NOOP = {"module_id": "noop", "description": "Dummy test module.", "enabled": False, "hot-config": False, "priority": 1}
each_name = pytest.mark.parametrize("root", ["/v1/rating", "/v1/billing"])
each_slash = pytest.mark.parametrize("slash", ["", "/"])


def quoted(site: Site, *resources, user="root"):
    return site.ok("POST", "/v1/rating/quote", {"resources": list(resources)}, user)


def wanted(volume, service="vcpu", **desc):
    return {"service": service, "volume": volume, "desc": desc}


# --- modules ------------------------------------------------------------------------------------

@each_name
@each_slash
def test_modules_are_listed_by_name_with_a_hyphen(site: Site, root, slash):
    assert site.get(f"{root}/modules{slash}") == {"modules": [HASHMAP, NOOP, PYSCRIPTS]}
    assert site.get(f"{root}/modules/noop{slash}") == NOOP
    site.wrong("GET", f"{root}/modules/bogus{slash}", status=404)


@each_name
@each_slash
def test_a_change_is_302_to_the_same_url_with_null(site: Site, root, slash):
    status, body = site.ask("PUT", f"{root}/modules/noop{slash}", {"module_id": "noop", "enabled": True})
    assert (status, body, site.last.body) == (302, None, b"null")
    assert site.last.headers["Location"] == f"http://localhost{root}/modules/noop"
    assert site.last.content_type == "application/json"
    assert site.get(f"{root}/modules/noop")["enabled"] is True


def test_the_id_may_be_in_the_body_alone(site: Site):
    assert site.ask("PUT", "/v1/rating/modules", {"module_id": "noop", "priority": -3})[0] == 302
    assert site.last.headers["Location"] == "http://localhost/v1/rating/modules/noop"
    assert site.get("/v1/rating/modules/noop")["priority"] == -3


def test_a_whole_object_can_be_put_back(site: Site):
    before = site.get("/v1/rating/modules/hashmap")
    assert site.ask("PUT", "/v1/rating/modules/hashmap", before | {"description": "mine", "priority": 7})[0] == 302
    assert site.get("/v1/rating/modules/hashmap") == HASHMAP | {"priority": 7}


@pytest.mark.parametrize(("body", "status"), [
    ({"module_id": "noop", "bogus": 1}, 400), ({"module_id": "noop", "priority": "high"}, 400),
    ({"module_id": "noop", "priority": 2**31}, 400), ({"module_id": "bogus"}, 404)])
def test_what_is_wrong_with_a_change_is_said(site: Site, body, status):
    site.wrong("PUT", "/v1/rating/modules", body, status=status)


@each_name
@each_slash
def test_s12_what_has_no_configuration_says_so_to_admins(site: Site, root, slash):
    for method in ("GET", "POST", "PUT"):
        url = f"{root}/module_config/noop{slash}"
        assert site.wrong(method, url, {}, status=409) == "Module is not configurable"
        site.wrong(method, url, {}, user="alice", status=403)
    site.wrong("GET", f"{root}/module_config/noop/deeper{slash}", status=404)
    site.wrong("GET", f"{root}/module_config/bogus{slash}", status=404)


@each_name
@each_slash
def test_scripts_are_for_admins_and_under_both_names(site: Site, root, slash):
    url = f"{root}/module_config/pyscripts/scripts"
    assert site.get(f"{url}{slash}") == site.get(f"{url}{slash}?no_data=true") == {"scripts": []}
    body = {"name": "s", "data": "a = 0"}
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/42"), ("PUT", "/42"), ("DELETE", "/42")):
        sent = {} if method in ("GET", "DELETE") else body
        site.wrong(method, f"{url}{path}{slash}", sent, user="alice", status=403)
    made = site.ok("POST", f"{url}{slash}", body)
    assert (made["created_by"], site.get(f"{url}/{made['script_id']}{slash}")) == ("root", made)
    assert site.wrong("GET", f"{url}/42{slash}", status=404) == "No such script: None (UUID: 42)"
    assert site.wrong("GET", f"{root}/module_config/pyscripts{slash}", status=405) == "this URL answers no method"


@pytest.mark.parametrize(("method", "url"), [
    ("GET", "modules"), ("GET", "modules/noop"), ("PUT", "modules/noop"), ("GET", "reload_modules")])
@each_name
def test_modules_are_for_admins(site: Site, root, method, url):
    site.wrong(method, f"{root}/{url}", {"module_id": "noop"}, user="alice", status=403)


@each_name
@each_slash
def test_c25_reload_is_204_and_rules_are_read_as_they_are_without_it(site: Site, root, slash):
    assert quoted(site, wanted(2)) == "0"
    site.rules(Rule(service="vcpu", cost=Decimal("0.5")))
    assert quoted(site, wanted(2)) == "1.0"
    assert site.ask("GET", f"{root}/reload_modules{slash}") == (204, None)
    assert site.ask("PUT", "/v1/rating/modules/hashmap", {"module_id": "hashmap", "enabled": False})[0] == 302
    assert quoted(site, wanted(2)) == "0"


# --- quotes -------------------------------------------------------------------------------------

@pytest.fixture
def priced(site: Site) -> Site:
    site.rules(Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.5"), scope="bob", group="flavors"),
               Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.1"), group="flavors"),
               Rule(service="vcpu", field="image", value="linux", cost=Decimal("0.000000000001")),
               Rule(service="disk", cost=Decimal(3)))
    return site


def test_c26_descriptions_may_be_nested_or_flat(priced: Site):
    flat = wanted(3, flavor="small", image="linux")
    nested = wanted(3, groupby={"flavor": "small"}, metadata={"image": "linux"})
    assert quoted(priced, flat) == quoted(priced, nested) == "0.300000000003"
    assert quoted(priced, wanted(3, flavor="large")) == "0"


def test_c26_a_scopes_own_rule_holds_for_it(priced: Site):
    assert quoted(priced, wanted(2, flavor="small"), user="alice") == "0.2"
    assert quoted(priced, wanted(2, flavor="small"), user="bob") == "1.0"
    assert quoted(priced, wanted(2, flavor="small", project_id="bob")) == "1.0"
    assert quoted(priced, wanted(2, groupby={"flavor": "small", "project_id": "bob"}),
                  wanted(1, groupby={"flavor": "small", "project_id": "alice"})) == "1.1"
    assert quoted(priced, wanted(2, metadata={"project_id": "bob"}, flavor="small")) == "1.0"


def test_another_ones_scope_is_not_quoted(priced: Site):
    body = {"resources": [wanted(1, flavor="small"), wanted(1, flavor="small", project_id="bob")]}
    priced.wrong("POST", "/v1/rating/quote", body, user="alice", status=403)
    assert quoted(priced, wanted(1, flavor="small", project_id="alice"), user="alice") == "0.1"
    assert quoted(priced, wanted(1, flavor="small"), user="nobody") == "0.1"


@pytest.mark.parametrize(("volume", "text"), [("0.1", "0.3"), (0.1, "0.3"), (2, "6.0"), ("1E-3", "0.003"), (0, "0.0")])
def test_a_price_is_text_that_looks_like_a_number_with_a_point(priced: Site, volume, text):
    assert quoted(priced, wanted(volume, service="disk")) == text


@each_name
@each_slash
def test_everybody_may_ask_for_nothing(site: Site, root, slash):
    assert site.ok("POST", f"{root}/quote{slash}", {"resources": []}, "guest") == "0"


@pytest.mark.parametrize(("body", "texts"), [
    ({}, ["resources: is required"]), ({"resources": None}, ["resources: is required"]),
    ({"resources": {}}, ["resources: {} is not a list"]), ({"resources": [7]}, ["resources: [0]: 7 is not an object"]),
    ({"resources": [{}, wanted("x")]},
     ["resources: [0]: service: is required", "resources: [0]: volume: is required",
      "resources: [1]: volume: 'x' is not a number"]),
    ({"resources": [wanted(1) | {"odd": 1, "desc": []}]},
     ["resources: [0]: odd: there is no such member", "resources: [0]: desc: [] is not an object"]),
    ({"resources": [wanted(1, flavor=["a"])]}, ["resources: [0]: desc.flavor: ['a'] is not a text"]),
    ({"resources": [wanted(1, service="")]}, ["resources: [0]: service: is empty"]),
    ({"resources": [wanted("1e15")]}, ["1E+15 is out of range: a point stays below 10^15 in size"]),
    ({"resources": [], "odd": 1}, ["odd: there is no such argument"])])
def test_c29_what_is_wrong_with_a_quote_is_said_and_where(site: Site, body, texts):
    assert site.wrong("POST", "/v1/rating/quote", body).splitlines() == texts


def test_s19_a_quote_has_a_greatest_length(site: Site):
    assert "more than 10000" in site.wrong("POST", "/v1/rating/quote", {"resources": [{}] * 10_001})


def test_labels_are_read_as_they_would_have_been_collected(site: Site):
    site.rules(Rule(service="vcpu", field="cores", value="8", cost=Decimal(1), group="cores"),
               Rule(service="vcpu", field="on", value="True", cost=Decimal(10)))
    assert quoted(site, wanted(1, cores=8.0, on=True, none=None)) == "11.0"


def test_i8_m1_a_mapping_that_is_made_now_is_in_the_quote_of_now(site: Site):
    hashmap = "/v1/rating/module_config/hashmap"
    service = site.ok("POST", f"{hashmap}/services", {"name": "vcpu"})
    site.ok("POST", f"{hashmap}/mappings", {"service_id": service["service_id"], "cost": "0.5"})
    assert quoted(site, wanted(3)) == "1.5"
    site.now += timedelta(minutes=1)
    assert quoted(site, wanted(3)) == "1.5"
    assert site.ok("POST", "/v1/rating/quote", {"at": "2026-11-20T12:29:59Z", "resources": [wanted(3)]}) == "0"


def test_i8_m2_nothing_that_matches_is_a_plain_zero_and_no_error(priced: Site):
    assert quoted(priced, wanted(3, "no_such_metric")) == "0"
    assert quoted(priced, wanted(3, "no_such_metric"), wanted(1, "disk")) == "3.0"
    # What the metric does not read is looked at all the same, as CloudKitty does.
    assert quoted(priced, wanted(3, "disk", colour="red")) == "9.0"
    told = priced.ok("POST", "/v1/rating/quote", {"explain": True, "resources": [wanted(3, "no_such_metric")]})
    assert (told["price"], told["resources"][0]["unpriced"]) == ("0", True)


# --- explained ----------------------------------------------------------------------------------

def test_a_quote_says_on_request_what_makes_it(site: Site):
    site.rules(Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.5"), name="small ones"),
               Rule(service="vcpu", cost=Decimal("0.1"), group="all"))
    found = site.ok("POST", "/v1/rating/quote?decimal=string", {"explain": True, "resources": [
        wanted(3, flavor="small"), wanted(1, "bogus")]})
    assert found["price"] == "1.8"
    small, bogus = found["resources"]
    assert (small["price"], small["unpriced"], bogus["price"], bogus["unpriced"]) == ("1.8", False, "0", True)
    (point,) = small["points"]
    assert [(part["amount"], part["what"], part["rule"]["name"]) for part in point["parts"]] == [
        ("1.5", "mapping flavor=small: 0.5 x 3 h", "small ones"),
        ("0.3", "mapping vcpu in group all: 0.1 x 3 h", "")]
    assert (point["rounding"], bogus["points"][0]["parts"]) == ("0", [])
