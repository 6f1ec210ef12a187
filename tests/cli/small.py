"""A small installation for tests that change it: two scopes and two days of usage in a file."""
from __future__ import annotations

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


@dataclass
class Site:
    """An installation that reads usage from a file, in one directory."""

    path: Path
    here: Here

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
        for group, options in groups.items():
            settings[group] = settings.get(group, {}) | options
        write_configuration(self.conf, settings)

    def spawn(self, *arguments: str | Path) -> Ran:
        return spawn("--config-file", self.conf, *arguments)

    def prepared(self) -> Site:
        self.here.ok("dbsync", "upgrade")
        self.here.ok("rules", "apply", self.path / "rules.yml")
        return self

    def rated(self) -> Site:
        self.prepared()
        ran = self.spawn("rate", "--begin", FIRST, "--end", LAST)
        assert (ran.code, ran.out) == (0, ""), ran
        return self
