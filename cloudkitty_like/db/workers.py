"""Heartbeats: what each worker does, since when, and how much it has done."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from cloudkitty_like.db.tables import worker

ALIVE_WITHIN = timedelta(seconds=30)
"""Six heartbeats: a worker that was not seen for longer is taken for lost."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A row of ``worker``.  ``stages``: by stage, seconds of wall clock and of CPU."""

    id: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    doing: str
    since: datetime
    periods: int
    points: int
    requests: int
    failures: int                      # of requests
    stages: Mapping[str, tuple[float, float]]


def beat(tx: Connection, heartbeat: Heartbeat) -> None:
    """Write the worker's row."""
    values = {
        "host": heartbeat.host, "pid": heartbeat.pid, "started_at": heartbeat.started_at,
        "seen_at": heartbeat.seen_at, "doing": heartbeat.doing[:255], "since": heartbeat.since,
        "periods": heartbeat.periods, "points": heartbeat.points, "requests": heartbeat.requests,
        "failures": heartbeat.failures,
        "stages": json.dumps(dict(heartbeat.stages)),
    }
    if not tx.execute(update(worker).where(worker.c.id == heartbeat.id).values(**values)).rowcount:
        tx.execute(insert(worker).values(id=heartbeat.id, **values))


def leave(tx: Connection, worker_id: str) -> None:
    tx.execute(delete(worker).where(worker.c.id == worker_id))


def alive(tx: Connection, now: datetime, within: timedelta) -> int:
    """How many workers were seen lately."""
    query = select(func.count()).select_from(worker).where(worker.c.seen_at >= now - within)
    return int(tx.execute(query).scalar_one())


def everyone(tx: Connection) -> list[Heartbeat]:
    return [
        Heartbeat(row.id, row.host, row.pid, row.started_at, row.seen_at, row.doing, row.since, row.periods,
                  row.points, row.requests, row.failures,
                  {name: (wall, cpu) for name, (wall, cpu) in json.loads(row.stages).items()})
        for row in tx.execute(select(worker).order_by(worker.c.started_at))
    ]


def sweep(tx: Connection, before: datetime) -> None:
    """Forget workers not seen since then."""
    tx.execute(delete(worker).where(worker.c.seen_at < before))
