"""Backup and restore: one archive, consistent, without secrets, back as a whole or not at all."""
from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from cloudkitty_like.cli.main import main
from cloudkitty_like.service.operation.archive import Archive, write
from tests.cli.small import Site
from tests.commands import Here, Ran, command


@pytest.fixture
def small(site: Site) -> Site:
    return site.rated()


def manifest_of(path: Path) -> Any:
    with tarfile.open(path) as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        return json.load(content)


def configuration_of(path: Path) -> str:
    with tarfile.open(path) as archive:
        content = archive.extractfile("cloudkitty-like.conf")
        assert content is not None
        return content.read().decode()


def test_i8_m7_what_was_saved_comes_back_digit_for_digit(small: Site, tmp_path: Path, capsys) -> None:
    saved, restored = tmp_path / "b.tar.gz", tmp_path / "restored"
    said = small.here.ok("backup", saved, "--verify")
    assert "2 scopes, 6 points" in said
    assert "every total is the sum of its points" in said
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    out = Here(capsys).ok("restore", saved, "--state", restored, "--verify")
    assert "2 scopes, 6 points. Every total is the sum of its points." in out
    back = Here(capsys, "--state", restored)
    for question in (("report", "--by", "scope,metric,flavor,day"), ("rules", "export"), ("history",)):
        assert back.ok(*question) == small.here.ok(*question)
    (tmp_path / "metrics.yml").unlink()
    (tmp_path / "usage.csv").unlink()
    assert [row["scope"] for row in back.json("scopes", "list")] == ["alpha", "beta"]
    assert back("quote", "--metric", "instance", "--qty", "1", "--label", "flavor=small").code == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_i8_m7_a_manifest_says_what_is_in_it(small: Site, tmp_path: Path) -> None:
    small.here.ok("backup", tmp_path / "b.tar.gz")
    manifest = manifest_of(tmp_path / "b.tar.gz")
    assert manifest["counts"] == {"scopes": 2, "frames": manifest["counts"]["frames"], "points": 6,
                                  "ledger_changes": manifest["counts"]["ledger_changes"], "rule_changes": 1}
    assert [member["name"] for member in manifest["members"]] == [
        "cloudkitty-like.sqlite", "metrics.yml", "usage.csv", "cloudkitty-like.conf"]
    assert (manifest["format"], manifest["database"], manifest["secrets"]) == (1, "sqlite", False)


def test_i8_m7_secrets_stay_at_home_unless_they_are_asked_for(small: Site, tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "token").write_text("sesame-token")
    small.configure(collector_prometheus={"prometheus_password": "sesame", "bearer_token_file": tmp_path / "token",
                                          "prometheus_url": "http://localhost:9090"},
                    orchestrator={"coordination_url": "redis://user:sesame@localhost:6379"},
                    keystone_authtoken={"password": "sesame", "username": "rating"},
                    DEFAULT={"transport_url": "rabbit://me:sesame@host//", "log_file": tmp_path / "metrics.yml"})
    monkeypatch.setenv("OS_FETCHER_PROMETHEUS__BEARER_TOKEN", "sesame")
    saved = tmp_path / "b.tar.gz"
    said = small.here.ok("backup", saved)
    assert "[keystone_authtoken] password (--with-secrets keeps it)" in said
    assert "[collector_prometheus] bearer_token_file: the file" in said
    assert "[orchestrator] coordination_url: the password in it" in said
    with tarfile.open(saved) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            assert b"sesame" not in content.read()
    text = configuration_of(saved)
    assert "redis://user@localhost:6379" in text
    assert "username = rating" in text
    assert "Not in the backup: [keystone_authtoken] password" in Here(capsys).ok(
        "restore", saved, "--state", tmp_path / "r")
    said = small.here.ok("backup", tmp_path / "with.tar.gz", "--with-secrets")
    assert "the secret" not in said
    text = configuration_of(tmp_path / "with.tar.gz")
    assert text.count("sesame") == 5
    assert "bearer_token_file = $state_path/token" in text
    assert manifest_of(tmp_path / "with.tar.gz")["secrets"] is True


def test_i8_m7_a_state_directory_keeps_its_configuration_word_for_word(sample: tuple[Path, Ran], tmp_path: Path,
                                                                     capsys) -> None:
    state = Path(shutil.copytree(sample[0], tmp_path / "s"))
    path = state / "cloudkitty-like.conf"
    path.write_text("# mine\n" + path.read_text())
    Here(capsys, "--state", state).ok("backup", tmp_path / "b.tar.gz")
    Here(capsys).ok("restore", tmp_path / "b.tar.gz", "--state", tmp_path / "t")
    assert (tmp_path / "t" / "cloudkitty-like.conf").read_text() == path.read_text()
    assert (tmp_path / "t" / "sample" / "usage.csv.gz").exists()


