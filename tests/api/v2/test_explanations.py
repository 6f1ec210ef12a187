"""``/v2/explanations``: what made each price, for whoever may see the point."""
from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.service.pricing import rulesets
from tests.api.site import NOW, Site

WINDOW = {"begin": "2026-11-01", "end": "2026-12-01"}
RULES = (Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.5"), name="small ones"),
         Rule(service="vcpu", field="flavor", value="large", cost=Decimal("2.25")),
         Rule(service="disk", cost=Decimal("0.0000000000001")))


@pytest.fixture
def priced(site: Site) -> Site:
    """The site, and the rules that made its prices, at the rule-set version that its frames name."""
    site.rules(*RULES)
    with site.database.read() as tx:
        change = rules.latest(tx)
    assert change == 1
    version = rulesets.current(site.database, metrics=site.metrics.text, digest=site.metrics.digest, software="0",
                               now=NOW)
    assert version.version == 1
    return site


def test_a_point_is_explained_by_its_rule_and_who_made_it(priced: Site):
    found = priced.get("/v2/explanations", **WINDOW, filters="project_id:alice,type:vcpu", decimal="string", limit=2)
    assert found["total"] == 3
    large, small = found["explanations"]
    assert small["rating"] == {"price": "1.5"}
    assert [(part["amount"], part["what"], part["rule"]["name"]) for part in small["parts"]] == [
        ("1.5", "mapping flavor=small: 0.5 x 3 h", "small ones")]
    rule = small["parts"][0]["rule"]
    assert (rule["kind"], rule["version"], rule["author"], rule["start"]) == ("mapping", 1, "tester", None)
    assert (small["rounding"], small["difference"], small["reproduced"]) == ("0", "0", True)
    assert small["period"]["begin"] == "2026-11-01T00:00:00+00:00"
    assert small["rated"]["modules"] == ["hashmap"]
    assert (small["rated"]["ruleset"], small["rated"]["origin"], small["scope"]) == (1, "collected", "alice")
    assert large["parts"][0]["amount"] == "2.25"
    (last,) = priced.get(found["next"].partition("http://localhost")[2])["explanations"]
    assert (last["rating"], last["parts"]) == ({"price": "0", "unpriced": True}, [])


def test_parts_rounding_and_difference_add_up_to_every_price(priced: Site):
    found = priced.get("/v2/explanations", begin="2025-01-01", end="2027-01-01", decimal="string")
    assert len(found["explanations"]) == found["total"] == 8
    for one in found["explanations"]:
        parts = sum(Decimal(part["amount"]) for part in one["parts"])
        assert parts + Decimal(one["rounding"]) + Decimal(one["difference"]) == Decimal(one["rating"]["price"])
    disk = next(one for one in found["explanations"] if one["type"] == "disk")
    assert (disk["parts"][0]["amount"], disk["rounding"], disk["reproduced"]) == ("0.000000000001", "0", True)


def test_a_projects_user_is_told_of_its_own_points_alone(priced: Site):
    for user, scope, total in (("alice", "alice", 4), ("bob", "bob", 2), ("root", None, 6)):
        found = priced.get("/v2/explanations", user, **WINDOW)
        assert found["total"] == total
        assert scope is None or {one["scope"] for one in found["explanations"]} == {scope}
    assert priced.get("/v2/explanations", "alice", **WINDOW, filters="project_id:bob") == {
        "total": 0, "explanations": [], "left_out": []}
    assert priced.ask("GET", "/v2/explanations", user="guest")[0] == 403


@pytest.mark.parametrize(("query", "said"), [
    ("limit=1001", "limit: 1001 is not from 1 to 1000"), ("after=bogus", "cursor"), ("as_of=99", "as_of: the ledger"),
    ("filters=x", "filters: 'x' is not key:value")])
def test_what_is_wrong_is_named(priced: Site, query: str, said: str):
    assert said in priced.wrong("GET", f"/v2/explanations?{query}")


def test_without_the_rule_set_version_the_reason_is_told(site: Site):
    (one, *_) = site.get("/v2/explanations", **WINDOW, decimal="string")["explanations"]
    assert (one["parts"], one["difference"], one["reproduced"]) == ([], one["rating"]["price"], False)
    assert one["rated"]["problem"] == "there is no rule-set version 1"
