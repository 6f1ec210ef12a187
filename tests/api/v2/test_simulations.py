"""``/v2/rating/simulations``: what other rules would have made of it."""
from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty_like.domain.rule import Rule
from tests.api.site import Site

URL = "/v2/rating/simulations"
MONTH = {"begin": "2026-11-01", "end": "2026-12-01"}
RULES = "services: {vcpu: [{field: flavor, value: small, cost: 1}, {field: flavor, value: large, cost: 2.25}]}"


def test_the_difference_is_told_by_scope_and_metric_and_in_total(site: Site):
    found = site.ok("POST", f"{URL}?decimal=string", MONTH | {"rules": RULES})
    assert [(row["scope"], row["type"], row["stored"]["price"], row["candidate"]["price"], row["difference"])
            for row in found["results"]] == [
        ("alice", "disk", "0.000000000001", "0", "-0.000000000001"), ("alice", "vcpu", "3.75", "5.25", "1.5"),
        ("bob", "vcpu", "8", "11.5", "3.5")]
    assert found["total"]["difference"] == "4.999999999999"
    assert (found["total"]["stored"]["unpriced"], found["total"]["candidate"]["unpriced"]) == (1, 2)
    assert found["failed"] == []


def test_without_rules_it_is_by_those_of_now_and_of_the_scopes_asked_for(site: Site):
    site.rules(Rule(service="vcpu", cost=Decimal(1)))
    found = site.ok("POST", URL, MONTH | {"scope_ids": ["bob"]})
    assert [(row["scope"], row["candidate"]["price"]) for row in found["results"]] == [("bob", 9)]
    assert site.ok("POST", URL, MONTH | {"scope_ids": ["nobody"]})["results"] == []


def test_more_points_than_the_service_allows_are_refused(site: Site):
    site.conf.set_override("simulation_points", 3, "api")
    site.with_use_cases()
    assert "there are 6 points, more than the 3" in site.wrong("POST", URL, MONTH)


@pytest.mark.parametrize(("body", "said"), [
    ({"rules": "services: {vcpu: [{cots: 1}]}"}, "rules: line 1: vcpu[0].cots: is not known"),
    ({"rules": 7}, "rules: 7 is not a text"),
    ({"scripts": [{"name": "s"}]}, "scripts: [0]: data: is required"),
    ({"scripts": [{"name": "s", "data": "x", "order": "first"}]}, "order: 'first' is not a whole number"),
    ({"scripts": {}}, "scripts: {} is not a list"),
    ({"begin": "2026-12-01", "end": "2026-11-01"}, "end: it is not after begin")])
def test_what_is_wrong_is_named(site: Site, body, said: str):
    assert said in site.wrong("POST", URL, MONTH | body)


def test_only_admins_may_by_default(site: Site):
    for user in ("alice", "bob", "guest"):
        assert site.ask("POST", URL, MONTH, user)[0] == 403
