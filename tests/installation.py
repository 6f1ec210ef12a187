"""A whole installation in a directory, worked by its command line in processes of their own.

A test makes one::

    site = Installation(tmp_path, "sqlite:////...")
    site.prepare()
    site.run("rate", "--begin", ..., "--end", ...)

Usage comes from a CSV file that :class:`History` makes of formulas, or from a
Prometheus where its URL is given.
"""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from cloudkitty_like.cli.main import main
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import instant

PATIENCE = 120.0
QUICK = ("report", "rules", "scopes", "status")
HOUR = timedelta(hours=1)
LABELS = ("project_id", "id", "flavor", "size")
METRICS = """\
metrics:
  instance:
    unit: h
    groupby: [id, flavor]
    metadata: [size]
  volume:
    unit: GiB
    factor: 1/3
    groupby: [id]
    metadata: [size]
  traffic:
    unit: MB
    groupby: [id]
    skip_datapoints_expression: datapoint.get('vol', {}).get('qty', 0) == 0
"""
RULES = """\
services:
  instance:
  - {field: flavor, value: small, cost: 0.0211}
  - {field: flavor, value: large, cost: 0.0977}
  - {field: flavor, value: large, cost: 0.0777, scope: scope-1}
  volume:
  - {cost: 0.00003}
  - {level: 20, type: rate, cost: 0.9}
  traffic:
  - {cost: 0.0007, type: flat}
"""


@dataclass(frozen=True)
class History:
    """Usage by formulas: ``scopes`` × three metrics × ``series``, every hour; some hours of some scopes are empty."""

    hours: int
    scopes: int = 5
    series: int = 3
    begin: datetime = datetime(2026, 9, 29, tzinfo=UTC)        # so that a month ends in it

    @property
    def end(self) -> datetime:
        return self.begin + self.hours * HOUR

    @property
    def window(self) -> list[str]:
        return ["--begin", instant(self.begin), "--end", instant(self.end)]

    def csv(self) -> Iterator[str]:
        yield "begin,metric,quantity,project_id,id,flavor,size\n"
        for hour in range(self.hours):
            begin = instant(self.begin + hour * HOUR)
            for scope in range(self.scopes):
                if (hour + scope) % 7 == 0:
                    continue
                for number in range(self.series):
                    seed = (hour * 31 + scope * 7 + number * 3) % 97
                    flavor = ("small", "large", "unknown")[(number + hour // 5) % 3]
                    where = f"scope-{scope},{scope}-{number}"
                    yield f"{begin},instance,0.{seed + 1:02},{where},{flavor},{number}\n"
                    yield f"{begin},volume,{seed},{where},,{seed % 4}\n"
                    yield f"{begin},traffic,{seed * (seed % 3)}.000000000001,{where},,\n"
        # The file says all there is up to its last row.
        yield f"{instant(self.end)},instance,1,scope-0,0-0,small,0\n"


@dataclass
class Installation:
    """``settings`` are added to its configuration, by group."""

    directory: Path
    connection: str
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, history: History | None = None, *, metrics: str = METRICS, rules: str = RULES) -> None:
        """Write the files, make the schema and apply the rules."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if history is not None:
            (self.directory / "usage.csv").write_text("".join(history.csv()))
        (self.directory / "metrics.yml").write_text(metrics)
        self.configure()
        self.run("dbsync", "upgrade")
        if rules:
            self.apply(rules, "--retroactive")

    def configure(self, name: str = "site.conf", **changes: Mapping[str, object]) -> str:
        """Write a configuration file, by default the one that every command reads; its path."""
        usage = str(self.directory / "usage.csv")
        settings: dict[str, dict[str, object]] = {
            "database": {"connection": self.connection},
            "collect": {"collector": "file", "metrics_conf": self.directory / "metrics.yml"},
            "fetcher": {"backend": "file"},
            "collector_file": {"path": usage},
            "fetcher_file": {"path": usage},
            "orchestrator": {"coordination_url": f"file://{self.directory / 'locks'}", "poll_interval": 0.2},
        }
        for more in (self.settings, changes):
            for group, values in more.items():
                settings.setdefault(group, {}).update(values)
        path = self.directory / name
        path.write_text("".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
            for group, values in settings.items()))
        return str(path)

    def apply(self, rules: str, *options: str) -> None:
        path = self.directory / "rules.yml"
        path.write_text(rules)
        self.run("rules", "apply", str(path), *options)

    def command(self, *arguments: str, config: str = "site.conf") -> list[str]:
        return [sys.executable, "-m", "cloudkitty_like", f"--config-file={self.directory / config}", *arguments]

    def start(self, *arguments: str, config: str = "site.conf") -> subprocess.Popen[str]:
        """A process; what it says goes to the file ``log``."""
        with (self.directory / "log").open("a") as log:
            return subprocess.Popen(self.command(*arguments, config=config), stdout=log, stderr=log, text=True,
                                    env={**os.environ, **self.environment})

    def run(self, *arguments: str, code: int | None = 0, config: str = "site.conf") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be with this exit code (None: any).

        One that only asks, or changes a row, runs in this process: that takes a fraction of the time.
        """
        if arguments[0] in QUICK and not self.environment:
            done = here(self.command(*arguments, config=config)[3:])
        else:
            done = subprocess.run(self.command(*arguments, config=config), capture_output=True, text=True, check=False,
                                  timeout=PATIENCE, env={**os.environ, **self.environment})
        assert code is None or done.returncode == code, \
            f"{' '.join(arguments)}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.log}"
        return done

    @property
    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text()[-3000:] if path.exists() else ""

    # --- what it answers -------------------------------------------------------------------------

    def report(self, *options: str, by: str = ",".join(("scope", "metric", "day", *LABELS))) -> str:
        """The report by scope, metric, day and labels, exactly as printed."""
        return self.run("report", "--json", "--by", by, *options).stdout

    def scopes(self) -> dict[str, dict[str, Any]]:
        """``scopes list``, by scope, without what depends on the moment."""
        found = json.loads(self.run("scopes", "list", "--json").stdout)
        return {one["scope"]: {name: value for name, value in one.items() if name != "lag_seconds"} for one in found}

    def verify(self) -> None:
        """``status --verify`` finds every total to be the sum of its points."""
        checks = json.loads(self.run("status", "--verify", "--json", code=None).stdout)
        totals = [check for check in checks if check["check"] == "totals"]
        assert [check["state"] for check in totals] == ["ok"], totals

    @contextmanager
    def database(self) -> Iterator[Database]:
        made = Database(self.connection)
        try:
            yield made
        finally:
            made.close()


def here(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """What the program does with these arguments, without a process of its own."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def number(database: Database, query: str) -> int:
    """The one number that a query answers."""
    with database.read() as tx:
        return int(tx.execute(text(query)).scalar() or 0)
