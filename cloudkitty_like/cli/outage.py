"""The rows of ``status`` that say whether anything can be rated: modules, source, definitions, workers, room to write.

A worker at work tells in its heartbeat what keeps it from rating; its word
counts beside what this command finds on its own host.
"""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.cli.check import tried
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.service.operation.check import CheckState, HealthCheck

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.worker_state import WorkerState
    from cloudkitty_like.service.operation.workers import WorkerOverview


def worker_overview(app: App) -> WorkerOverview:
    """Who is at work, and how much there is to rate."""
    from cloudkitty_like.service.operation.workers import worker_overview

    with app.database.read() as tx:
        return worker_overview(tx, app.clock(), app.period, app.conf.collect.wait_periods)


# --- what is needed to rate -------------------------------------------------------------------------


def source(app: App, overview: WorkerOverview | None) -> HealthCheck:
    """Whether the source answers here and, where somebody is at work (None: nobody knows), there."""
    from cloudkitty_like.domain.worker_state import SOURCE

    check = tried("source", lambda: _data(app))
    if check.state == "ok" and check.text.startswith(NO_DATA):
        check = replace(check, state="warning")
    return _with_workers(check, overview, SOURCE)


NO_DATA = "it answers, and has no data"


def _data(app: App) -> str:
    ends = getattr(app.collector, "ends", lambda: None)()
    if ends is not None:
        return f"it ends at {instant(ends)}: nothing is due after that"
    now = app.clock()
    since = Period.month_of(now - timedelta(days=28)).begin
    begins = app.collector.begins(app.metrics.metrics, Period(since, now))
    if begins is None:
        return f"{NO_DATA} since {instant(since)}"
    return f"data since {instant(begins)}, looking back to {instant(since)}"


def rating_modules(app: App, overview: WorkerOverview) -> HealthCheck:
    """Whether every module that is on can be loaded and makes sense of its rules, here and at the workers."""
    from cloudkitty_like.domain.worker_state import MODULES

    check = tried("rating modules", lambda: ", ".join(app.use_cases.tariffs.latest()[1].modules))
    if not check.text:
        check = replace(check, state="warning", text="none is on: nothing gets a price")
    return _with_workers(check, overview, MODULES)


def _with_workers(check: HealthCheck, overview: WorkerOverview | None, cause: str) -> HealthCheck:
    blocked = overview.blocked(cause) if overview is not None else []
    if not blocked:
        return check
    text = "; ".join(f"worker {beat.place}: {beat.doing}" for beat in blocked)
    return HealthCheck(check.name, "error",
                       text if check.state == "ok" else f"{check.text}; {text}")


def definitions(app: App) -> HealthCheck:
    """Whether all workers measure by the same metric definitions, and this host would."""
    name = "metric definitions"
    standing = app.use_cases.acceptances.standing()
    if standing is None:
        return HealthCheck(name, "ok", "none accepted yet: the first worker accepts its own")
    if standing.differing:
        return HealthCheck(name, "error", f"{standing} (decide: cloudkitty-like metrics accept FILE --reason TEXT)")
    try:
        change = app.use_cases.acceptances.differs(app.metrics)
    except Error:
        change = None              # metrics.yml has a row of its own
    if change is None:
        return HealthCheck(name, "ok", str(standing))
    return HealthCheck(name, "warning",
                       f"metrics.yml here is not the accepted one: {change}; it comes to hold when a worker "
                                  "starts with it and no other is at work")


def room(app: App) -> HealthCheck:
    """Whether the database can be written, and for SQLite whether there is room to."""
    from cloudkitty_like.service.operation.disk_space import (
        LITTLE,
        TOO_LITTLE,
        free_bytes,
        require_writable,
    )

    def written() -> str:
        require_writable(app.database)
        return "the database can be written"

    check, free = tried("writing", written), free_bytes(app.database)
    if check.state == "error" or free is None or free >= LITTLE:
        return check
    return HealthCheck(check.name, "error" if free < TOO_LITTLE else "warning",
                       f"{free >> 20} MiB are free where the database is: without room nothing can be recorded")


# --- who rates --------------------------------------------------------------------------------------


def workers(overview: WorkerOverview) -> list[HealthCheck]:
    """Whether those are at work that have to be, then each of them and each that was lost."""
    lost: CheckState = "error" if overview.missing else "warning"
    return [
        HealthCheck("workers", *_at_work(overview)),
        *(HealthCheck(f"worker {beat.place}", "error" if beat.blocked else "ok", _told(beat))
          for beat in overview.alive),
        *(HealthCheck(f"worker {beat.place}", lost, f"{_told(beat)}; last seen {instant(beat.seen_at)[:19]}Z")
          for beat in overview.lost)]


def _at_work(overview: WorkerOverview) -> tuple[CheckState, str]:
    due = f"{overview.due} scope{'s' * (overview.due != 1)} could be rated further"
    if overview.alive:
        blocked = [beat for beat in overview.alive if beat.blocked]
        text = f"{len(overview.alive)} at work"
        if not blocked:
            return "ok", text
        return ("error" if len(blocked) == len(overview.alive) else "warning",
                f"{text}, {len(blocked)} of which cannot rate anything")
    if overview.missing:
        return "error", f"none is at work, and {due} (start: cloudkitty-like processor, or standalone)"
    if not overview.due:
        return "ok", "none is at work, and nothing is due"
    return "ok", f"none is at work; {due} when one is started (processor, standalone, rate)"


def _told(beat: WorkerState) -> str:
    stages = ", ".join(f"{name} {cpu:.1f} s CPU" for name, (_, cpu) in sorted(beat.stages.items()))
    return (f"{beat.doing} since {instant(beat.since)[:19]}Z, {beat.periods} periods, {beat.points} points, "
            f"{beat.requests} requests; {stages or 'nothing done yet'}")
