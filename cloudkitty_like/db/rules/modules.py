"""Which rating modules run, and in which order: rows with the time at which they were recorded."""
from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from cloudkitty_like.db.rules.bitemporal import recorded_at
from cloudkitty_like.db.tables import rating_module


@dataclass(frozen=True, slots=True)
class ModuleSetting:
    """What somebody has decided about a rating module."""

    enabled: bool
    priority: int


def stored(tx: Connection, change: int | None = None) -> dict[str, ModuleSetting]:
    """The modules about which something was decided, as known at ``change`` (None: now).  One query."""
    rows = tx.execute(select(rating_module).where(recorded_at(rating_module, change)))
    return {row.name: ModuleSetting(bool(row.enabled), row.priority) for row in rows}


def record(tx: Connection, change: int, name: str, state: ModuleSetting) -> None:
    """The module's state from this change on."""
    tx.execute(update(rating_module).values(recorded_to=change)
               .where(rating_module.c.name == name, rating_module.c.recorded_to.is_(None)))
    tx.execute(insert(rating_module).values(
        name=name, enabled=int(state.enabled), priority=state.priority, recorded_from=change))
