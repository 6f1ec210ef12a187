"""Rating scripts in the state database, with two times as rules have them (:mod:`cloudkitty_like.db.rules.rules`).

A script has versions, numbered from 1 on: another text or another order is
another version, and they stand beside each other, each with the time for which
it holds.  A row of ``script`` is one recorded state of one version.  Texts are
kept once each, by their checksum.
"""
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.rules.bitemporal import audit_info, recorded_at, state_histories
from cloudkitty_like.db.tables import script as table
from cloudkitty_like.db.tables import script_text
from cloudkitty_like.domain.change import AuditInfo
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import Script, ScriptVersion, version_key


@dataclass(frozen=True, slots=True)
class ScriptState:
    """A version of a script as one change left it."""

    id: str                            # of the script, through all its versions
    version: int
    script: Script
    deleted_at: datetime | None = None

    @property
    def key(self) -> str:
        """Names this version of this script among all: ``<id>/<version>``."""
        return version_key(self.id, self.version)




@dataclass(frozen=True, slots=True)
class ScriptHistory:
    """A script: its versions in their newest states, oldest first, and what was done to it."""

    id: str
    versions: Sequence[ScriptVersion]
    audit_info: AuditInfo




def states(tx: Connection, change: int | None = None) -> list[ScriptState]:
    """Every version's state as known at ``change`` (None: now), past and future ones too.  One query."""
    rows = tx.execute(select(table, script_text.c.data).join(script_text, script_text.c.checksum == table.c.checksum)
                      .where(recorded_at(table, change)).order_by(table.c.id))
    return [ScriptState(row.script_id, row.version, _script(row), row.deleted_at) for row in rows]


def stored(tx: Connection, change: int | None = None) -> dict[str, Script]:
    """All versions of all scripts, by their keys, as known at ``change`` (None: now).  One query.

    A deleted script is among them, as one that has ended.  Of those that hold
    at an instant no two have one name.
    """
    return {script_state.key: script_state.script for script_state in states(tx, change)}


def provenance(tx: Connection, change: int | None = None) -> dict[str, ScriptVersion]:
    """Whose each version is that :func:`stored` answers, by the same keys, as known at that change.  One query."""
    which = () if change is None else (table.c.recorded_from <= change,)
    versions = [version for rows in state_histories(tx, table, table.c.script_id, *which).values()
                for version in _versions(rows, change)]
    return {version.key: version for version in versions if version.known}


def histories(tx: Connection, identity: str | None = None) -> list[ScriptHistory]:
    """All scripts, or the one of this id; deleted ones too; in the order in which they were made.  One query."""
    which = () if identity is None else (table.c.script_id == identity,)
    return [ScriptHistory(script_id, _versions(rows, None), audit_info(rows))
            for script_id, rows in state_histories(tx, table, table.c.script_id, *which).items()]


def texts(tx: Connection, checksums: Collection[str]) -> dict[str, str]:
    """The texts of these checksums."""
    by_checksum = {}
    for chunk in chunks(sorted(set(checksums))):
        rows = tx.execute(select(script_text).where(script_text.c.checksum.in_(chunk)))
        by_checksum.update({row.checksum: row.data for row in rows})
    return by_checksum


def newest(tx: Connection, identity: str) -> int:
    """The highest number that a version of this script has ever had; 0 where there is none."""
    return tx.execute(select(func.max(table.c.version)).where(table.c.script_id == identity)).scalar() or 0


def write(tx: Connection, change: int, ended: Collection[tuple[str, int]],
          script_states: Sequence[ScriptState]) -> None:
    """The known states of the versions ``ended`` (id, number) are known no more, these are, under an open change."""
    for identity, number in ended:
        tx.execute(update(table).values(recorded_to=change).where(
            table.c.recorded_to.is_(None), table.c.script_id == identity, table.c.version == number))
    kept = {script_state.script.checksum: script_state.script.text
            for script_state in script_states}
    for checksum in _missing(tx, kept):
        tx.execute(insert(script_text).values(checksum=checksum, data=kept[checksum]))
    if script_states:
        tx.execute(insert(table), [{
            "script_id": script_state.id, "version": script_state.version,
            "name": script_state.script.name, "checksum": script_state.script.checksum,
            "position": script_state.script.order, "description": script_state.script.description,
            "valid_from": script_state.script.valid.begin,
            "valid_to": script_state.script.valid.end,
            "recorded_from": change, "deleted_at": script_state.deleted_at,
        } for script_state in script_states])


def _missing(tx: Connection, checksums: Collection[str]) -> list[str]:
    """Those of these checksums whose text is not kept yet."""
    there = set(tx.execute(select(script_text.c.checksum).where(script_text.c.checksum.in_(checksums))).scalars())
    return sorted(set(checksums) - there)


def _script(row: Row[Any]) -> Script:
    return Script(name=row.name, text=row.data, order=row.position, description=row.description,
                  valid=Validity(row.valid_from, row.valid_to))


def _versions(rows: Sequence[Row[Any]], change: int | None) -> list[ScriptVersion]:
    """Of one script's recorded states, oldest first: each version once, as it was last known at the change."""
    first: dict[int, Row[Any]] = {}
    last: dict[int, Row[Any]] = {}
    for row in rows:
        first.setdefault(row.version, row)
        last[row.version] = row
    return [ScriptVersion(
        id=row.script_id, version=number, name=row.name, checksum=row.checksum, order=row.position,
        description=row.description, valid=Validity(row.valid_from, row.valid_to), author=first[number].made_by,
        recorded_at=first[number].made_at, change=first[number].recorded_from,
        reason=first[number].made_why, deleted=row.deleted_at is not None,
        known=row.recorded_to is None or (change is not None and row.recorded_to > change),
    ) for number, row in sorted(last.items())]
