"""A state directory holds all it needs: it is moved and copied as one, and never works in another one."""
from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from cloudkitty_like.cli import standalone_setup
from tests.commands import Here, Ran, spawn, write_configuration

DATABASE = "cloudkitty-like.sqlite"


def ledger(state: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(state / DATABASE) as database:
        return database.execute("select id, author, cause from ledger_tx union all "
                                "select id, author, cause from rule_change").fetchall()


@pytest.fixture
def copied(sample: tuple[Path, Ran], tmp_path: Path) -> Path:
    """A copy of the sample's state directory, in another place."""
    return Path(shutil.copytree(sample[0], tmp_path / "copy"))


def as_before(state: Path, place: Path, sample_files: Path = standalone_setup.SAMPLE) -> None:
    """Give a state directory the configuration that the release before would have written, at ``place``."""
    shutil.rmtree(state / "sample", ignore_errors=True)
    usage = {"path": sample_files / "usage.csv.gz"}
    write_configuration(state / "cloudkitty-like.conf", {
        "DEFAULT": {"auth_strategy": "noauth"},
        "database": {"connection": f"sqlite:///{place}/{DATABASE}"},
        "orchestrator": {"coordination_url": f"file://{place}/locks"},
        "collect": {"collector": "file", "metrics_conf": sample_files / "metrics.yml", "scope_key": "project_id"},
        "fetcher": {"backend": "file"}, "collector_file": usage, "fetcher_file": usage})


def test_i8_m6_nothing_in_it_names_its_place_or_the_installation(sample: tuple[Path, Ran]) -> None:
    state = sample[0]
    text = (state / "cloudkitty-like.conf").read_text()
    assert str(state) not in text
    assert str(standalone_setup.SAMPLE) not in text
    for name in standalone_setup.SAMPLE_FILES:
        assert (state / "sample" / name).read_bytes() == (standalone_setup.SAMPLE / name).read_bytes()


def test_i8_m6_a_copy_works_and_never_writes_into_the_original(sample: tuple[Path, Ran], copied: Path, capsys) -> None:
    here, before, files = Here(capsys, "--state", copied), ledger(sample[0]), sorted(sample[0].rglob("*"))
    here.ok("scopes", "reset", "--to", "2026-10-30", "--all", "--reason", "a copy")
    assert here.json("scopes", "list")[0]["due"] == "2026-10-30T00:00:00Z"
    assert spawn("rate", "--state", copied, "--begin", "2026-10-01", "--end", "2026-11-01").code == 0
    assert here.json("scopes", "list")[0]["last_period"] == "2026-10-31T23:00:00Z"
    assert ledger(sample[0]) == before
    assert sorted(sample[0].rglob("*")) == files
    assert len(ledger(copied)) > len(before)


def test_i8_m6_a_moved_directory_goes_on_under_its_new_name(copied: Path, tmp_path: Path, capsys) -> None:
    expected = Here(capsys, "--state", copied).ok("report")
    moved = copied.rename(tmp_path / "a new % name".replace("%", "place"))
    assert Here(capsys, "--state", moved).ok("report") == expected
    assert Here(capsys, "--config-file", moved / "cloudkitty-like.conf").ok("report") == expected
    again = spawn("standalone", "--sample", "--state", moved)
    assert again.code == 0, again.err
    assert "No change: 13 rules" in again.out


def test_i8_m6_metrics_are_copied_and_the_copy_counts(tmp_path: Path, capsys) -> None:
    metrics, usage = tmp_path / "metrics.yml", tmp_path / "usage.csv"
    metrics.write_text("metrics: {instance: {unit: hour}}")
    usage.write_text("begin,metric,quantity,project_id\n2026-03-01T00:00:00Z,instance,1,a\n")
    state = tmp_path / "s"
    ran = spawn("standalone", "--state", state, "--file", usage, "--metrics", metrics, "--once")
    assert f"from now on the copy counts, {state}/metrics.yml." in ran.out, ran
    metrics.write_text("metrics: {volume: {unit: GiB}}")
    assert "instance" in (state / "metrics.yml").read_text()
    moved = state.rename(tmp_path / "t")
    metrics.unlink()
    assert "instance  hour" in Here(capsys, "--state", moved).ok("report")
    assert Here(capsys, "--state", moved)("quote", "--metric", "instance", "--qty", "1").code == 0


def test_i8_m6_a_directory_of_the_release_before_works_where_it_is(copied: Path, capsys) -> None:
    expected = Here(capsys, "--state", copied).ok("report")
    as_before(copied, copied)
    assert Here(capsys, "--state", copied).ok("report") == expected
    assert spawn("standalone", "--sample", "--state", copied).code == 0
    assert str(copied) not in (copied / "cloudkitty-like.conf").read_text()
    assert Here(capsys, "--state", copied).ok("report") == expected


@pytest.mark.parametrize("command", [("report",), ("status",), ("standalone", "--sample"), ("dbsync", "upgrade"),
                                     ("rules", "list")])
@pytest.mark.parametrize("gone", [False, True], ids=["copied", "moved"])
def test_i8_m6_one_of_the_release_before_that_was_moved_is_refused_and_says_how_to_go_on(
        sample: tuple[Path, Ran], copied: Path, tmp_path: Path, capsys, command: tuple[str, ...], gone: bool) -> None:
    place, before = tmp_path / "gone" if gone else sample[0], ledger(sample[0])
    as_before(copied, place)
    text = (copied / "cloudkitty-like.conf").read_text()
    ran = Here(capsys)(*command, "--state", copied)
    assert ran.code == 1
    assert f"{copied} was moved or copied from {place}: its configuration still names the database there" in ran.err
    assert f"standalone --state {copied} --relocate" in ran.err
    assert "dbsync" not in ran.err
    assert Here(capsys)("report", "--config-file", copied / "cloudkitty-like.conf").err.startswith(
        "cloudkitty-like: error: --state: ")
    assert (copied / "cloudkitty-like.conf").read_text() == text
    assert ledger(sample[0]) == before
    assert not (tmp_path / "gone").exists()


def test_i8_m6_it_is_relocated_on_demand_though_the_installation_that_made_it_is_gone(
        sample: tuple[Path, Ran], copied: Path, tmp_path: Path, capsys) -> None:
    as_before(copied, tmp_path / "gone", tmp_path / "old-environment/cloudkitty_like/sample")
    said = Here(capsys).ok("standalone", "--state", copied, "--relocate")
    assert said == f"{copied} uses what it holds itself: sqlite:///{copied}/{DATABASE}.\n"
    assert Here(capsys, "--state", copied).ok("report") == Here(capsys, "--state", sample[0]).ok("report")
    assert (copied / "sample" / "usage.csv.gz").exists()
    assert str(tmp_path) not in (copied / "cloudkitty-like.conf").read_text()


def test_i8_m6_a_database_that_somebody_put_elsewhere_is_not_taken_back(copied: Path, tmp_path: Path, capsys) -> None:
    elsewhere = tmp_path / "large" / "rating.sqlite"
    elsewhere.parent.mkdir()
    (copied / DATABASE).rename(elsewhere)
    path = copied / "cloudkitty-like.conf"
    path.write_text(path.read_text().replace(f"sqlite:///$state_path/{DATABASE}", f"sqlite:///{elsewhere}"))
    ran = spawn("standalone", "--sample", "--state", copied)
    assert (ran.code, "No change: 13 rules" in ran.out) == (0, True), ran
    assert f"sqlite:///{elsewhere}" in path.read_text()
    assert not (copied / DATABASE).exists()


def test_i8_m6_a_ledger_that_is_not_there_is_not_answered_by_an_empty_one(copied: Path, capsys) -> None:
    (copied / DATABASE).unlink()
    ran = Here(capsys, "--state", copied)("report")
    assert ran.code == 1
    assert "hint: where there was a ledger, name the place that it has now" in ran.err
    assert "only a new installation begins with 'cloudkitty-like dbsync upgrade'" in ran.err


@pytest.mark.parametrize("name", ["a$b", "what?", "no#1", "100%"])
def test_i8_m6_a_name_that_libraries_read_otherwise_is_refused(tmp_path: Path, capsys, name: str) -> None:
    ran = Here(capsys)("standalone", "--sample", "--state", tmp_path / name)
    assert (ran.code, "no state directory can have" in ran.err) == (1, True)
    assert not (tmp_path / name).exists()
