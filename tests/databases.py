"""Real databases for tests: a new one for each, of all three kinds, gone afterwards.

A test parametrised over the kinds::

    @pytest.fixture(params=KINDS)
    def database(request):
        with new_database(request.param) as made:
            yield made

SQLite needs nothing.  PostgreSQL and MariaDB are looked for at their default
address (``TEST_POSTGRESQL`` and ``TEST_MYSQL`` name another server, as a URL
without a database); where none answers the test is skipped, but under
``REQUIRE_SERVERS=1`` it fails.
"""
from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from cloudkitty_like.db import tables
from cloudkitty_like.db.engine import Database

KINDS = ("sqlite", "postgresql", "mysql")
SERVERS = {
    "postgresql": (os.environ.get("TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432"), "postgres"),
    "mysql": (os.environ.get("TEST_MYSQL", "mysql+pymysql://root@127.0.0.1:3306"), ""),
}


def missing(server: str) -> None:
    """Say that a server is not there: a skip, or a failure where all of them are required."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"{server} is required (REQUIRE_SERVERS=1)")
    pytest.skip(server)


@contextmanager
def new_database(kind: str, *, create: bool = True) -> Iterator[Database]:
    """An empty database of this kind, with all tables unless ``create`` is false; dropped afterwards."""
    with _empty(kind) as url:
        database = Database(url)
        try:
            if create:
                tables.metadata.create_all(database.engine)
            yield database
        finally:
            database.close()


@contextmanager
def _empty(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="cloudkitty-like-") as directory:
            yield f"sqlite:///{Path(directory) / 'state.sqlite'}"
        return
    server, maintenance = SERVERS[kind]
    name = f"test_{uuid.uuid4().hex}"
    url = make_url(server)
    engine = create_engine(url.set(database=maintenance), isolation_level="AUTOCOMMIT")
    charset = " CHARACTER SET utf8mb4" if kind == "mysql" else ""
    try:
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}{charset}"))
        except SQLAlchemyError as error:
            missing(f"{kind} does not answer at {url.host}:{url.port}: {error}")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name}{force}"))
    finally:
        engine.dispose()
