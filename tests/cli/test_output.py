"""Tables that line up whatever stands in them, and what becomes of a command whose output nobody takes."""
from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from cloudkitty_like.cli import output
from tests.cli.small import FIRST, LAST, Site
from tests.commands import PATIENCE, command


def test_columns_are_as_wide_as_their_content_on_a_terminal(capsys) -> None:
    output.table(("name", "n"), [("東京", "1"), ("x", "1000")], right={"n"})
    assert capsys.readouterr().out == "name     n\n----  ----\n東京     1\nx     1000\n"


def test_no_control_character_reaches_the_terminal(capsys) -> None:
    output.table(("name",), [("\x1b[2Jgone\nnew",)])
    assert capsys.readouterr().out == "name\n----------------\n\\x1b[2Jgone\\nnew\n"


def test_json_is_one_document_of_its_own_letters(capsys) -> None:
    output.json([{"scope": "東京"}])
    out = capsys.readouterr().out
    assert "東京" in out
    assert json.loads(out) == [{"scope": "東京"}]


# --- nobody reads it -------------------------------------------------------------------------------

CLOSED = 141        # as a shell reports a program that a closed pipe has ended


def unread(*arguments: str | Path, stream: str = "stdout") -> tuple[int, str]:
    """Exit code of a command whose output goes into a pipe that nobody reads any more, and what it said elsewhere."""
    reader, writer = os.pipe()
    os.close(reader)
    other = "stderr" if stream == "stdout" else "stdout"
    try:
        run = subprocess.run(command(*arguments), **{stream: writer, other: subprocess.PIPE}, text=True,
                             timeout=PATIENCE, check=False)
    finally:
        os.close(writer)
    return run.returncode, getattr(run, other)


def full(*arguments: str | Path) -> tuple[int, str]:
    """The same for a disk that is full."""
    with Path("/dev/full").open("w") as disk:
        run = subprocess.run(command(*arguments), stdout=disk, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
                             check=False)
    return run.returncode, run.stderr


def conf(site: Site, *arguments: str | Path) -> tuple[str | Path, ...]:
    return ("--config-file", site.conf, *arguments)


