"""Heartbeats: what each worker does, since when, and how much it has done."""
from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from cloudkitty_like.db import settings
from cloudkitty_like.db.tables import worker
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, WorkerState


def beat(tx: Connection, heartbeat: WorkerState, daemon: bool | None = None) -> None:
    """Write the worker's row.  ``daemon``: whether one is missing when this one has ended; None: as before."""
    values = {
        "host": heartbeat.host, "pid": heartbeat.pid, "started_at": heartbeat.started_at,
        "seen_at": heartbeat.seen_at, "doing": heartbeat.doing[:255], "since": heartbeat.since,
        "periods": heartbeat.periods, "points": heartbeat.points, "requests": heartbeat.requests,
        "failures": heartbeat.failures,
        "stages": json.dumps(dict(heartbeat.stages)), "metrics": heartbeat.metrics, "blocked": heartbeat.blocked,
    }
    if not tx.execute(update(worker).where(worker.c.id == heartbeat.id).values(**values)).rowcount:
        tx.execute(insert(worker).values(id=heartbeat.id, **values))
    _engage(tx, heartbeat.id, daemon, heartbeat.seen_at)


def leave(tx: Connection, worker_id: str, daemon: bool | None, now: datetime) -> None:
    """Take the worker's row away."""
    tx.execute(delete(worker).where(worker.c.id == worker_id))
    _engage(tx, worker_id, daemon, now)


def _engage(tx: Connection, worker_id: str, daemon: bool | None, now: datetime) -> None:
    """Keep whether a daemon is to be at work; who comes now and then does not take the place of one that lives."""
    if daemon is None or settings.daemon(tx) == daemon:
        return
    if daemon or not alive(tx, now, ALIVE_WITHIN, but=worker_id):
        settings.set_daemon(tx, daemon)


def alive(tx: Connection, now: datetime, within: timedelta, but: str = "") -> int:
    """How many workers were seen lately, without the one of that id.

    What was seen in the future was so before the clock was set back, and may be dead since.
    """
    query = select(func.count()).select_from(worker).where(
        worker.c.seen_at.between(now - within, now + within), worker.c.id != but)
    return int(tx.execute(query).scalar_one())


def everyone(tx: Connection) -> list[WorkerState]:
    return [
        WorkerState(row.id, row.host, row.pid, row.started_at, row.seen_at, row.doing, row.since, row.periods,
                    row.points, row.requests, row.failures,
                    {name: (wall, cpu) for name, (wall, cpu) in json.loads(row.stages).items()},
                    row.metrics, row.blocked)
        for row in tx.execute(select(worker).order_by(worker.c.started_at))
    ]


def sweep(tx: Connection, before: datetime) -> None:
    """Forget workers not seen since then."""
    tx.execute(delete(worker).where(worker.c.seen_at < before))
