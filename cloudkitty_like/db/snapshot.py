"""A copy of an SQLite database at one instant, and a look at one that came from elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import func, select

from cloudkitty_like.db.engine import SQLITE_BUSY_SECONDS, Database
from cloudkitty_like.db.tables import frame, ledger_tx, rule_change, scope
from cloudkitty_like.domain.errors import Invalid, Unavailable

PAGES = 2000  # copied between two looks at whoever wants to stop it


def copy(
    source: Path, target: Path, progressed: Callable[[int, int], None] = lambda done, pages: None
) -> None:
    """Write into the new file ``target`` what the database ``source`` is at this instant.

    ``progressed`` is told the pages that are copied and those that there are.  Writers
    are not kept waiting.
    The copy is one file: there is nothing beside it that belongs to it.

    :raises Unavailable: when the source cannot be read or the target cannot be written.
    """
    uri = f"file:{quote(str(source.absolute()))}?mode=rw"
    try:
        with (
            closing(
                sqlite3.connect(uri, uri=True, timeout=SQLITE_BUSY_SECONDS, isolation_level=None)
            ) as live,
            closing(sqlite3.connect(target, isolation_level=None)) as snapshot,
        ):
            # SQLite begins a copy again whenever the source changes; within a transaction that
            # reads, the source does not change.
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_master").fetchone()
            live.backup(
                snapshot,
                pages=PAGES,
                progress=lambda status, left, pages: progressed(pages - left, pages),
            )
            live.execute("ROLLBACK")
            snapshot.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise Unavailable(f"the database {source} cannot be copied: {error}") from error


def check(file: Path) -> str | None:
    """The schema of a database file that came from elsewhere; None where it has none.

    :raises Invalid: when it is damaged, or holds what no database of ours does.
    """
    uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            kinds = {
                kind for (kind,) in connection.execute("SELECT DISTINCT type FROM sqlite_master")
            }
            if foreign := sorted(kinds - {"table", "index"}):
                raise Invalid(f"{file.name}: it holds a {foreign[0]}, which no ledger has")
            damage = [
                text for (text,) in connection.execute("PRAGMA quick_check(5)") if text != "ok"
            ]
            if damage:
                raise Invalid(*(f"{file.name}: it is damaged: {text}" for text in damage))
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])
    except sqlite3.Error as error:
        raise Invalid(f"{file.name}: it is no database that can be read: {error}") from error


def counts(database: Database) -> dict[str, int]:
    """How many scopes, current frames, points of these, changes of ledger and rules there are."""
    questions = {
        "scopes": select(func.count()).select_from(scope),
        "frames": select(func.count()).select_from(frame).where(frame.c.current == 1),
        "points": select(func.coalesce(func.sum(frame.c.points), 0)).where(frame.c.current == 1),
        "ledger_changes": select(func.count()).select_from(ledger_tx),
        "rule_changes": select(func.count()).select_from(rule_change),
    }
    with database.read() as tx:
        return {
            name: int(tx.execute(question).scalar_one()) for name, question in questions.items()
        }
