"""Explanations, quotes and trials as a person asks for them."""
from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest

from tests.cli.small import FIRST, LAST, Site
from tests.commands import Here

DAY = ("--begin", "2026-10-05", "--end", "2026-10-06")


@pytest.fixture
def here(sample, capsys) -> Here:
    return Here(capsys, "--state", sample[0])


def test_the_parts_of_every_point_add_up_to_its_price_in_every_form(here) -> None:
    found = here.json("explain", *DAY, "--scope", "shop", "--limit", "1000")
    assert found["total"] == len(found["points"]) > 100
    lines = list(csv.DictReader(io.StringIO(here.ok("explain", *DAY, "--scope", "shop", "--limit", "1000", "--csv"))))
    by_point: dict[tuple[str, ...], Decimal] = {}
    for line in lines:
        key = line["begin"], line["metric"], line["labels"], line["price"]
        by_point[key] = by_point.get(key, Decimal(0)) + Decimal(line["amount"])
    assert len(by_point) == len(found["points"])
    assert all(amount == Decimal(key[3] or 0) for key, amount in by_point.items())
    for one in found["points"]:
        parts = sum(Decimal(part["amount"]) for part in one["parts"])
        assert parts + Decimal(one["rounding"]) == Decimal(one["price"] or 0)
        assert one["reproduced"]
    assert sum(Decimal(one["price"]) for one in found["points"]) == sum(
        Decimal(row["price"]) for row in here.json("report", *DAY, "--scope", "shop"))


def test_pages_go_on_where_the_last_line_says(here) -> None:
    out = here.ok("explain", *DAY, "--scope", "website", "--metric", "instance", "--limit", "20")
    assert "20 of 24 points; the following ones: --after " in out
    rest = here.ok("explain", *DAY, "--scope", "website", "--metric", "instance", "--after", out.split()[-1])
    assert rest.count("mapping flavor=m1.small: 0.021 x 1 hour") == 4


def test_c51_an_unpriced_point_is_told_as_one(here) -> None:
    out = here.ok("explain", "--filter", "flavor=g1.large", "--limit", "1")
    assert "    unpriced  no rule met it\n" in out


def test_nothing_is_said_to_be_nothing_and_what_is_wrong_is_named(here) -> None:
    assert here.ok("explain", "--metric", "nothing") == "Nothing is recorded of that.\n"
    for wrong, said in ((("--scope", "nobody"), "no scope is called 'nobody'"), (("--after", "x"), "the cursor is not"),
                        (("--limit", "0"), "a page has a limit of 1 or more"), (("--filter", "x"), "--filter: 'x'"),
                        (("--as-of", "99999"), "--as-of: the ledger has no change 99999")):
        ran = here("explain", *wrong)
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err


# --- quotes ---------------------------------------------------------------------------------------

def test_c26_a_quote_is_by_the_rules_of_the_scope_and_the_time(here) -> None:
    asked = ("quote", "--metric", "instance", "--qty", "10", "--label", "flavor=c1.large")
    assert here.json(*asked) == {"price": "1.2", "resources": [{"price": "1.2"}]}
    assert here.json(*asked, "--scope", "laboratory")["price"] == "0.9"
    assert here.json(*asked, "--at", "2020-01-01")["price"] == "1.2"
    (one,) = here.json(*asked, "--explain")["resources"]
    assert (one["price"], one["points"][0]["parts"][0]["what"]) == ("1.2", "mapping flavor=c1.large: 0.12 x 10 hour")
    assert here.json("quote", "--metric", "instance", "--qty", "1")["resources"] == [{"price": None}]


def test_many_are_quoted_from_a_file(here, tmp_path) -> None:
    file = tmp_path / "quote.json"
    file.write_text(json.dumps({"resources": [
        {"service": "instance", "volume": "0.1", "desc": {"flavor": "m1.small"}},
        {"service": "floating_ip", "volume": 2}]}))
    out = here.ok("quote", "--file", file)
    assert [line.split()[-1] for line in out.splitlines()[2:]] == ["0.0021", "0.008", "0.0101"]
    assert here.ok("quote", "--file", file, "--explain").endswith("\ntotal 0.0101\n")


def test_a_quote_that_makes_no_sense_is_refused(here, tmp_path) -> None:
    file = tmp_path / "quote.json"
    file.write_text('[{"service": 7}]')
    for wrong, said in (((), "--metric: is required"), (("--metric", "m"), "--qty: is required"),
                        (("--metric", "m", "--qty", "much"), "--qty: 'much' is not a number"),
                        (("--metric", "m", "--qty", "1", "--label", "x"), "--label: 'x' is not LABEL=VALUE"),
                        (("--file", file, "--qty", "1"), "--file: give either it"),
                        (("--file", file), f"{file}: [0]: volume: is required"),
                        (("--file", "no-such.json"), "no-such.json: No such file")):
        ran = here("quote", *wrong)
        assert (ran.code, ran.out) == (1, ""), ran
        assert said in ran.err


# --- what if --------------------------------------------------------------------------------------

def test_a_trial_tells_the_difference_and_stores_nothing(site: Site) -> None:
    site.rated()
    before = site.here.json("report")
    new = site.path / "new.yml"
    new.write_text("services: {instance: [{field: flavor, value: small, cost: 1}, {cost: 0.5, group: all}]}\n")
    found = site.here.json("whatif", new, "--begin", FIRST, "--end", LAST)
    assert {row["scope"]: (row["stored"]["price"], row["candidate"]["price"], row["difference"])
            for row in found["results"]} == {"alpha": ("4", "12", "8"), "beta": ("6.5", "13.25", "6.75")}
    assert (found["total"]["difference"], found["failed"]) == ("14.75", {})
    assert (found["total"]["stored"]["unpriced"], found["total"]["candidate"]["unpriced"]) == (1, 0)
    assert site.here.json("report") == before
    assert site.here.json("whatif", site.path / "rules.yml", "--begin", FIRST, "--end", LAST)["total"][
        "difference"] == "0"
    assert site.here.ok("whatif", "--begin", "2025-01-01", "--end", "2025-01-02") == "Nothing is recorded of that.\n"


def test_a_scope_that_cannot_be_rated_is_named_and_what_is_wrong_too(site: Site) -> None:
    site.rated()
    new = site.path / "new.yml"
    new.write_text("services: {instance: [{field: flavor, level: 1, cost: 1}]}\n")
    ran = site.here("whatif", new, "--begin", FIRST, "--end", LAST)
    assert ran.code == 1
    assert "scope 'alpha': cannot be rated by them: " in ran.err
    new.write_text("services: {instance: [{cots: 1}]}\n")
    ran = site.here("whatif", new, "--begin", FIRST, "--end", LAST)
    assert (ran.code, "line 1: instance[0].cots: is not known" in ran.err) == (1, True)
    ran = site.here("whatif", "--begin", FIRST, "--end", LAST, "--scope", "nobody")
    assert (ran.code, "no scope is called 'nobody'" in ran.err) == (1, True)
