"""The commands as a person gives them: most in this process, for speed; what ends its process in one of its own."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudkitty_like.cli.main import main

PATIENCE = 120


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


def spawn(*arguments: str | Path, cwd: Path | None = None) -> Ran:
    """``python -m cloudkitty_like`` with these arguments, in a process of its own."""
    run = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=cwd)
    return Ran(run.returncode, run.stdout, run.stderr)


@contextmanager
def started(*arguments: str | Path, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; killed where the test did not end it."""
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=cwd) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "cloudkitty_like", *map(str, arguments)]


class Here:
    """``cloudkitty-like`` in this process; ``capsys`` is pytest's."""

    def __init__(self, capsys: Any, *options: str | Path) -> None:
        self._capsys, self._options = capsys, options

    def __call__(self, *arguments: str | Path) -> Ran:
        self._capsys.readouterr()
        try:
            code = main([*map(str, self._options), *map(str, arguments)])
        except SystemExit as leaving:              # argparse's way to end
            code = leaving.code if isinstance(leaving.code, int) else 1
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    def ok(self, *arguments: str | Path) -> str:
        """What it printed; it must have gone well."""
        ran = self(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.ok(*arguments, "--json"))


def write_configuration(path: Path, settings: Mapping[str, Mapping[str, object]]) -> Path:
    """A configuration file of these groups and options."""
    path.write_text("".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        for group, options in settings.items()), encoding="utf-8")
    return path
