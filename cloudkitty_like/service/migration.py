"""How the state database gets the schema that this release needs.

One Alembic history, in :mod:`cloudkitty_like.db.migrations`.  Several processes
may upgrade at once: one does it, the others wait and find it done.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cloudkitty_like.db import migrations, schema
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Invalid, Unavailable

HISTORY = str(Path(migrations.__file__).parent)
PATIENCE = 600          # seconds that one upgrade waits for another
LOCK = 8239_0001        # of PostgreSQL's advisory locks, which are per database; an arbitrary number


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision; nothing happens where it is there already.

    Conflict where a newer release has been there, Invalid where the revision
    does not exist.
    """
    _run(database, lambda config: command.upgrade(config, revision))


def downgrade(database: Database, revision: str = "base") -> None:
    """Take the database back to a revision, with all the data that came later.  For tests."""
    _run(database, lambda config: command.downgrade(config, revision))


def _run(database: Database, action: Callable[[Config], None]) -> None:
    with _alone(database) as connection:
        schema.refuse_newer(database, schema.held(connection))
        config = Config()
        config.set_main_option("script_location", HISTORY.replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            action(config)
        except CommandError as error:
            raise Invalid(f"the schema cannot be changed: {error}",
                          hint=f"this release knows up to {schema.NEEDED}") from error
        except DBAPIError as error:
            raise Unavailable(f"the schema of {database} could not be changed: {error.orig}") from error


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A transaction in which nobody else changes the schema.  On SQLite every writer is alone."""
    with database.write() as tx:
        if database.dialect == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if database.dialect != "mysql":
            yield tx
            return
        lock = {"lock": f"cloudkitty-like schema {database.url.database}"[:64], "patience": PATIENCE}
        if not tx.execute(text("SELECT GET_LOCK(:lock, :patience)"), lock).scalar():
            raise Unavailable(f"somebody else has been changing the schema of {database} for {PATIENCE} seconds")
        try:
            yield tx
            # MariaDB commits with every change of the schema; what is left to commit must be before others may look.
            tx.execute(text("COMMIT"))
        finally:
            tx.execute(text("DO RELEASE_LOCK(:lock)"), lock)
