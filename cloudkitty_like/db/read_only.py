"""A SQLite file that this process may read and not write: a backup, a copy, the ledger of another user.

In WAL mode SQLite wants to make two files beside the database, also for readers.  Where it cannot, a file that
nobody has open can be read as it is: SQLite calls that immutable.  Nothing tells SQLite then that somebody begins to
write after all, so the file is compared before and after.
"""
from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cloudkitty_like.domain.errors import Unavailable


def is_read_only(path: Path) -> bool:
    """Whether the file is there and this process cannot write to it, or not make the files that belong to it."""
    if not path.exists() or not os.access(path, os.R_OK):
        return False
    beside = all(os.access(file, os.W_OK) for file in _beside(path))
    return not os.access(path, os.W_OK) or not (os.access(path.parent, os.W_OK) or beside)


def connect(dialect: Any, record: Any, arguments: Any, options: Any) -> sqlite3.Connection:
    """Open the file for reading only; the arguments are those of SQLAlchemy's event ``do_connect``."""
    path = Path(arguments[0])
    mode = "mode=ro&immutable=1" if _is_closed(path) else "mode=ro"
    connection: sqlite3.Connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, **options)
    return connection


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Raise Unavailable where the file was changed within the block, though it was read as one that nobody writes."""
    closed, before = _is_closed(path), _signature(path)
    yield
    if closed and _signature(path) != before:
        raise Unavailable(f"{path} was changed while it was read", hint="somebody writes to it: try again")


def _beside(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm")]


def _is_closed(path: Path) -> bool:
    """Whether no process has the database open, nor was killed with something left to write into it."""
    return not any(file.exists() for file in _beside(path))


def _signature(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
