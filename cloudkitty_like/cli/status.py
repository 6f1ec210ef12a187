"""``status``: is everything reachable, migrated and alive?  The exit code says it to programs."""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import outage, output
from cloudkitty_like.cli.check import tried
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.text import counted
from cloudkitty_like.service.operation.check import HealthCheck

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.service.operation.workers import WorkerOverview


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verify", action="store_true",
                        help="work out every total from the points again and compare, to the last digit")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, app: App) -> int:
    checks = list(_checks(app, args.verify))
    if args.json:
        output.json([{"check": check.name, "state": check.state, "detail": check.text} for check in checks])
    else:
        output.table(("check", "state", "detail"), [(check.name, check.state, check.text) for check in checks])
    return 1 if any(check.state == "error" for check in checks) else 0


def _checks(app: App, verify: bool) -> Iterator[HealthCheck]:
    database = tried("database", lambda: _schema(app))
    yield database
    yield tried("metrics.yml", lambda: counted(len(app.metrics.metrics), 'metric'))
    yield tried("scopes found by the fetcher", lambda: str(len(set(app.fetcher.scopes()))))
    overview = _known(app) if database.state == "ok" else None
    source = outage.source(app, overview)
    yield source
    yield from _password_files(app)
    if overview is not None:
        yield tried("ledger", lambda: _ledger(app))
        yield tried("storage of points", lambda: _storage(app))
        yield tried("leases", lambda: _leases(app))
        yield outage.room(app)
        yield outage.rating_modules(app, overview)
        yield outage.definitions(app)
        yield from outage.workers(overview)
        yield from _scopes(app)
        yield _tasks(app)
        yield _holes(app)
        yield from _names(app, source.state != "error")
        if verify:
            yield from _verified(app)


def _known(app: App) -> WorkerOverview | None:
    """None where the database has gone since it was looked at: then there is nothing to say."""
    try:
        return outage.worker_overview(app)
    except Error:
        return None


def _schema(app: App) -> str:
    return f"schema {app.schema} in {app.database}"


def _password_files(app: App) -> Iterator[HealthCheck]:
    """Who may read and write the files of [http_basic], where the API uses them and they are on this host."""
    from cloudkitty_like.api import identity

    identity.register(app.conf)
    files = (Path(app.conf.http_basic.htpasswd_file), Path(app.conf.http_basic.users_file))
    if not identity.is_basic(app.conf) or not any(path.exists() for path in files):
        return
    problems, warnings = identity.problems(app.conf), identity.warnings(app.conf)
    yield HealthCheck("password files", "error" if problems else "warning" if warnings else "ok",
                      "; ".join(problems or warnings) or ", ".join(map(str, files)))


def _ledger(app: App) -> str:
    from cloudkitty_like.domain.query import Query

    _ = app.use_cases.ledger             # refuses settings that do not fit
    rows = app.use_cases.summary.rows(Query(scopes=None))
    points = rows[0].sum.points if rows else 0
    return counted(points, 'point')


def _storage(app: App) -> str:
    from cloudkitty_like.service.operation.health import storage_place

    return f"{app.conf.storage.backend}, {storage_place(app.storage)}"


def _leases(app: App) -> str:
    from cloudkitty_like.orchestrator.lease import lease

    lease(app, "status", 0).close()
    return counted(app.conf.orchestrator.shards, 'shard')


def _scopes(app: App) -> Iterator[HealthCheck]:
    states = app.use_cases.scopes.states()
    failing = [state for state in states if state.active and state.error]
    yield HealthCheck("scopes", "warning" if failing else "ok",
                      f"{len(states)} known, {len(failing)} with an error"
                      + ("; see 'cloudkitty-like scopes list'" if failing else ""))


def _tasks(app: App) -> HealthCheck:
    waiting = app.use_cases.tasks.tasks(waiting=True)
    failing = [task for task in waiting if task.error is not None]
    return HealthCheck("tasks", "warning" if failing else "ok",
                       f"{len(waiting)} to correct the past, {len(failing)} with an error"
                       + ("; see 'cloudkitty-like reprocess list --waiting'" if waiting else ""))


def _holes(app: App) -> HealthCheck:
    from cloudkitty_like.domain.hole import UNKNOWN

    extents = app.use_cases.holes.extents()
    text = ", ".join(f"{counted(extent.seconds // app.conf.collect.period, 'period')} of "
                     f"{counted(extent.scopes, 'scope')} {kind}"
                     for kind, extent in sorted(extents.items()))
    return HealthCheck("holes", "warning" if UNKNOWN in extents else "ok",
                       f"{text}; see 'cloudkitty-like scopes holes'" if extents else "none")


def _names(app: App, source: bool) -> Iterator[HealthCheck]:
    """What is probably a typo, beside the source if that answers; nothing where another row says what keeps it."""
    from cloudkitty_like.cli import name_warnings

    try:
        texts = name_warnings.of_status(app, source=source)
    except Error:
        return
    yield from (HealthCheck("names", "warning", text) for text in texts[:name_warnings.MOST])
    if len(texts) > name_warnings.MOST:
        yield HealthCheck("names", "warning",
                          f"{len(texts) - name_warnings.MOST} more; see 'cloudkitty-like metrics check'")
    if not texts:
        yield HealthCheck("names", "ok", "rules, metrics.yml and usage have the same names for the same things")


def _verified(app: App) -> Iterator[HealthCheck]:
    """Totals by scope, metric and day: from the rollups, from the frames' totals, and from the points."""
    from cloudkitty_like.service.operation.verification import differences

    mismatches = differences(app.database, app.use_cases.summary)
    for text in mismatches[:20]:
        yield HealthCheck("totals", "error", text)
    if not mismatches:
        yield HealthCheck("totals", "ok",
                          "sums of points, totals of frames, days and months are equal to the last digit")
