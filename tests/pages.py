"""Pages of the documentation whose commands work as they stand."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.commands import PATIENCE
from tests.servers import require

PAGES = Path(__file__).parents[1] / "doc" / "source"


@dataclass(frozen=True)
class Followed:
    """What a page's commands printed, one after the other."""

    out: str

    def printed(self, command: str) -> str:
        """By the first ``cloudkitty-like`` command that begins so."""
        after = self.out.partition(f"$ cloudkitty-like {command}")[2]
        return re.split(r"^\$ ", after, maxsplit=1, flags=re.MULTILINE)[0]


def commands(page: str) -> list[str]:
    """Everything on it that is set apart by ``::``, line by line; the text of a file stays with its command."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", (PAGES / page).read_text(encoding="utf-8"))
    lines = [line for block in found for line in textwrap.dedent(block).strip("\n").splitlines()]
    joined: list[str] = []
    file = False
    for line in lines:
        if file:
            joined[-1] += f"\n{line}"
            file = line != "END"
        else:
            joined.append(line)
            file = line.endswith("<<'END'")
    return joined


def follow(page: str, directory: Path) -> Followed:
    """Give its commands in this directory; each has to go well."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = "".join(f"echo {shlex.quote(f'$ {line}')}\n{line}\n" for line in commands(page))
    ran = subprocess.run([require("bash"), "-euo", "pipefail", "-c", f"exec 2>&1\n{script}"], cwd=directory,
                         capture_output=True, text=True, timeout=4 * PATIENCE, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout[-3000:]
    return Followed(ran.stdout)
