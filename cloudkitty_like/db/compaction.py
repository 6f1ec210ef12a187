"""Giving back to the disk what was deleted from a SQLite file.

SQLite keeps the pages of deleted rows in the file, to use them again.  ``VACUUM`` writes the file anew without them;
readers read on meanwhile, and writers wait.  Its alternative, ``auto_vacuum``, costs each insert 3 to 40 % more and
takes five times as long to give the same pages back.  PostgreSQL and MariaDB look after their files themselves.
"""
from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudkitty_like.db.engine import Database, failure
from cloudkitty_like.domain.errors import Unavailable

WORTH_WHILE = 0.1       # of the file's pages have to be free
CHECKPOINT_SECONDS = 1  # that are waited for readers, before the file is left to be cut at the next checkpoint


@dataclass(frozen=True, slots=True)
class FileSizes:
    """The size of a database file before and after, in bytes."""

    before: int
    after: int


def compact(database: Database) -> FileSizes | None:
    """Give the free pages of a SQLite file back to the disk; None where that is no file, or few of its pages are free.

    :raises Unavailable: when there is too little room to write the file anew, or the database fails; it stays as it is.
    """
    if not database.is_file or not database.exists:
        return None
    with _outside_a_transaction(database) as cursor:
        before, free = _number(cursor, "page_count"), _number(cursor, "freelist_count")
        page = _number(cursor, "page_size")
        if free < before * WORTH_WHILE:
            return None
        _check_room(database, (before - free) * page)
        cursor.execute("VACUUM")
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_SECONDS * 1000}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return FileSizes(before * page, _number(cursor, "page_count") * page)


def _check_room(database: Database, needed: int) -> None:
    """What is kept is written twice: to SQLite's temporary file, and to the log beside the database."""
    for directory in (Path(str(database.url.database)).parent, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(directory).free
        if free < 2 * needed:
            raise Unavailable(f"{directory} has {free} bytes free, and to write {database} anew takes {2 * needed}")


def _number(cursor: sqlite3.Cursor, pragma: str) -> int:
    return int(cursor.execute(f"PRAGMA {pragma}").fetchone()[0])


@contextmanager
def _outside_a_transaction(database: Database) -> Iterator[Any]:
    """A cursor of the driver itself: SQLite refuses to shrink within a transaction."""
    connection = database.engine.raw_connection()
    try:
        yield connection.cursor()
    except sqlite3.Error as error:
        raise failure(f"the database {database}", error) from error
    finally:
        connection.invalidate()        # its busy_timeout is not that of the others
        connection.close()
