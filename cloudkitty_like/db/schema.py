"""Which schema the state database has, and whether it is the one that this release needs.

Every command asks, so it is asked without Alembic, which takes as long to
import as SQLAlchemy does.  How the schema changes is
:mod:`cloudkitty_like.service.operation.migration`'s affair.
"""
from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.schema_version import KNOWN, NEEDED

HELD = table("alembic_version", column("version_num"))


def version(database: Database) -> str | None:
    """The schema that the database has; None where it has none yet."""
    with database.read() as tx:
        return held(tx)


def held(tx: Connection) -> str | None:
    """:func:`version`, in a transaction that there is already."""
    return tx.execute(select(HELD.c.version_num)).scalar() if inspect(tx).has_table(HELD.name) else None


def required(database: Database) -> str:
    """The schema that the database has; Conflict where it is not the one that this release needs."""
    revision = version(database)
    if revision == NEEDED:
        return revision
    refuse_newer(database, revision)
    held_now = f"the schema {revision}" if revision else "no schema yet"
    raise Conflict(f"the database {database} has {held_now}, this release needs {NEEDED}",
                   hint="bring it up to date: cloudkitty-like dbsync upgrade")


def refuse_newer(database: Database, revision: str | None) -> None:
    """Conflict where the schema ``revision`` is none that this release knows."""
    if revision is not None and revision not in KNOWN:
        raise Conflict(f"the database {database} has the schema {revision}, which this release "
                       f"does not know; it knows up to {NEEDED}",
                       hint="a newer release has been here: install that one")
