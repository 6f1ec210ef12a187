"""What was used and what it costs, in every form in which it is asked for."""
from __future__ import annotations

import csv
import io
import json
import subprocess
from decimal import Decimal

import pytest

from cloudkitty_like.cli.streams import CLOSED_PIPE
from tests.cli.small import Site
from tests.commands import Here, command


@pytest.fixture
def here(sample, capsys) -> Here:
    return Here(capsys, "--state", sample[0])


def test_the_forms_of_a_report_hold_the_same(here) -> None:
    rows = here.json("report")
    table = [line.split() for line in here.ok("report").splitlines()]
    assert table[0] == ["scope", "metric", "unit", "quantity", "price", "points", "unpriced"]
    written = list(csv.DictReader(io.StringIO(here.ok("report", "--csv"))))
    assert len(rows) == len(written) == 18
    for row, line, cells in zip(rows, written, table[2:], strict=False):
        same = [row["key"]["scope"], row["key"]["metric"], row["unit"], row["qty"], row["price"], str(row["points"]),
                str(row["unpriced"])]
        assert list(line.values()) == same == cells


@pytest.mark.parametrize("by", ["", "scope", "metric", "day", "time", "flavor", "scope,day,flavor", "metric,id"])
def test_the_total_is_the_same_however_it_is_split(here, by: str) -> None:
    rows = here.json("report", "--by", by)
    assert sum(Decimal(row["price"]) for row in rows) == Decimal("816.497146654993")
    assert (sum(row["points"] for row in rows), sum(row["unpriced"] for row in rows)) == (16915, 78)
    assert {tuple(row["key"]) for row in rows} == {tuple(filter(None, by.split(",")))}


def test_the_days_of_a_window_are_those_of_the_month(here) -> None:
    month = {row["key"]["day"]: row for row in here.json("report", "--by", "day")}
    window = here.json("report", "--by", "day", "--begin", "2026-10-10", "--end", "2026-10-13")
    assert [row["key"]["day"] for row in window] == ["2026-10-10", "2026-10-11", "2026-10-12"]
    assert [month[row["key"]["day"]] for row in window] == window
    assert here.json("report", "--by", "day", "--begin", "2026-10-31") == [month["2026-10-31"]]
    assert here.json("report", "--by", "day", "--end", "2026-10-02T00:00:00Z") == [month["2026-10-01"]]


def test_an_offset_is_taken_into_account(here) -> None:
    window = here.json("report", "--begin", "2026-10-10T02:00+02:00", "--end", "2026-10-10T23:00-01:00")
    assert window == here.json("report", "--begin", "2026-10-10", "--end", "2026-10-11")


def test_dates_at_the_ends_of_the_calendar_are_dates(here) -> None:
    assert here.json("report", "--begin", "0001-01-01", "--end", "9999-12-31") == here.json("report")
    assert here.json("report", "--begin", "9999-12-31") == []


def test_a_window_of_less_than_a_day_is_that_window(here) -> None:
    (row,) = here.json("report", "--by", "", "--begin", "2026-10-05T10:00", "--end", "2026-10-05T12:00")
    hours = here.json("report", "--by", "time", "--begin", "2026-10-05", "--end", "2026-10-06")
    assert row["points"] == sum(hour["points"] for hour in hours if hour["key"]["time"][11:13] in ("10", "11"))
    assert here.json("report", "--end", "0001-01-01") == here.json("report", "--begin", "9999-12-31") == []


def test_it_can_be_narrowed(here) -> None:
    everything = here.json("report")
    assert here.json("report", "--scope", "shop", "--metric", "volume") == [
        row for row in everything if row["key"] == {"scope": "shop", "metric": "volume"}]
    flavors = here.json("report", "--by", "flavor", "--filter", "flavor=m1.small", "--filter", "flavor=g1.large")
    assert [row["key"]["flavor"] for row in flavors] == ["g1.large", "m1.small"]
    assert flavors[0]["price"] == "0"


def test_unpriced_points_are_not_free_of_mention(here) -> None:
    assert "78 of 16915 points have no price: no rule met them." in here.ok("report")
    assert "no price" not in here.ok("report", "--scope", "shop")


def test_a_label_that_nobody_has_is_said_to_be_one(here) -> None:
    ran = here("report", "--by", "metric,flavour")
    assert ran.code == 0
    assert ran.err == "cloudkitty-like: warning: --by flavour: no point in this answer has such a label\n"


def test_nothing_is_not_a_table_of_nothing(here) -> None:
    assert here.ok("report", "--metric", "nothing") == "Nothing is recorded of that.\n"
    assert here.json("report", "--metric", "nothing") == []
    assert here.ok("report", "--metric", "nothing", "--csv").count("\n") == 1


def test_the_past_can_be_asked_as_it_was(site: Site) -> None:
    site.rated()
    before = site.here.json("report")
    (site.path / "rules.yml").write_text("services: {instance: [{cost: 10}]}")
    site.here.ok("rules", "apply", site.path / "rules.yml", "--retroactive")
    site.here.ok("scopes", "reset", "--to", "2026-03-01", "alpha", "--reason", "new prices")
    last = max(change for change in range(1, 200) if site.here("report", "--as-of", str(change)).code == 0)
    assert site.spawn("rate", "--begin", "2026-03-01", "--end", "2026-03-02T04:00").code == 0
    assert site.here.json("report", "--as-of", str(last)) == before
    assert [row["price"] for row in site.here.json("report", "--by", "scope")] == ["80", "6.5"]
    assert site.here.json("report", "--as-of", "2999-01-01") == site.here.json("report")
    assert site.here("report", "--as-of", "2000-01-01").err.startswith("cloudkitty-like: error: the ledger has no")


def test_a_reader_that_has_seen_enough_is_no_error_of_ours(sample) -> None:
    with subprocess.Popen(command("--state", sample[0], "report", "--by", "scope,metric,id,time", "--csv"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as report:
        assert report.stdout is not None
        assert report.stderr is not None
        assert report.stdout.readline().startswith(b"scope,metric,id,time,")
        report.stdout.close()
        assert report.stderr.read() == b""
        assert report.wait() == CLOSED_PIPE


def test_i8_m10_what_is_not_in_the_figures_is_said_beside_them(site: Site) -> None:
    site.rated()
    before = site.here.json("report")
    site.here.ok("scopes", "reset", "alpha", "--to", "2026-03-02T08:00", "--reason", "moved")
    missing = "2026-03-02T04:00:00Z to 2026-03-02T08:00:00Z is skipped, of alpha"
    assert missing in site.here.ok("report")
    for form in ("--json", "--csv"):
        ran = site.here("report", form)
        assert ran.code == 0
        assert ran.err == f"cloudkitty-like: warning: not in these figures: {missing}\n"
        assert "skipped" not in ran.out
    assert json.loads(site.here("report", "--json").out) == before
    assert "2026-03-02T06:00:00Z to 2026-03-02T08:00:00Z" in site.here.ok("report", "--begin", "2026-03-02T06:00")
    for elsewhere in (("--end", "2026-03-02T04:00"), ("--scope", "beta"), ("--as-of", "3")):
        assert "skipped" not in site.here.ok("report", *elsewhere)
