"""What the README shows is what happens."""
from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudkitty_like.testing.network import free_port
from tests.cli.conftest import sample as sample  # the fixture
from tests.clients import installed
from tests.commands import PATIENCE, Here, Ran, spawn
from tests.servers import require
from tests.serving import serving

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
        if words[0] in ("report", "scopes", "status", "explain", "quote", "history"):
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
    ran = spawn(*words, "--once", cwd=tmp_path)
    assert ran.code == 1
    (line,) = [line for line in ran.err.splitlines() if not line.startswith("hint: ")]
    assert line.startswith(f"cloudkitty-like: error: Prometheus at {url}/api/v1 cannot be reached")


# --- over HTTP ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The README's own API over the README's own sample: where they were started, and the port."""
    directory, port = tmp_path_factory.mktemp("readme"), free_port()
    (sample,) = [words for words in commands() if "--sample" in words]
    (api,) = [words for words in commands() if words[0] == "api"]
    assert spawn(*sample, cwd=directory).code == 0
    with serving(*api, cwd=directory, port=port):
        yield directory, port


def shell(text: str, directory: Path, port: int) -> str:
    """What these commands print, one empty line at least after each."""
    here = text.replace("8889", str(port)).replace(".venv/bin", str(Path(sys.executable).parent))
    script = "".join(f"{line}\necho\n" for line in here.splitlines())
    ran = subprocess.run([require("bash"), "-euo", "pipefail", "-c", script], cwd=directory, capture_output=True,
                         text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def priced(directory: Path, by: str) -> dict[str, float]:
    """Prices of the report in the sample's state directory, of all units together."""
    found: dict[str, float] = {}
    for row in json.loads(spawn("report", "--by", by, "--json", cwd=directory).out):
        key = "/".join(row["key"].values())
        found[key] = found.get(key, 0) + float(row["price"])
    return found


def check_file(directory: Path) -> None:
    """``october.csv`` has the price of every project and metric."""
    with (directory / "october.csv").open(newline="") as file:
        rows = [{name.lower().replace(" ", "_"): cell for name, cell in row.items()} for row in csv.DictReader(file)]
    assert {f"{row['project_id']}/{row['type']}": pytest.approx(float(row["rate"])) for row in rows} == priced(
        directory, "scope,metric")


def test_its_calls_with_curl_are_answered(served: tuple[Path, int]) -> None:
    require("curl")
    printed = shell(block("RATING="), *served)
    price, modules, total, days = [json.loads(line) for line in printed.splitlines() if line]
    assert (price["cost"], price["type"]) == ("0.002", "flat")
    assert [module["module_id"] for module in modules["modules"] if module["enabled"]] == ["hashmap"]
    website = priced(served[0], "scope")["website"]
    assert dict(zip(total["columns"], *total["results"], strict=True))["rate"] == pytest.approx(website)
    assert total["columns"][:4] == ["begin", "end", "qty", "rate"]
    assert total["results"][0][2] is None          # of several units
    assert days["total"] == 31
    assert sum(day[3] for day in days["results"]) == pytest.approx(website)
    check_file(served[0])


def test_its_calls_with_the_client_are_answered(served: tuple[Path, int]) -> None:
    installed()
    printed = shell(block("export OS_AUTH_TYPE"), *served)
    tables = [[[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line[:1] == "|"]
              for table in printed.split("\n\n") if "|" in table]
    (_, price), modules, (heading, total), (_, *days) = tables
    assert price[2:4] == ["0.002", "flat"]
    assert modules[1] == ["hashmap", "True", "1"]
    website = priced(served[0], "scope")["website"]
    assert float(total[heading.index("Rate")]) == pytest.approx(website)
    assert len(days) == 31
    assert sum(float(day[heading.index("Rate")]) for day in days) == pytest.approx(website)
    check_file(served[0])
