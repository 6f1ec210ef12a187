"""Empty databases of each kind, for tests and benchmarks; nothing is left of them afterwards.

SQLite needs nothing.  PostgreSQL and MariaDB are looked for at their default
address; ``TEST_POSTGRESQL`` and ``TEST_MYSQL`` name another server, as a URL
without a database.
"""
from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

KINDS = ("sqlite", "postgresql", "mysql")
SERVERS = {
    "postgresql": (os.environ.get(
        "TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432"), "postgres"),
    "mysql": (os.environ.get("TEST_MYSQL", "mysql+pymysql://root@127.0.0.1:3306"), ""),
}
"""The URL of each server, and the database in which others are created."""


class NoServer(Exception):
    """The database server does not answer."""


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """The URL of a database without tables, which exists as long as the block lasts.

    :raises NoServer: when the server of this kind does not answer
    """
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="cloudkitty-like-") as directory:
            yield f"sqlite:///{Path(directory) / 'state.sqlite'}"
        return
    url = create_database(kind)
    try:
        yield url
    finally:
        drop_database(kind, url)


def create_database(kind: str) -> str:
    """Create a database on a server and return its URL.

    :raises NoServer: when the server does not answer
    """
    charset = " CHARACTER SET utf8mb4" if kind == "mysql" else ""
    name = f"test_{uuid.uuid4().hex}"
    with _maintenance(kind) as engine:
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}{charset}"))
        except SQLAlchemyError as error:
            address = f"{engine.url.host}:{engine.url.port}"
            raise NoServer(f"{kind} does not answer at {address}: {error}") from error
    url = make_url(SERVERS[kind][0]).set(database=name)
    return url.render_as_string(hide_password=False)


def drop_database(kind: str, url: str) -> None:
    """Drop a database of a server; on PostgreSQL also while somebody uses it."""
    force = " WITH (FORCE)" if kind == "postgresql" else ""
    with _maintenance(kind) as engine, engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {make_url(url).database}{force}"))


@contextmanager
def _maintenance(kind: str) -> Iterator[Engine]:
    server, database = SERVERS[kind]
    engine = create_engine(make_url(server).set(database=database), isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()
