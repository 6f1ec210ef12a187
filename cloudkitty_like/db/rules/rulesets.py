"""Rule-set versions: one number for all that a price depends on.

That is the rules and modules as recorded at a change, the metrics.yml in use,
and the version of this software.  Whoever meets a combination first gives it
its number; everybody else finds the same one.
"""
from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from cloudkitty_like.db.tables import metrics_document, ruleset
from cloudkitty_like.domain.change import Ruleset


def find(tx: Connection, change: int, metrics: str, software: str) -> Ruleset | None:
    """The version of this combination, if it has one."""
    version = tx.execute(select(ruleset.c.version).where(
        ruleset.c.change == change, ruleset.c.metrics == metrics, ruleset.c.software == software)).scalar()
    return None if version is None else Ruleset(version, change, metrics, software)


def get(tx: Connection, version: int) -> Ruleset | None:
    """What a version stands for."""
    row = tx.execute(select(ruleset).where(ruleset.c.version == version)).first()
    return None if row is None else Ruleset(row.version, row.change, row.metrics, row.software)


def add(tx: Connection, change: int, metrics: str, software: str, at: datetime) -> None:
    """Give the combination a version; IntegrityError where it has one."""
    tx.execute(insert(ruleset).values(change=change, metrics=metrics, software=software, at=at))


def has_document(tx: Connection, digest: str) -> bool:
    return tx.execute(select(metrics_document.c.digest).where(metrics_document.c.digest == digest)).first() is not None


def document(tx: Connection, digest: str) -> str | None:
    """The text of a metrics.yml that was in use."""
    return tx.execute(select(metrics_document.c.text).where(metrics_document.c.digest == digest)).scalar()


def add_document(tx: Connection, digest: str, text: str, at: datetime) -> None:
    """Keep a metrics.yml; IntegrityError where it is kept already."""
    tx.execute(insert(metrics_document).values(digest=digest, text=text, at=at))