def test_i8_m7_a_large_file_is_named_and_not_taken(small: Site, tmp_path: Path) -> None:
    with (tmp_path / "usage.csv").open("a") as file:
        file.write(("2026-03-01T00:00:00Z,instance,1,alpha,small" + " " * 50 + "\n") * 200_000)
    said = small.here.ok("backup", tmp_path / "b.tar.gz")
    assert f"Not in it, back it up on its own: [collector_file] path: {tmp_path}/usage.csv has 17 MiB" in said


def test_i8_m7_an_archive_that_is_there_is_not_replaced_unless_that_is_said(small: Site, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("precious")
    ran = small.here("backup", tmp_path / "b.tar.gz")
    assert (ran.code, "it is there already" in ran.err) == (1, True)
    assert (tmp_path / "b.tar.gz").read_text() == "precious"
    small.here.ok("backup", tmp_path / "b.tar.gz", "--overwrite")
    assert manifest_of(tmp_path / "b.tar.gz")["format"] == 1
    for wrong in (tmp_path, tmp_path / "none" / "b.tar.gz"):
        assert "name a file in a directory that is there" in small.here("backup", wrong).err


def test_i8_m7_a_directory_that_holds_anything_is_not_restored_into(small: Site, tmp_path: Path, capsys) -> None:
    small.here.ok("backup", tmp_path / "b.tar.gz")
    ledger, other, empty = (tmp_path / name for name in ("ledger", "other", "empty"))
    for directory in (ledger, other, empty):
        directory.mkdir()
    (ledger / "cloudkitty-like.sqlite").write_text("a ledger")
    (other / "x").touch()
    for directory, said in ((ledger, "holds a ledger: nothing was restored"), (other, "is not empty")):
        ran = Here(capsys)("restore", tmp_path / "b.tar.gz", "--state", directory)
        assert (ran.code, said in ran.err) == (1, True), ran
    assert (ledger / "cloudkitty-like.sqlite").read_text() == "a ledger"
    Here(capsys).ok("restore", tmp_path / "b.tar.gz", "--state", empty)
    assert (empty / "cloudkitty-like.conf").exists()


def test_i8_m7_a_link_that_somebody_has_laid_is_not_followed(small: Site, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "x").touch()
    (tmp_path / ".b.tar.gz.backup").symlink_to(precious)
    ran = small.here("backup", tmp_path / "b.tar.gz")
    assert (ran.code, "Traceback" in ran.err) == (1, False)
    assert (precious / "x").exists()


def changed(saved: Path, made: Path, tmp_path: Path, **changes: Any) -> Path:
    """The archive with another manifest."""
    with tarfile.open(saved) as before, tarfile.open(made, "w:gz") as after:
        for member in before:
            content = before.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == "manifest.json":
                data = json.dumps(json.loads(data) | changes).encode()
                member.size = len(data)
            (tmp_path / "member").write_bytes(data)
            with (tmp_path / "member").open("rb") as file:
                after.addfile(member, file)
    return made


@pytest.mark.parametrize(("changes", "said"), [
    ({"schema": "9999"}, "its ledger has the schema '9999', which this release does not know"),
    ({"schema": "0001"}, "cloudkitty-like.sqlite: it has the schema"),
    ({"format": 7}, "its format is 7, this release reads 1"),
    ({"members": [{"name": "cloudkitty-like.sqlite", "size": 1 << 50, "sha256": ""},
                  {"name": "cloudkitty-like.conf", "size": 1, "sha256": ""}]}, "it needs 1181116006 MiB, and "),
])
def test_i8_m7_an_archive_that_does_not_fit_is_refused(small: Site, tmp_path: Path, capsys, changes, said) -> None:
    small.here.ok("backup", tmp_path / "b.tar.gz")
    path = changed(tmp_path / "b.tar.gz", tmp_path / "c.tar.gz", tmp_path, **changes)
    ran = Here(capsys)("restore", path, "--state", tmp_path / "r")
    assert (ran.code, said in ran.err) == (1, True), ran
    assert not (tmp_path / "r").exists()


def test_i8_m7_a_ledger_whose_totals_are_wrong_is_not_restored_with_verify(small: Site, tmp_path: Path, capsys) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as database:
        database.execute("update day_total set price_whole = price_whole + 1")
    saved = tmp_path / "b.tar.gz"
    assert small.here("backup", saved, "--verify").code == 1
    assert not saved.exists()
    small.here.ok("backup", saved)
    ran = Here(capsys)("restore", saved, "--state", tmp_path / "r", "--verify")
    assert (ran.code, "nothing was restored" in ran.err) == (1, True)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(("group", "line"), [
    ("database", "connection = sqlite:////var/lib/other.sqlite"), ("DEFAULT", "state_path = /var/lib"),
    ("storage_sqlalchemy", "connection = sqlite:///$state_path/points.sqlite"),
])
def test_i8_m7_a_configuration_that_leads_to_another_ledger_is_refused(small: Site, tmp_path: Path, capsys,
                                                                       group: str, line: str) -> None:
    small.here.ok("backup", tmp_path / "b.tar.gz")
    with Archive(tmp_path / "b.tar.gz") as archive:
        manifest = archive.manifest
        (tmp_path / "x").mkdir()
        archive.extract(tmp_path / "x")
    path = tmp_path / "x" / "cloudkitty-like.conf"
    path.write_text(path.read_text() + f"[{group}]\n{line}\n")
    write(tmp_path / "c.tar.gz", manifest, {member.name: tmp_path / "x" / member.name for member in manifest.members})
    ran = Here(capsys)("restore", tmp_path / "c.tar.gz", "--state", tmp_path / "r", "--verify")
    assert (ran.code, f"{line.split()[0]}: it" in ran.err) == (1, True), ran
    assert not (tmp_path / "r").exists()


def test_i8_m7_a_variable_that_names_another_ledger_keeps_it_from_being_verified(small: Site, tmp_path: Path, capsys,
                                                                                monkeypatch) -> None:
    small.here.ok("backup", tmp_path / "b.tar.gz")
    monkeypatch.setenv("OS_DATABASE__CONNECTION", f"sqlite:///{tmp_path}/state.sqlite")
    ran = Here(capsys)("restore", tmp_path / "b.tar.gz", "--state", tmp_path / "r", "--verify")
    assert (ran.code, "OS_DATABASE__CONNECTION: it is set" in ran.err) == (1, True), ran


def test_i8_m7_points_in_a_database_of_their_own_go_along(site: Site, tmp_path: Path, capsys) -> None:
    site.configure(storage_sqlalchemy={"connection": f"sqlite:///{tmp_path}/points.sqlite"})
    site.rated()
    site.here.ok("backup", tmp_path / "b.tar.gz", "--verify")
    assert manifest_of(tmp_path / "b.tar.gz")["databases"] == ["cloudkitty-like.sqlite", "points.sqlite"]
    Here(capsys).ok("restore", tmp_path / "b.tar.gz", "--state", tmp_path / "r", "--verify")
    (tmp_path / "points.sqlite").unlink()
    assert Here(capsys, "--state", tmp_path / "r").ok("report", "--by", "scope,flavor").count("\n") > 4


@pytest.mark.slow
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_i8_m7_a_kill_leaves_nothing_that_looks_whole(sample: tuple[Path, Ran], tmp_path: Path, capsys,
                                                      what: str) -> None:
    saved, restored = tmp_path / "b.tar.gz", tmp_path / "r"
    if what == "restore":
        Here(capsys, "--state", sample[0]).ok("backup", saved)
    arguments = (("--state", sample[0], "backup", saved) if what == "backup"
                 else ("restore", saved, "--state", restored))
    began = time.monotonic()
    subprocess.run(command(*arguments), check=True, capture_output=True)
    length, target = time.monotonic() - began, saved if what == "backup" else restored
    killed = 0
    for number in range(12):
        if what == "backup":
            saved.unlink(missing_ok=True)
        else:
            shutil.rmtree(restored, ignore_errors=True)
        with subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(length * (0.45 + 0.05 * number))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        if what == "backup" and target.exists():
            Here(capsys).ok("restore", saved, "--state", restored, "--verify")
            shutil.rmtree(restored)
        elif target.exists():
            assert "816.497146654993" in Here(capsys, "--state", restored).ok("report")
    assert killed > 2
    shutil.rmtree(restored, ignore_errors=True)
    saved.unlink(missing_ok=True) if what == "backup" else None
    assert main(list(map(str, arguments))) == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_i8_m7_a_file_of_a_page_of_commands_names_no_password(site: Site, tmp_path: Path) -> None:
    from cloudkitty_like.db.engine import Database
    from cloudkitty_like.service.operation import dump_commands

    database = Database("postgresql://me:sesame@db.example.org:6000/rating?sslmode=require")
    assert dump_commands.dump(database, "x y.pgdump") == (
        "pg_dump --format=custom --no-owner --no-privileges '--file=x y.pgdump' "
        "'--dbname=postgresql://me@db.example.org:6000/rating?sslmode=require'")
    assert "sesame" not in " ".join(dump_commands.load(database, "x"))
    mariadb = Database("mysql://me:sesame@db.example.org/rating?ssl_ca=/ca.pem")
    assert dump_commands.load(mariadb, "x.sql") == [
        ("mariadb --host=db.example.org --user=me --ssl-ca=/ca.pem "
        "'--execute=CREATE DATABASE `rating` CHARACTER SET utf8mb4'"),
        "mariadb --host=db.example.org --user=me --ssl-ca=/ca.pem --default-character-set=utf8mb4 rating < x.sql"]
