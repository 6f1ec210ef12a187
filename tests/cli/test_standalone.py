"""Everything in one process: the sample, and what becomes of a state directory."""
from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.commands import Here, spawn, started
from tests.servers import free_port


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def settings(state: Path) -> dict[str, str]:
    text = (state / "cloudkitty-like.conf").read_text()
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


def test_the_sample_ends_with_a_report_that_fits_a_terminal(sample) -> None:
    state, ran = sample
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert f"The state is kept in the directory {state.name}." == lines[0]
    assert "total" in [line.split()[0] for line in lines if line]
    assert "78 of 16915 points have no price: no rule met them." in lines
    assert max(map(len, lines)) <= 90
    assert "  cloudkitty-like scopes list --state state" in lines


def test_the_sample_twice_is_the_sample_once(sample, capsys) -> None:
    state, first = sample
    with sqlite3.connect(state / "cloudkitty-like.sqlite") as database:
        before = database.execute("select count(*), max(id) from ledger_tx").fetchall()
    again = spawn("standalone", "--sample", "--state", state)
    assert again.code == 0
    assert "No change: 13 rules are as they should be." in again.out
    table = slice(first.out.index("scope  "), first.out.index("Ask for more"))
    assert first.out[table] in again.out
    with sqlite3.connect(state / "cloudkitty-like.sqlite") as database:
        assert database.execute("select count(*), max(id) from ledger_tx").fetchall() == before


def test_other_commands_find_it_without_being_told(sample, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "cloudkitty-like-state").symlink_to(sample[0])
    monkeypatch.chdir(tmp_path)
    here = Here(capsys)
    assert here.ok("report") in sample[1].out
    assert [scope["last_period"] for scope in here.json("scopes", "list")] == ["2026-10-31T23:00:00Z"] * 4


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_quickly_keeps_what_it_has_and_goes_on(tmp_path: Path, sample, stop: signal.Signals) -> None:
    with started("standalone", "--sample", "--state", tmp_path / "s") as running:
        assert running.stdout is not None
        while "Rating" not in (line := running.stdout.readline()):
            assert line, running.communicate()
        time.sleep(0.5)
        running.send_signal(stop)
        asked = time.monotonic()
        assert running.wait(10) in (130, 0)        # 0: it was done already
        assert time.monotonic() - asked < 5
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
    again = spawn("standalone", "--sample", "--state", tmp_path / "s")
    table = slice(sample[1].out.index("scope  "), sample[1].out.index("Ask for more"))
    assert sample[1].out[table] in again.out


def files(path: Path) -> tuple[str, ...]:
    (path / "metrics.yml").write_text("metrics: {instance: {unit: hour}}")
    return "--scope-label", "project", "--metrics", str(path / "metrics.yml")


def test_a_new_directory_says_all_that_it_needs(tmp_path: Path, capsys) -> None:
    ran = Here(capsys)("standalone", "--state", tmp_path / "s", "--scope-label", "project")
    assert ran.code == 1
    assert ran.err == (f"cloudkitty-like: error: a new state directory ({tmp_path / 's'}) needs --prometheus URL, "
                       "--metrics FILE\nhint: or try --sample, which needs nothing\n")
    assert not (tmp_path / "s").exists()


def test_its_options_are_kept_and_only_those_given_are_changed(tmp_path: Path) -> None:
    state, url, other = tmp_path / "s", nowhere(), nowhere()
    first = spawn("standalone", "--state", state, "--prometheus", url, *files(tmp_path), "--period", "60", "--guard",
                  "alive", "--once")
    assert first.code == 1
    assert url in first.err
    before = settings(state)
    assert before["prometheus_url"] == url
    assert (before["scope_key"], before["scope_attribute"], before["period"], before["guard"]) == (
        "project", "project", "60", "alive")
    assert url in spawn("standalone", "--state", state, "--once").err
    assert settings(state) == before
    assert other in spawn("standalone", "--state", state, "--once", "--prometheus", other).err
    assert settings(state) == before | {"prometheus_url": other}


def test_comments_in_its_configuration_stay_where_nothing_changes(tmp_path: Path) -> None:
    state = tmp_path / "s"
    spawn("standalone", "--state", state, "--prometheus", nowhere(), *files(tmp_path), "--once")
    path = state / "cloudkitty-like.conf"
    path.write_text("# mine\n" + path.read_text())
    spawn("standalone", "--state", state, "--once")
    assert path.read_text().startswith("# mine\n")


def test_what_is_wrong_with_the_files_is_said_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "metrics.yml").write_text("metrics: {instance: {units: hour}}")
    (tmp_path / "rules.yml").write_text("services: {instance: [{price: 1}]}")
    ran = spawn("standalone", "--state", tmp_path / "s", "--prometheus", nowhere(), "--scope-label", "project",
                "--metrics", tmp_path / "metrics.yml", "--rules", tmp_path / "rules.yml")
    assert ran.code == 1
    assert "metrics.yml" in ran.err
    assert "rules.yml: line 1: instance[0].price: is not known" in ran.err
    assert not (tmp_path / "s" / "cloudkitty-like.sqlite").exists()


@pytest.mark.parametrize(("arguments", "said"), [
    (("--prometheus", "http://localhost:9090"), "holds the sample month; name another directory"),
    ((), "holds the sample month; name another directory"),
    (("--sample", "--period", "60"), "--sample: it cannot be used together with --period"),
])
def test_the_sample_is_not_mixed_with_anything(sample, capsys, arguments: tuple[str, ...], said: str) -> None:
    before = settings(sample[0])
    ran = Here(capsys)("standalone", "--state", sample[0], *arguments)
    assert ran.code == 1
    assert said in ran.err
    assert settings(sample[0]) == before