def test_i8_m8_rules_are_recorded_though_nobody_reads_the_difference(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    assert unread(*conf(site, "rules", "apply", site.path / "rules.yml")) == (CLOSED, "")
    assert len(site.here.json("rules", "list")) == 2


def test_i8_m8_rules_are_recorded_though_the_disk_of_the_output_is_full(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    code, said = full(*conf(site, "rules", "apply", site.path / "rules.yml"))
    assert (code, said) == (1, ("cloudkitty-like: error: standard output: No space left on device\n"
                               "hint: the command has done its work all the same\n"))
    assert len(site.here.json("rules", "list")) == 2


def test_i8_m8_scripts_are_recorded_ended_and_deleted_though_nobody_reads(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    script = site.path / "double.py"
    script.write_text("def rate(frame):\n    return frame\n")
    assert unread(*conf(site, "scripts", "add", script)) == (CLOSED, "")
    assert [entry["name"] for entry in site.here.json("scripts", "list")] == ["double"]
    assert unread(*conf(site, "scripts", "end", "double", "--at", "2090-01-01")) == (CLOSED, "")
    assert site.here.json("scripts", "list")[0]["end"] == "2090-01-01T00:00:00Z"
    assert unread(*conf(site, "scripts", "delete", "double")) == (CLOSED, "")
    assert site.here.json("scripts", "list") == []


@pytest.mark.slow
def test_i8_m8_every_other_command_that_writes_does_its_work_though_nobody_reads(site: Site) -> None:
    assert unread(*conf(site, "dbsync", "upgrade")) == (CLOSED, "")
    site.here.ok("rules", "apply", site.path / "rules.yml")
    # Its progress goes to standard error, which nobody reads either.
    assert unread(*conf(site, "rate", "--begin", FIRST, "--end", LAST), stream="stderr") in ((0, ""), (CLOSED, ""))
    assert {one["last_period"] for one in site.here.json("scopes", "list")} == {"2026-03-02T03:00:00Z"}
    assert unread(*conf(site, "reprocess", "start", "--all", "--begin", FIRST, "--end", LAST, "--reason", "x",
                        "--wait"))[0] == CLOSED
    assert {one["state"] for one in site.here.json("reprocess", "list")} == {"done"}
    assert unread(*conf(site, "reprocess", "start", "--all", "--begin", FIRST, "--end", LAST, "--reason",
                        "x")) == (CLOSED, "")
    assert len(site.here.json("reprocess", "list", "--waiting")) == 2
    assert unread(*conf(site, "reprocess", "cancel", "3-4")) == (CLOSED, "")
    assert site.here.json("reprocess", "list", "--waiting") == []
    assert unread(*conf(site, "scopes", "reset", "--to", FIRST, "--all", "--reason", "x")) == (CLOSED, "")
    assert {one["due"] for one in site.here.json("scopes", "list")} == {"2026-03-01T00:00:00Z"}
    assert unread(*conf(site, "purge", "--rated-before", "2026-03-01T02:00", "--yes")) == (CLOSED, "")
    assert "The points of 0 revisions" in site.here.ok("purge", "--rated-before", "2026-03-01T02:00", "--yes")


@pytest.mark.parametrize("arguments", [
    ("report",), ("report", "--json"), ("report", "--csv"), ("rules", "list"), ("rules", "export"), ("history",),
    ("scopes", "list"), ("modules", "list"), ("config", "sample"), ("status",),
    ("quote", "--metric", "instance", "--qty", "1", "--label", "flavor=small"),
])
def test_i8_m8_a_closed_pipe_is_an_exit_code_of_its_own_without_a_traceback(site: Site, arguments) -> None:
    site.prepared()
    assert unread(*conf(site, *arguments)) == (CLOSED, "")


@pytest.mark.parametrize("arguments", [("--help",), ("rules", "--help"), ("--version",)])
def test_i8_m8_so_it_is_for_help(arguments) -> None:
    assert unread(*arguments) == (CLOSED, "")


def test_i8_m8_an_error_that_nobody_reads_is_one_all_the_same(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    assert unread(*conf(site, "rules", "apply", site.path / "missing.yml"), stream="stderr") == (1, "")


def test_i8_m8_a_full_disk_is_said_by_a_command_that_only_reads(site: Site) -> None:
    site.prepared()
    assert full(*conf(site, "config", "sample")) == (
        1, "cloudkitty-like: error: standard output: No space left on device\n")


def test_i8_small_wrapped_columns_share_what_the_others_leave(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    output.table(("id", "what", "why"), [("1", "short", "words " * 12), ("2", "x" * 50, "\u4f60" * 12)],
                 wrapped={"what", "why"})
    lines = capsys.readouterr().out.splitlines()
    assert max(sum(2 if ord(character) > 0x3000 else 1 for character in line) for line in lines) <= 50
    assert "".join(line[4:26].strip() for line in lines[2:]).replace("short", "").startswith("x" * 22)
    assert " ".join(lines[2:]).count("words") == 12


def test_i8_small_a_table_that_fits_is_not_wrapped(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    output.table(("id", "what"), [("1", "a word or two")], wrapped={"what"})
    assert capsys.readouterr().out.splitlines()[-1] == "1   a word or two"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_i8_m8_a_stream_that_is_closed_from_the_start_is_none(site: Site, closed: str) -> None:
    site.here.ok("dbsync", "upgrade")
    apply = shlex.join(command(*conf(site, "rules", "apply", site.path / "rules.yml")))
    assert subprocess.run(f"{apply} {closed}", shell=True, check=False, timeout=PATIENCE).returncode == 0
    assert len(site.here.json("rules", "list")) == 2
