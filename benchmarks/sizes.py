"""The bytes that a database takes on disk."""
from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from cloudkitty_like.db import tables
from cloudkitty_like.db.engine import Database


def size(database: Database) -> int:
    """Tables and indexes, everything that is ours."""
    return {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[database.dialect](database)


def _sqlite(database: Database) -> int:
    assert database.url.database is not None
    with closing(sqlite3.connect(database.url.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(database.url.database).stat().st_size


def _postgresql(database: Database) -> int:
    names = [table.name for table in tables.metadata.sorted_tables]
    with database.engine.connect() as connection:
        # As the server does by itself between two periods: rows of rollups that have been replaced take no more room.
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"VACUUM {', '.join(names)}"))
    with database.read() as tx:
        query = text("SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables WHERE relname = ANY(:names)")
        return int(tx.execute(query, {"names": names}).scalar_one())


def _mysql(database: Database) -> int:
    with database.write() as tx:
        for table in tables.metadata.sorted_tables:
            tx.execute(text(f"ANALYZE TABLE {table.name}"))
    with database.read() as tx:
        query = text("SELECT sum(data_length + index_length) FROM information_schema.tables "
                     "WHERE table_schema = DATABASE()")
        return int(tx.execute(query).scalar_one())
