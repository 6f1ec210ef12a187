"""Whether what is rated could be recorded: the database can be written, and a file has room to grow."""
from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.tables import ledger_setting
from cloudkitty_like.domain.errors import Unavailable

LITTLE, TOO_LITTLE = 256 << 20, 8 << 20        # bytes


def require_writable(database: Database) -> None:
    """Unavailable where nothing can be written.  Nothing is: the statement is about no row."""
    try:
        with database.write() as tx:
            tx.execute(update(ledger_setting).where(ledger_setting.c.name == "").values(value=""))
    except DBAPIError as error:
        raise Unavailable(f"the database {database} cannot be written: {' '.join(str(error.orig).split())}") from error


def free_bytes(database: Database) -> int | None:
    """How much room there is for an SQLite file; None for a database that is elsewhere."""
    if database.dialect != "sqlite" or not database.url.database:
        return None
    try:
        return shutil.disk_usage(Path(database.url.database).absolute().parent).free
    except OSError:
        return None
