"""``scripts`` on the command line."""
from __future__ import annotations

import re
from hashlib import sha512
from pathlib import Path

import pytest

from tests.cli.small import Site

NEWLINE = b"\n"
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NOW = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


@pytest.fixture
def made(site: Site) -> Site:
    """With the files of two scripts."""
    site.here.ok("dbsync", "upgrade")
    (site.path / "halve.py").write_text("a = 0\n")
    (site.path / "other.py").write_text("\tprice = 'é'\n".lstrip())
    return site


def add(site: Site, file: str = "halve.py", *options: str | Path) -> str:
    return site.here.ok("scripts", "add", site.path / file, *options)


def test_a_file_is_added_under_its_name_and_twice_is_once(made: Site) -> None:
    out = add(made, "halve.py", "--order", "3", "--description", "half")
    assert re.fullmatch(rf"\+ halve: order 3, text [0-9a-f]{{12}} from {NOW}\nRecorded\.\n", out), out
    assert add(made) == "No change: the script is as it should be.\n"
    (listed,) = made.here.json("scripts", "list")
    assert (listed["name"], listed["order"], listed["description"], listed["version"]) == ("halve", 3, "half", 1)
    assert made.here.ok("scripts", "show", "halve") == "a = 0\n"


def test_a_new_text_is_announced_and_then_the_next_version(made: Site) -> None:
    add(made, "halve.py", "--start", "2026-01-01")
    options = ("--name", "halve", "--effective", "2999-01-01", "--end", "3000-01-01")
    dry = add(made, "other.py", *options, "--dry-run")
    assert dry.splitlines()[:2] == [
        f"~ version 1 of halve: order 0, text {sha512(b'a = 0' + NEWLINE).hexdigest()[:12]} from 2026-01-01T00:00:00Z",
        "  now: from 2026-01-01T00:00:00Z until 2999-01-01T00:00:00Z"]
    assert dry.endswith(" from 2999-01-01T00:00:00Z until 3000-01-01T00:00:00Z\nNothing was recorded: a dry run.\n")
    assert len(made.here.json("scripts", "show", "halve", "--versions")) == 1
    add(made, "other.py", *options, "--reason", "dearer")
    first, second = made.here.json("scripts", "show", "halve", "--versions")
    assert first["id"] == second["id"]
    assert (first["version"], first["end"], second["version"], second["start"]) == (
        1, "2999-01-01T00:00:00Z", 2, "2999-01-01T00:00:00Z")
    assert made.here.json("scripts", "show", first["id"])["data"] == "a = 0\n"
    table = made.here.ok("scripts", "show", "halve", "--versions")
    assert table.splitlines()[0].split() == ["version", "script", "order", "from", "until", "author", "recorded",
                                             "text", "now"]


def test_it_can_be_retroactive(made: Site) -> None:
    add(made, "halve.py", "--start", "2026-01-01")
    add(made, "other.py", "--name", "halve", "--retroactive")
    _, second = made.here.json("scripts", "show", "halve", "--versions")
    assert second["start"] == "2026-01-01T00:00:00Z"
    assert made.here.ok("scripts", "show", "halve") == "price = 'é'\n"
    add(made, "halve.py", "--name", "new", "--retroactive")
    assert made.here.json("scripts", "show", "new")["start"] is None


def test_scripts_are_listed_in_the_order_in_which_they_run(made: Site) -> None:
    for name, order in (("c", "1"), ("b", "1"), ("a", "2"), ("d", "-1")):
        add(made, "halve.py", "--name", name, "--order", order)
    assert [one["name"] for one in made.here.json("scripts", "list")] == ["d", "b", "c", "a"]
    out = made.here.ok("scripts", "list")
    assert re.search(rf"^d +{ID} +-1 +1 +{NOW}", out, re.MULTILINE), out


def test_a_script_is_ended_and_deleted(made: Site) -> None:
    add(made)
    out = made.here.ok("scripts", "end", "halve", "--at", "2999-01-01", "--reason", "enough")
    assert out.endswith("until 2999-01-01T00:00:00Z\nRecorded.\n")
    assert made.here.ok("scripts", "end", "halve", "--at", "2999-01-01") == (
        "No change: the script is as it should be.\n")
    made.here.ok("scripts", "end", "halve")
    assert made.here.json("scripts", "list") == []
    (ended,) = made.here.json("scripts", "list", "--all")
    assert not ended["deleted"]
    ran = made.here("scripts", "end", "halve")
    assert ran.code == 1
    assert "it has ended at " in ran.err
    assert made.here.ok("scripts", "delete", "halve") == f"Deleted halve, {ended['id']}.\n"
    assert made.here.json("scripts", "list", "--all")[0]["deleted"]
    assert made.here.ok("scripts", "show", "halve") == "a = 0\n"
    assert made.here("scripts", "delete", "halve").err == "cloudkitty-like: error: the script 'halve' is deleted\n"


@pytest.mark.parametrize(("text", "options", "said"), [
    ("b = 1\nb = (\n", (), "bad.py: line 2: '(' was never closed"), ("", (), "bad.py: is empty"),
    ("a\0", (), "bad.py: holds characters that cannot be stored"),
    ("#" * 262_145, (), "bad.py: longer than 262144 characters"),
    ("#" * 4_000_001, (), "bad.py: it is larger than 4000000 bytes"),
    ("a = 0", ("--name", ""), "--name: is empty"), ("a = 0", ("--order", "first"), "--order"),
    ("a = 0", ("--order", "9999999999"), "--order: 9999999999 is out of range"),
    ("a = 0", ("--start", "2026-02-01", "--end", "2026-01-01"), "error: --end: ends at 2026-01-01"),
    ("a = 0", ("--start", "soon"), "--start/--effective"),
    ("a = 0", ("--retroactive", "--start", "2026-01-01"), "not allowed with"),
])
def test_s19_what_is_wrong_is_said_in_one_line(made: Site, text: str, options: tuple[str, ...], said: str) -> None:
    (made.path / "bad.py").write_text(text)
    ran = made.here("scripts", "add", made.path / "bad.py", *options)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert len([line for line in ran.err.splitlines() if "error: " in line]) == 1
    assert made.here.json("scripts", "list", "--all") == []


def test_a_file_that_is_not_there_or_no_text_is_said(made: Site) -> None:
    (made.path / "bytes.py").write_bytes(b"\xff\xfe")
    for file, said in (("none.py", "No such file"), ("bytes.py", "not a text in UTF-8")):
        ran = made.here("scripts", "add", made.path / file)
        assert (ran.code, said in ran.err) == (1, True)
    assert "--name: standard input has none" in made.here("scripts", "add", "-").err
    for action in ("show", "end", "delete"):
        assert "no script is called 'nobody'" in made.here("scripts", action, "nobody").err


def test_no_control_character_of_a_name_reaches_the_terminal(made: Site) -> None:
    assert "+ a\\x1b[31m\\nb: order" in add(made, "halve.py", "--name", "a\x1b[31m\nb")
    assert "\x1b" not in made.here.ok("scripts", "list") + made.here.ok("scripts", "list", "--all")
