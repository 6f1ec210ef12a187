"""Wrong input at every door: one clear line for each error, exit 1, and never a traceback."""
from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudkitty_like.testing.network import free_port
from tests.cli.small import Site
from tests.commands import Ran

NOWHERE = f"http://127.0.0.1:{free_port()}"
BACKFILL = ("rate", "--begin", "2026-03-01", "--end", "2026-03-02")
REPORT = ("report",)


def complained(ran: Ran, *said: str) -> None:
    """Exactly as many error lines as texts are given, each holding its own; and nothing that is not for people."""
    assert ran.code == 1, ran
    assert "Traceback" not in ran.err
    assert "internal error" not in ran.err
    lines = [line for line in ran.err.splitlines() if ": error: " in line]
    assert len(lines) == len(said), ran.err
    for line, text in zip(lines, said, strict=True):
        assert text in line
    assert all(": error: " in line or ": warning: " in line or line.startswith("hint: ")
               for line in ran.err.splitlines()), ran.err


@dataclass(frozen=True)
class Case:
    """What is done wrong in a configuration, by whom it is met, and what is said."""

    name: str
    said: tuple[str, ...]
    settings: dict[str, dict[str, Any]]
    command: tuple[str, ...] = BACKFILL


def case(name: str, *said: str, command: tuple[str, ...] = BACKFILL, **settings: dict[str, Any]) -> Case:
    return Case(name, said, settings, command)


CONFIGURATIONS = [
    case("period-text", "[collect] period: not a whole number: 'hour'", collect={"period": "hour"}),
    case("period-negative", "[collect] period:", collect={"period": -5}),
    case("period-odd", "[collect] period: 7000 seconds do not divide a day", collect={"period": 7000}),
    case("wait", "[collect] wait_periods:", collect={"wait_periods": "-1"}),
    case("scope-key-empty", "[collect] scope_key: it is empty", collect={"scope_key": ""}),
    case("two-at-once", "[collect] wait_periods: not a whole number: 'two'", "[orchestrator] shards:",
         collect={"wait_periods": "two"}, orchestrator={"shards": 0}),
    case("retries", "[orchestrator] retry_most: it is shorter", orchestrator={"retry_first": 9, "retry_most": 3}),
    case("float", "[orchestrator] poll_interval: not a number: 'often'", orchestrator={"poll_interval": "often"}),
    case("skip", "skip_datapoints_expression", orchestrator={"skip_datapoints_expression": "__import__('os')"}),
    case("coordination", "[orchestrator] coordination_url", orchestrator={"coordination_url": "nothing://here"}),
    case("locks", "[orchestrator] coordination_url: ", orchestrator={"coordination_url": "file:///dev/null/x"}),
    case("collector", "no collector is called 'prometeus'", collect={"collector": "prometeus"}),
    case("fetcher", "no fetcher is called 'nothing'", fetcher={"backend": "nothing"}),
    case("storage", "no storage is called 'influxdb'", command=REPORT, storage={"backend": "influxdb"}),
    case("all-plugins", "no fetcher is called 'a'", "no collector is called 'b'", "no storage is called 'c'",
         fetcher={"backend": "a"}, collect={"collector": "b"}, storage={"backend": "c"}),
    case("no-usage", "[collector_file] path: ", collector_file={"path": "no-such.csv"}),
    case("no-path", "[collector_file] path: is not set", collector_file={"path": ""}),
    case("no-metrics", "no-such.yml", collect={"metrics_conf": "no-such.yml"}),
    case("metrics-directory", "/dev", collect={"metrics_conf": "/dev"}),
    case("url-missing", "[collector_prometheus] prometheus_url: is not set", collect={"collector": "prometheus"}),
    case("url-bad", "[fetcher_prometheus] prometheus_url: is not a URL", fetcher={"backend": "prometheus"},
         fetcher_prometheus={"prometheus_url": "localhost:9090"}),
    case("both-urls", "[fetcher_prometheus] prometheus_url:", "[collector_prometheus] prometheus_url:",
         collect={"collector": "prometheus"}, fetcher={"backend": "prometheus"}),
    case("url-password", "[collector_prometheus] prometheus_url: holds a user or a password",
         collect={"collector": "prometheus"}, collector_prometheus={"prometheus_url": "http://me:secret@localhost"}),
    case("timeout", "[collector_prometheus] timeout: not a number: 'long'", collect={"collector": "prometheus"},
         collector_prometheus={"prometheus_url": NOWHERE, "timeout": "long"}),
    case("guard", "[collector_prometheus] guard:", collect={"collector": "prometheus"},
         collector_prometheus={"prometheus_url": NOWHERE, "guard": "up{"}),
    case("ca", "[collector_prometheus] cafile: /no/such.pem", collect={"collector": "prometheus"},
         collector_prometheus={"prometheus_url": NOWHERE, "cafile": "/no/such.pem"}),
    case("unreachable", NOWHERE, fetcher={"backend": "prometheus"}, fetcher_prometheus={"prometheus_url": NOWHERE}),
    case("pool", "[database] max_pool_size: not a whole number: 'big'", command=REPORT,
         database={"max_pool_size": "big"}),
    case("database-url", "[database] connection", command=REPORT, database={"connection": "no url"}),
    case("database-kind", "[database] connection: oracle is not supported", command=REPORT,
         database={"connection": "oracle://host/name"}),
    case("database-down", "the database postgresql+psycopg://rating:***@127.0.0.1:1/rating failed", command=REPORT,
         database={"connection": "postgresql://rating:secret@127.0.0.1:1/rating"}),
    case("mysql-down", "the database mysql+pymysql://rating:***@127.0.0.1:1/rating", command=BACKFILL,
         database={"connection": "mysql://rating:secret@127.0.0.1:1/rating"}),
    case("database-place", "[database] connection: /dev/null cannot be made", command=("dbsync", "upgrade"),
         database={"connection": "sqlite:////dev/null/state.sqlite"}),
    case("log-file", "[DEFAULT] log_file, log_dir: ", command=("processor", "--once"),
         DEFAULT={"log_file": "/dev/null/log"}),
    case("log-debug", "[DEFAULT] ", command=("processor", "--once"), DEFAULT={"debug": "perhaps"}),
]


