"""Scripts in a whole installation: kept, tried, rating, failing, corrected, explained."""
from __future__ import annotations

import json
import sqlite3

from cloudkitty_like.service import strict_yaml
from tests.cli.small import FIRST, LAST

HALF = """
for point in data["usage"]["instance"]:
    if point["groupby"]["flavor"] == "huge":
        point["rating"]["price"] = TABLE[point["groupby"]["flavor"]]
    else:
        point["rating"]["price"] /= 2
"""
GOOD = "from decimal import Decimal\n\nTABLE = {'huge': Decimal('1.23')}\n" + HALF


def rate(site):
    return site.spawn("rate", "--begin", FIRST, "--end", LAST)


def totals(site, by="scope"):
    rows = site.here.json("report", "--by", by)
    return {row["key"][by]: row["price"] for row in rows}


def states(site):
    return {one["scope"]: one for one in site.here.json("scopes", "list")}


def test_a_script_that_fails_parks_its_scope_with_its_traceback_and_nobody_else(site):
    site.prepared()
    (site.path / "half.py").write_text(HALF)
    site.here.ok("scripts", "add", site.path / "half.py", "--retroactive")
    site.here.ok("modules", "enable", "pyscripts")
    rate(site)
    found = states(site)
    assert found["alpha"]["error"] is None
    error = found["beta"]["error"]
    assert "script 'half'" in error
    assert 'File "<script half>", line 4' in error
    assert "NameError: name 'TABLE' is not defined" in error
    assert "cloudkitty_like" not in error
    assert totals(site) == {"alpha": "2"}                  # eight hours at half of 0.5
    assert "2 known, 1 with an error" in site.here("status").out

    (site.path / "half.py").write_text(GOOD)
    site.here.ok("scripts", "add", site.path / "half.py", "--retroactive", "--reason", "TABLE was missing")
    assert rate(site).code == 0
    assert states(site)["beta"]["error"] is None
    assert totals(site) == {"alpha": "2", "beta": "4.48"}       # 2 x 1.25 / 2 + 1.23 + 8 x 0.5 / 2
    told = site.here.ok("explain", "--scope", "beta", "--filter", "flavor=huge", "--json")
    (point,) = json.loads(told)["points"]
    (part,) = point["parts"]
    assert (part["module"], part["amount"]) == ("pyscripts", "1.23")
    assert (part["rule"]["name"], part["rule"]["version"]) == ("half", 2)


def test_c6_without_its_isolation_nothing_is_rated_and_what_is_missing_is_said(site):
    site.configure(rating_pyscripts={"user": "nobody-such"})
    site.prepared()
    (site.path / "good.py").write_text("pass\n")
    added = site.here("scripts", "add", site.path / "good.py")
    assert "there is no user 'nobody-such'" in added.err
    site.here.ok("modules", "enable", "pyscripts")
    ran = rate(site)
    assert ran.code != 0
    assert "[rating_pyscripts] user: there is no user 'nobody-such'" in ran.err
    assert site.here.json("report", "--by", "scope") == []


def test_c12_what_a_metric_is_stays_with_the_rules_that_rated_it(site):
    (site.path / "metrics.yml").write_text(
        "metrics: {instance: {unit: hour, groupby: [flavor], description: Hours of machines}}\n")
    site.prepared()
    (site.path / "good.py").write_text("data['usage']['instance'][0]['metadata']['seen'] = 'yes'\n")
    site.here.ok("scripts", "add", site.path / "good.py", "--retroactive")
    site.here.ok("modules", "enable", "pyscripts")
    assert rate(site).code == 0
    with sqlite3.connect(site.path / "state.sqlite") as database:
        (text,), = database.execute("select distinct text from metrics_document as d join ruleset as r "
                                    "on r.metrics = d.digest join frame as f on f.ruleset = r.version")
    database.close()
    assert strict_yaml.load(text)["metrics"]["instance"]["description"] == "Hours of machines"


def test_a_quote_is_what_is_stored_with_scripts_too(site):
    site.prepared()
    (site.path / "half.py").write_text(GOOD)
    site.here.ok("scripts", "add", site.path / "half.py", "--retroactive")
    site.here.ok("modules", "enable", "pyscripts")
    rate(site)
    hour = site.here.json("report", "--by", "scope,flavor", "--begin", FIRST, "--end", "2026-03-01T01:00")
    stored = {(row["key"]["scope"], row["key"]["flavor"]): row["price"] for row in hour}
    assert len(stored) == 3
    for (scope, flavor), price in stored.items():
        qty = {"small": "1", "large": "2", "huge": "0.5"}[flavor]
        out = site.here.ok("quote", "--metric", "instance", "--qty", qty, "--label", f"flavor={flavor}",
                           "--scope", scope, "--json")
        assert json.loads(out)["price"] == price


def test_scripts_test_shows_what_would_be_and_keeps_nothing(site):
    site.prepared()
    rate(site)
    (site.path / "free.py").write_text(
        "print('looking')\nfor p in data['usage']['instance']: p['rating']['price'] = 0\n")
    out = site.here.ok("scripts", "test", site.path / "free.py", "--begin", "2026-03-01", "--end", "2026-03-01T01:00")
    assert "printed by free:\n    looking\n" in out
    assert out.count("instance  hour") == 2
    assert "pyscripts  script free: 1 at 0.5 became 1 at 0" in out
    assert site.here.json("scripts", "list") == []
    (site.path / "free.py").write_text("x = (\n")
    assert site.here("scripts", "test", site.path / "free.py").err == (
        f"cloudkitty-like: error: {site.path / 'free.py'}: line 1: '(' was never closed\n")
    (site.path / "free.py").write_text("data['usage']['instance'][0]['rating']['price'] = 0.1\n")
    assert "point 1: its price is 0.1, a float" in site.here("scripts", "test", site.path / "free.py").err


def test_scripts_test_says_where_nothing_is_rated(site):
    site.prepared()
    (site.path / "s.py").write_text("pass\n")
    assert "nothing is rated yet" in site.here("scripts", "test", site.path / "s.py").err
    rate(site)
    nowhere = site.here("scripts", "test", site.path / "s.py", "--begin", "2025-01-01", "--end", "2025-01-02")
    assert "nothing is rated there" in nowhere.err
    assert "give both or neither" in site.here("scripts", "test", site.path / "s.py", "--begin", "2025-01-01").err
    assert "no scope is called 'gamma'" in site.here("scripts", "test", site.path / "s.py", "--scope", "gamma").err


def test_i8_m1_a_script_and_a_rule_of_now_are_in_a_quote_of_now(site):
    site.prepared()
    asked = ("quote", "--metric", "instance", "--qty", "2", "--label", "flavor=small")
    assert site.here.json(*asked)["price"] == "1"
    (site.path / "rules.yml").write_text("services: {instance: [{field: flavor, value: small, cost: 3}]}\n")
    site.here.ok("rules", "apply", site.path / "rules.yml")
    assert site.here.json(*asked)["price"] == "6"
    (site.path / "half.py").write_text(HALF)
    site.here.ok("scripts", "add", site.path / "half.py")
    site.here.ok("modules", "enable", "pyscripts")
    site.here.ok("modules", "priority", "hashmap", "9")
    assert site.here.json(*asked)["price"] == "3"
    assert site.here.json(*asked, "--at", "2020-01-01")["price"] == "1"
