"""What the page on correcting the past shows is what happens."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.commands import PATIENCE, spawn
from tests.servers import require

PAGE = Path(__file__).parents[1] / "doc" / "source" / "corrections.rst"


def commands() -> list[str]:
    """The lines of everything that is set apart by ``::``."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", PAGE.read_text(encoding="utf-8"))
    return [line for block in found for line in textwrap.dedent(block).strip("\n").splitlines()]


def followed(directory: Path) -> str:
    """What the page's commands print, one after the other."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = "".join(f"echo {shlex.quote(f'$ {line}')}\n{line}\n" for line in commands())
    ran = subprocess.run([require("bash"), "-euo", "pipefail", "-c", script], cwd=directory, capture_output=True,
                         text=True, timeout=3 * PATIENCE, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    return ran.stdout


def printed(out: str, command: str) -> str:
    """What the first command that begins so has printed."""
    return re.split(r"^\$ ", out.partition(f"$ cloudkitty-like {command}")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_each_command_does_what_the_page_says(tmp_path: Path) -> None:
    out = followed(tmp_path)
    assert "0 added, 1 changed, 0 withdrawn" in printed(out, "rules apply")
    first = printed(out, "reprocess start --scope website").splitlines()[-1].split()
    assert first[:2] + first[5:7] == ["1", "website", "744/744", "done"]
    assert float(first[8]) > float(first[7]) > 0
    assert printed(out, "reprocess start --all").count("24/24  done") == 4
    now, then = (printed(out, f"report --scope website --by metric{as_of}\n") for as_of in ("", " --as-of 745"))
    assert now != then
    assert "1 task cancelled" in printed(out, "reprocess cancel 6")
    undone = printed(out, "reprocess undo 1").splitlines()[-1].split()
    assert (undone[9], undone[10]) == (first[8], first[7])
    assert spawn("report", "--scope", "website", "--by", "metric", cwd=tmp_path).out == then
    assert printed(out, "purge --rated-before 2026-10-08 --dry-run").endswith("Nothing was forgotten: a dry run.\n")
    assert "equal to the last digit" in printed(out, "status --verify")
    found = json.loads(spawn("history", "--json", cwd=tmp_path).out)
    assert [(one["cause"], one["reason"]) for one in found if one["kind"] == "ledger"][1:] == [
        ("reprocess", "price list"), ("reprocess", "price list"), ("undo", "the price list was wrong"),
        ("purge", "points rated before 2026-10-08T00:00:00Z")]
    changes = {one["cause"]: float(one["price"]) for one in found if one["published"] == 744}
    assert changes["undo"] == pytest.approx(-changes["reprocess"])
    assert changes["undo"] < 0
