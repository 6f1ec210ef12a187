"""Is all well?  The exit code says it to programs."""
from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.cli.small import Site
from tests.commands import Here, Ran, started


def checks(site: Site, *options: str) -> tuple[int, dict[str, tuple[str, str]]]:
    ran = site.here("status", "--json", *options)
    return ran.code, {check["check"]: (check["state"], check["detail"]) for check in json.loads(ran.out)}


def test_all_is_well(site: Site) -> None:
    code, found = checks(site.rated(), "--verify")
    assert code == 0
    assert found["ledger"] == ("ok", "6 points")
    assert found["metrics.yml"] == ("ok", "1 metric")
    assert found["source"] == ("ok", "it ends at 2026-03-02T03:30:00Z: nothing is due after that")
    assert found["rating modules"] == ("ok", "hashmap")
    assert found["workers"] == ("ok", "none is at work, and nothing is due")
    assert found["totals"][0] == "ok"
    assert not [name for name, (state, _) in found.items() if state == "error"]


def test_it_looks_at_the_leases_and_at_a_storage_of_its_own(site: Site) -> None:
    code, found = checks(site.rated())
    assert code == 0
    assert found["leases"] == ("ok", "8 shards")
    assert found["storage of points"] == ("ok", "sqlalchemy, in the state database")
    site.configure(storage_sqlalchemy={"connection": "postgresql://nobody@127.0.0.1:1/nothing"},
                   orchestrator={"coordination_url": "nothing://"})
    code, found = checks(site)
    assert code == 1
    assert found["ledger"][0] == "ok"
    assert found["leases"][0] == found["storage of points"][0] == "error"
    assert "127.0.0.1:1" in found["storage of points"][1]
    assert "coordination_url" in found["leases"][1]


def test_what_is_not_well_is_an_error_with_its_reason(site: Site) -> None:
    (site.path / "metrics.yml").write_text("metrics: {}")
    code, found = checks(site)
    assert code == 1
    assert found["database"][0] == "error"
    assert "cloudkitty-like dbsync upgrade" in found["database"][1]
    assert not (site.path / "state.sqlite").exists()
    assert found["metrics.yml"][0] == "error"


def test_a_total_that_is_not_the_sum_of_its_points_is_found(site: Site) -> None:
    site.rated()
    with sqlite3.connect(site.path / "state.sqlite") as database:
        database.execute("update total set price_part = price_part + 1 where rowid = (select min(rowid) from total)")
    code, found = checks(site, "--verify")
    assert code == 1
    assert found["totals"][0] == "error"
    assert "points" in found["totals"][1]
    assert "frames" in found["totals"][1]
    assert checks(site)[0] == 0                # only --verify looks


def test_i8_m9_the_sample_shows_nothing_that_looks_like_a_fault(sample: tuple[Path, Ran],
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    here = Here(capsys, "--state", sample[0])
    found = here.json("status")
    assert [check for check in found if check["state"] != "ok"] == []
    assert {check["check"]: check["detail"] for check in found}["workers"] == "none is at work, and nothing is due"
    told = here.json("history")
    assert [(entry["kind"], entry["cause"]) for entry in told] == [
        ("rules", "apply"), ("metrics", "start"), ("ledger", "start")]
    assert here("history").out.count("reset") == here("history").out.count("taken back") == 0
    assert {scope["error"] for scope in here.json("scopes", "list")} == {None}


def test_i8_m9_a_ledger_made_by_rate_or_once_misses_nobody(site: Site) -> None:
    path = site.path / "usage.csv"
    path.write_text(path.read_text() + "2026-03-02T20:00:00Z,instance,8,beta,small\n")
    site.rated()
    code, found = checks(site)
    assert (code, found["workers"][0]) == (0, "ok")
    assert "2 scopes could be rated further" in found["workers"][1]
    assert site.spawn("processor", "--once").code == 0
    code, found = checks(site)
    assert (code, found["workers"]) == (0, ("ok", "none is at work, and nothing is due"))


def test_i8_m9_a_daemon_that_ended_is_missed_where_something_is_due(site: Site) -> None:
    site.rated()
    with started("--config-file", site.conf, "processor") as daemon:
        deadline = time.monotonic() + 30
        while "worker" not in " ".join(name for name in checks(site)[1] if name != "workers"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        daemon.terminate()
        daemon.wait(30)
    code, found = checks(site)
    assert (code, found["workers"]) == (0, ("ok", "none is at work, and nothing is due"))
    path = site.path / "usage.csv"
    path.write_text(path.read_text() + "2026-03-02T20:00:00Z,instance,8,beta,small\n")
    with sqlite3.connect(site.path / "state.sqlite") as database:      # as a worker that sees the file would have it
        database.execute("delete from ledger_setting where name = 'source_ends'")
    code, found = checks(site)
    assert (code, found["workers"][0]) == (1, "error")
    assert site.spawn("processor", "--once").code == 0                 # from now on by hand
    assert checks(site)[0] == 0


def test_it_is_a_table_for_people(site: Site) -> None:
    lines = site.rated().here.ok("status").splitlines()
    assert lines[0].split() == ["check", "state", "detail"]
    assert lines[2].split()[:2] == ["database", "ok"]


def test_i8_m10_holes_are_a_row_and_unknown_ones_a_warning(site: Site) -> None:
    site.rated()
    assert "holes" in site.here("status").out
    assert _holes(site) == ("ok", "none")
    site.here.ok("scopes", "reset", "--all", "--to", "2026-03-02T08:00", "--reason", "moved")
    assert _holes(site) == ("ok", "8 periods of 2 scopes skipped; see 'cloudkitty-like scopes holes'")


def _holes(site: Site) -> tuple[str, str]:
    rows = json.loads(site.here("status", "--json").out)
    return next((row["state"], row["detail"]) for row in rows if row["check"] == "holes")


def test_i8_b7_who_may_read_and_write_the_password_files_is_told(site: Site) -> None:
    files = {"htpasswd_file": site.path / "htpasswd", "users_file": site.path / "users.yaml"}
    site.configure(DEFAULT={"auth_strategy": "http_basic"}, http_basic=files)
    site.prepared()
    assert "password files" not in checks(site)[1]         # they are on the host of the API
    for path in files.values():
        path.write_text("")
        path.chmod(0o640)
    assert checks(site)[1]["password files"][0] == "ok"
    files["htpasswd_file"].chmod(0o644)
    code, told = checks(site)
    assert (code, told["password files"][0]) == (0, "warning")
    assert told["password files"][1].endswith("htpasswd: everybody on this host may read it")
    files["users_file"].chmod(0o666)
    code, told = checks(site)
    assert (code, told["password files"][0]) == (1, "error")
    assert told["password files"][1].endswith("users.yaml: everybody on this host may write it; chmod o-w")