@pytest.mark.parametrize("wrong", CONFIGURATIONS, ids=lambda wrong: wrong.name)
def test_a_wrong_value_is_named_with_its_reason(site: Site, wrong: Case) -> None:
    site.prepared()
    site.configure(**wrong.settings)
    run = site.spawn if wrong.command[0] == "processor" else site.here
    ran = run(*wrong.command)
    complained(ran, *wrong.said)
    assert "secret" not in ran.err


METRICS = {
    "not-yaml": ("metrics: [", "metrics.yml"),
    "empty": ("", "metrics.yml"),
    "no-metrics": ("metric: {}", "metrics.yml"),
    "list": ("- a", "metrics.yml"),
    "no-unit": ("metrics: {instance: {groupby: [flavor]}}", "unit"),
    "unknown-key": ("metrics: {instance: {unit: hour, group_by: [flavor]}}", "group_by"),
    "factor": ("metrics: {instance: {unit: hour, factor: 1/0}}", "factor"),
    "mutate": ("metrics: {instance: {unit: hour, mutate: HALF}}", "mutate"),
    "extra-args": ("metrics: {instance: {unit: hour, extra_args: {aggregation_method: max}}}", "extra_args"),
    "expression": ("metrics: {instance: {unit: hour, skip_datapoints_expression: 'open(1)'}}", "skip_datapoints"),
    "twice": ("metrics: {instance: {unit: hour}, instance: {unit: day}}", "instance"),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_wrong_metrics_file_is_refused(site: Site, name: str) -> None:
    text, said = METRICS[name]
    (site.path / "metrics.yml").write_text(text)
    complained(site.prepared().here(*BACKFILL), said)


def test_all_that_is_wrong_with_the_metrics_is_said_at_once(site: Site) -> None:
    (site.path / "metrics.yml").write_text("metrics: {a: {factor: x, unit: u}, b: {unit: u, mutate: y}, c: {}}")
    complained(site.prepared().here(*BACKFILL), "factor", "mutate", "unit")


RULES = {
    "not-yaml": ("services: {", ("rules.yml",)),
    "no-services": ("rules: {}", ("rules.yml: a file of rules begins with 'services:'",)),
    "no-cost": ("services: {instance: [{field: flavor, value: a}]}", ("instance[0].cost: is missing",)),
    "typo": ("services: {instance: [{cots: 1, cost: 1}]}", ("did you mean 'cost'?",)),
    "cost": ("services: {instance: [{cost: cheap}]}", ("instance[0].cost",)),
    "type": ("services: {instance: [{cost: 1, type: fixed}]}", ("instance[0].type",)),
    "times": ("services: {instance: [{cost: 1, start: 2026-02-01, end: 2026-01-01}]}", ("instance[0]",)),
    "overlap": ("services: {instance: [{cost: 1}, {cost: 2}]}", ("instance[1]",)),
    "three": ("services:\n  a: [{cost: x}]\n  b: [{}]\n  c: 5\n", ("line 2: a[0]", "line 3: b[0]", "line 4: c")),
}


@pytest.mark.parametrize("name", RULES)
def test_a_wrong_rules_file_is_refused_line_by_line(site: Site, name: str) -> None:
    text, said = RULES[name]
    site.prepared()
    (site.path / "wrong-rules.yml").write_text(text)
    complained(site.here("rules", "apply", site.path / "wrong-rules.yml"), *said)
    assert "cost: 0.5" in site.here.ok("rules", "export")


HEADER = "begin,metric,quantity,project_id,flavor\n"
CSV = {
    "empty": ("", "usage.csv"),
    "no-scope": ("begin,metric,quantity\n2026-03-01T00:00:00Z,instance,1\n", "project_id"),
    "no-quantity": ("begin,metric,project_id\n2026-03-01T00:00:00Z,instance,a\n", "quantity"),
    "quantity": (HEADER + "2026-03-01T00:00:00Z,instance,much,alpha,small\n", "line 2"),
    "nan": (HEADER + "2026-03-01T00:00:00Z,instance,NaN,alpha,small\n", "line 2"),
    "date": (HEADER + "first of march,instance,1,alpha,small\n", "line 2"),
    "cells": (HEADER + "2026-03-01T00:00:00Z,instance,1,alpha\n", "line 2"),
    "bytes": (HEADER + "2026-03-01T00:00:00Z,instance,1,alpha,sm\udcffll\n", "usage.csv"),
}


@pytest.mark.parametrize("name", CSV)
def test_a_wrong_csv_file_is_refused(site: Site, name: str) -> None:
    text, said = CSV[name]
    (site.path / "usage.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    complained(site.prepared().here(*BACKFILL), said)


OPTIONS = [
    (("report", "--begin", "yesterday"), "--begin: 'yesterday' is not a date or time"),
    (("report", "--begin", "2026-02-30"), "--begin: '2026-02-30' is not a date or time"),
    (("report", "--begin", "2026-03-02", "--end", "2026-03-01"), "--end: it is not after --begin"),
    (("report", "--end", "2026-03-01T25:00"), "--end"),
    (("report", "--as-of", "nonsense"), "--as-of: 'nonsense' is not a date or time"),
    (("report", "--as-of", "-5"), "--as-of"),
    (("report", "--as-of", "1234567"), "--as-of: the ledger has no change"),
    (("report", "--as-of", "12345678"), "--as-of: '12345678' is not a date or time"),
    (("report", "--as-of", "1999-01-01"), "the ledger has no change up to"),
    (("report", "--by", "scope,,metric"), "--by: 'scope,,metric' holds an empty name"),
    (("report", "--by", "scope,scope"), "--by: scope is named twice"),
    (("report", "--filter", "flavor"), "--filter: 'flavor' is not LABEL=VALUE"),
    (("report", "--csv", "--json"), "not allowed with"),
    (("report", "--scope", "nobody"), "no scope is called 'nobody'"),
    (("report", "--colour", "red"), "--colour"),
    (("report", "--filter", "flavor=\udcff"), "'flavor=\\udcff' is not text in UTF-8"),
    (("rate",), "--begin, --end"),
    (("rate", "--begin", "2026-03-01T00:30", "--end", "2026-03-02"), "--begin: 2026-03-01T00:30:00Z is inside"),
    (("rate", "--begin", "2026-03-01", "--end", "2999-01-01"), "--end: 2999-01-01T00:00:00Z is in the future"),
    (("rate", "--begin", "2026-03-01", "--end", "2026-03-01"), "--end: it is not after --begin"),
    (("scopes", "reset", "nobody", "--to", "2026-03-01"), "no scope is called 'nobody'"),
    (("scopes", "activate", "nobody"), "no scope is called 'nobody'"),
    (("scopes", "retry", "nobody"), "no scope is called 'nobody'"),
    (("scopes", "retry"), "name the scopes, or say --all"),
    (("scopes", "retry", "alpha", "--all"), "name the scopes, or say --all"),
    (("scopes", "reset", "alpha"), "--to"),
    (("scopes", "accept-empty", "--all", "--begin", "2026-03-01", "--end", "2026-03-02"), "--reason"),
    (("scopes", "accept-empty", "--all", "--begin", "2026-03-01", "--end", "2026-03-02", "--reason", " "), "--reason"),
    (("scopes",), "ACTION"),
    (("rules", "apply", "no-such.yml"), "no-such.yml: No such file"),
    (("rules", "apply", "/dev"), "/dev: Is a directory"),
    (("rules", "list", "--at", "noon"), "--at"),
    (("modules", "enable", "nothing"), "no rating module is called 'nothing'"),
    (("modules", "priority", "hashmap", "high"), "'high'"),
    (("processor", "--workers", "0"), "--workers: 0 is not a number of processes"),
    (("dbsync", "upgrade", "--revision", "9999"), "9999"),
    (("frobnicate",), "frobnicate"),
    ((), "COMMAND"),
    (("standalone", "--sample"), "use --state DIR instead"),
]


@pytest.mark.parametrize(("arguments", "said"), OPTIONS, ids=lambda value: "_".join(value) if value else "nothing")
def test_a_wrong_option_is_named(site: Site, arguments: tuple[str, ...], said: str) -> None:
    site.prepared()
    complained(site.here(*arguments), said)


def make_directory(path: Path) -> None:
    path.mkdir()


def leave_out(path: Path) -> None:
    pass


def write_nonsense(path: Path) -> None:
    path.write_text("no option\n")


def write_bytes(path: Path) -> None:
    path.write_bytes(b"[collect]\nscope_key = \xff\n")


def write_secret(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path.touch(0o200)


@pytest.mark.parametrize("make", [make_directory, leave_out, write_nonsense, write_bytes, write_secret])
def test_a_configuration_file_that_is_none_is_refused(site: Site, make: Callable[[Path], None]) -> None:
    site.conf.unlink()
    make(site.conf)
    complained(site.here("report"), str(site.conf))


def test_a_state_directory_that_is_none_is_refused(site: Site, capsys) -> None:
    complained(site.here("--state", "x", "report"), "--state: a state directory has its own configuration")
    bare = type(site.here)(capsys)
    ran = bare("report", "--state", site.path)
    complained(ran, f"--state: {site.path} is no state directory")
    assert f"standalone --state {site.path}" in ran.err


NEED_A_SCHEMA = [REPORT, BACKFILL, ("scopes", "list"), ("rules", "list"), ("modules", "list")]


@pytest.mark.parametrize("arguments", NEED_A_SCHEMA, ids=lambda arguments: arguments[0])
def test_a_database_that_is_not_there_is_said_to_be_missing_and_not_made(site: Site, arguments) -> None:
    ran = site.here(*arguments)
    complained(ran, f"there is no database at sqlite:///{site.path}/state.sqlite")
    assert "cloudkitty-like dbsync upgrade" in ran.err
    assert not (site.path / "state.sqlite").exists()


@pytest.mark.parametrize("arguments", NEED_A_SCHEMA, ids=lambda arguments: arguments[0])
def test_a_database_without_a_schema_needs_dbsync(site: Site, arguments) -> None:
    sqlite3.connect(site.path / "state.sqlite").close()
    (site.path / "state.sqlite").touch()
    ran = site.here(*arguments)
    complained(ran, "has no schema yet")
    assert "hint: bring it up to date: cloudkitty-like dbsync upgrade" in ran.err


def test_the_processor_needs_dbsync_too(site: Site) -> None:
    (site.path / "state.sqlite").touch()
    for workers in "1", "2":
        complained(site.spawn("processor", "--once", "--workers", workers), "has no schema yet")


def test_a_database_of_a_newer_release_is_left_alone(site: Site) -> None:
    site.prepared()
    with sqlite3.connect(site.path / "state.sqlite") as database:
        database.execute("update alembic_version set version_num = '9999'")
    for arguments in (*NEED_A_SCHEMA, ("dbsync", "upgrade")):
        complained(site.here(*arguments), "has the schema 9999, which this release does not know")


def test_a_file_that_is_no_database_is_said_to_be_none(site: Site) -> None:
    (site.path / "state.sqlite").write_text("something else " * 1000)
    complained(site.here("report"), "file is not a database")


@pytest.mark.parametrize("name", ["period", "scope_key"])
def test_what_the_ledger_was_begun_with_cannot_be_changed(site: Site, name: str) -> None:
    site.rated()
    site.configure(collect={name: {"period": 60, "scope_key": "flavor"}[name]})
    for arguments in (BACKFILL, ("scopes", "list")):
        ran = site.here(*arguments)
        complained(ran, f"[collect] {name}: ")
        assert "hint: set it back to keep this ledger" in ran.err


def test_an_option_that_nobody_reads_is_warned_of(site: Site) -> None:
    site.prepared()
    site.configure(collect={"colector": "x"}, orchestator={"shards": 2}, fetcher_file={"pth": "y"},
                   keystone_authtoken={"username": "rating"}, database={"conection": "z"})
    ran = site.here("status")
    assert ran.code == 0
    assert ran.err.splitlines() == [f"cloudkitty-like: warning: {site.conf}: {text}" for text in (
        "[database] conection: there is no such option; did you mean connection?",
        "[collect] colector: there is no such option; did you mean collector?",
        "[fetcher_file] pth: there is no such option; did you mean path?",
        "there is no group [orchestator]; did you mean [orchestrator]?")]
