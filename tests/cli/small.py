"""A small installation for tests that change it: two scopes and two days of usage in a file."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import Here, Ran, spawn, write_configuration

USAGE = """\
begin,metric,quantity,project_id,flavor
2026-03-01T00:00:00Z,instance,1,alpha,small
2026-03-01T00:00:00Z,instance,2,beta,large
2026-03-01T00:59:59Z,instance,0.5,beta,huge
2026-03-01T01:00:00Z,instance,3,alpha,small
2026-03-01T02:00:00Z,instance,4,alpha,small
2026-03-02T03:30:00Z,instance,8,beta,small
"""
METRICS = "metrics: {instance: {unit: hour, groupby: [flavor]}}\n"
RULES = """\
services:
  instance:
  - {field: flavor, value: small, cost: 0.5}
  - {field: flavor, value: large, cost: 1.25}
"""
FIRST, LAST = "2026-03-01", "2026-03-02T04:00"
_made: dict[str, bytes] = {}
"""The database after each step that was taken once in this process, with the configuration as it comes."""


@dataclass
class Site:
    """An installation that reads usage from a file, in one directory."""

    path: Path
    here: Here
    plain: bool = True                 # whether the configuration is the one that it comes with

    @property
    def conf(self) -> Path:
        return self.path / "rating.conf"

    def configure(self, **groups: dict[str, Any]) -> None:
        settings: dict[str, dict[str, Any]] = {
            "database": {"connection": f"sqlite:///{self.path}/state.sqlite"},
            "orchestrator": {"coordination_url": f"file://{self.path}/locks"},
            "collect": {"collector": "file", "metrics_conf": self.path / "metrics.yml"},
            "fetcher": {"backend": "file"},
            "collector_file": {"path": self.path / "usage.csv"},
            "fetcher_file": {"path": self.path / "usage.csv"},
        }
        self.plain = not groups
        for group, options in groups.items():
            settings[group] = settings.get(group, {}) | options
        write_configuration(self.conf, settings)

    def spawn(self, *arguments: str | Path) -> Ran:
        return spawn("--config-file", self.conf, *arguments)

    def prepared(self) -> Site:
        """With a database and the rules."""
        self._once("prepared", self._prepare)
        return self

    def rated(self) -> Site:
        """With all usage rated."""
        self._once("rated", self._rate)
        return self

    def _prepare(self) -> None:
        self.here.ok("dbsync", "upgrade")
        self.here.ok("rules", "apply", self.path / "rules.yml")

    def _rate(self) -> None:
        self.prepared()
        ran = self.spawn("rate", "--begin", FIRST, "--end", LAST)
        assert (ran.code, ran.out) == (0, ""), ran

    def _once(self, step: str, take: Callable[[], None]) -> None:
        """Take a step, or put the database there as it was after it."""
        file = self.path / "state.sqlite"
        usual = self.plain and not file.exists() and self._files() == tuple(map(str.encode, (USAGE, METRICS, RULES)))
        if usual and step in _made:
            file.write_bytes(_made[step])
            return
        take()
        if usual:
            with closing(sqlite3.connect(file)) as database:
                _made[step] = database.serialize()

    def _files(self) -> tuple[bytes, ...]:
        return tuple((self.path / name).read_bytes() for name in ("usage.csv", "metrics.yml", "rules.yml"))
