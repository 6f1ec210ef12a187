"""What the README shows is what happens."""
from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from tests.cli.conftest import sample as sample  # the fixture
from tests.commands import Here, Ran, spawn
from tests.servers import free_port

TEXT = (Path(__file__).parents[1] / "README.rst").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """What is set apart by ``::``, without its indentation."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", TEXT)
    return [textwrap.dedent(block).strip("\n") for block in found]


def block(begins: str) -> str:
    (found,) = [text for text in blocks() if text.startswith(begins)]
    return found + "\n"


def commands() -> list[list[str]]:
    """The arguments of every ``cloudkitty-like`` in it."""
    found = []
    for line in "\n".join(blocks()).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True) if "cloudkitty-like" in line else []
        starts = [number for number, word in enumerate(words) if word.endswith("cloudkitty-like")]
        found += [words[start + 1:] for start in starts]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_its_commands_are_understood(words: list[str], capsys) -> None:
    # With --help at the end an unknown command or action is refused; what stands before it has to be known.
    ran = Here(capsys)(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert option in ran.out or option == "--state"


def test_its_questions_to_the_sample_are_answered(sample: tuple[Path, Ran], capsys) -> None:
    asked = [words for words in commands() if words[0] != "standalone" and "--state" not in words]
    assert {words[0] for words in asked} >= {"report", "scopes", "status"}
    for words in asked:
        if words[0] in ("report", "scopes", "status"):
            assert Here(capsys, "--state", sample[0]).ok(*words)


def test_the_report_it_shows_is_the_one_that_is_printed(sample: tuple[Path, Ran]) -> None:
    shown = block("scope       metric").splitlines()
    assert len(shown) > 8
    assert [line for line in shown if line != "..." and line not in sample[1].out.splitlines()] == []


def test_its_files_are_right_and_its_prometheus_is_all_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "metrics.yml").write_text(block("metrics:"))
    (tmp_path / "rules.yml").write_text(block("services:"))
    (words,) = [words for words in commands() if "--prometheus" in words]
    url = f"http://127.0.0.1:{free_port()}"
    words[words.index("--prometheus") + 1] = url
    ran = spawn(*words, cwd=tmp_path)
    assert ran.code == 1
    (line,) = [line for line in ran.err.splitlines() if not line.startswith("hint: ")]
    assert line.startswith(f"cloudkitty-like: error: Prometheus at {url}/api/v1 cannot be reached")
