"""A server's database made as if it were new, so that another test can have it."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from cloudkitty_like.db import tables

MOST_ROWS = 2000
"""Of one table.  To delete more takes longer than a new database, and leaves room and statistics behind."""
OTHERS = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                  "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
COLUMNS = {
    "postgresql": "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'",
    "mysql": "SELECT count(*) FROM information_schema.columns WHERE table_schema = database()",
}
COUNTED = {
    "postgresql": "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND auto_increment > 1",
}


@contextmanager
def disposed(engine: Engine) -> Iterator[Engine]:
    """The engine; its connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


def emptied(kind: str, url: str) -> bool:
    """Take all rows out, let all ids begin with 1 again, and end who is still connected.

    False where it is quicker to make another one, or where the tables are not what they were.
    """
    with disposed(create_engine(url, isolation_level="AUTOCOMMIT")) as engine:
        try:
            with engine.connect() as connection:
                return _is_unchanged(kind, connection) and _emptied(kind, connection)
        except SQLAlchemyError:
            return False


def _is_unchanged(kind: str, connection: Connection) -> bool:
    wanted = tables.metadata.tables
    columns = sum(len(table.columns) for table in wanted.values())
    return (set(inspect(connection).get_table_names()) == set(wanted)
            and connection.execute(text(COLUMNS[kind])).scalar() == columns)


def _emptied(kind: str, connection: Connection) -> bool:
    for (number,) in connection.execute(text(OTHERS[kind])).all():
        if kind == "mysql":
            connection.execute(text(f"KILL CONNECTION {number}"))
    names = [table.name for table in reversed(tables.metadata.sorted_tables)]
    found = connection.execute(text(" UNION ALL ".join(
        f"SELECT '{name}', EXISTS (SELECT 1 FROM {name}), "
        f"EXISTS (SELECT 1 FROM {name} LIMIT 1 OFFSET {MOST_ROWS})" for name in names))).all()
    if any(many for _, _, many in found):
        return False
    filled = {name for name, some, _ in found if some}
    for name in names:
        if name in filled:
            connection.execute(text(f"DELETE FROM {name}"))
    for (counted,) in connection.execute(text(COUNTED[kind])).all():
        if kind == "mysql":
            connection.execute(text(f"ALTER TABLE {counted} AUTO_INCREMENT = 1"))
    return True
