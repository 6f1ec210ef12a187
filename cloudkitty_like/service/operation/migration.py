"""How the state database gets the schema that this release needs.

One Alembic history, in :mod:`cloudkitty_like.db.migrations`.  Several processes
may upgrade at once: one does it, the others wait and find it done.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from cloudkitty_like.db import migrations, schema, schema_loss
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Conflict, Invalid, Unavailable
from cloudkitty_like.domain.schema_version import KNOWN, NEEDED

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
    """Take the database back to a revision; what an older schema has no place for is gone: see :func:`losses`."""
    with _unchecked(database) as opened:
        _run(opened, lambda config: command.downgrade(config, revision))


def losses(database: Database, revision: str) -> list[tuple[str, int]]:
    """What a downgrade to ``revision`` has no place for: each table or column, and its number of rows.

    :raises Conflict: when the database has no schema, or one that this release does not know.
    :raises Invalid: when it has no later schema than ``revision``.
    """
    held = schema.version(database)
    schema.refuse_newer(database, held)
    if held is None:
        raise Conflict(f"the database {database} has no schema yet")
    if revision not in KNOWN:
        raise Invalid(f"there is no schema {revision}", hint=f"there are {', '.join(KNOWN)}")
    if KNOWN.index(revision) >= KNOWN.index(held):
        raise Invalid(f"the database {database} has the schema {held}, which is not later than {revision}")
    kept = _shape_of(revision)
    with database.read() as tx:
        return schema_loss.losses(tx, kept)


def _shape_of(revision: str) -> schema_loss.TableColumns:
    """The tables and columns of a revision, as it makes them in a database of its own."""
    with TemporaryDirectory(prefix="cloudkitty-like-schema-") as directory:
        scratch = Database(f"sqlite:///{directory}/schema.sqlite")
        try:
            upgrade(scratch, revision)
            with scratch.read() as tx:
                return schema_loss.shape(tx)
        finally:
            scratch.close()


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
                          hint=f"this release knows up to {NEEDED}") from error
        except DBAPIError as error:
            raise Unavailable(f"the schema of {database} could not be changed: {error.orig}") from error


@contextmanager
def _unchecked(database: Database) -> Iterator[Database]:
    """The database without checks of foreign keys, where it is a SQLite file.

    SQLite loses a column by writing the table anew, and refuses to drop the old one while others refer to it.
    """
    if database.dialect != "sqlite" or not database.is_file:
        yield database
        return
    opened = Database(database.url.render_as_string(hide_password=False))
    event.listen(opened.engine, "connect", lambda connection, record: connection.execute("PRAGMA foreign_keys = OFF"))
    try:
        yield opened
    finally:
        opened.close()


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
