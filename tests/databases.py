"""Real databases for tests: an empty one for each, of all three kinds, and nothing left of them afterwards.

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
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from cloudkitty_like.db import tables
from cloudkitty_like.db.engine import Database
from tests.emptying import disposed, emptied

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
    """An empty database of this kind, with all tables unless ``create`` is false; nothing is left of it afterwards."""
    with ExitStack() as stack:
        kept = kind in SERVERS and create
        url = stack.enter_context(_kept(kind) if kept else _dropped(kind))
        database = Database(url)
        stack.callback(database.close)
        if create and not kept:
            tables.metadata.create_all(database.engine)
        yield database


@contextmanager
def _dropped(kind: str) -> Iterator[str]:
    """The URL of a database that exists as long as the block lasts."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="cloudkitty-like-") as directory:
            yield f"sqlite:///{Path(directory) / 'state.sqlite'}"
        return
    url = _create(kind)
    try:
        yield url
    finally:
        drop(kind, url)


def _create(kind: str) -> str:
    charset = " CHARACTER SET utf8mb4" if kind == "mysql" else ""
    name = f"test_{uuid.uuid4().hex}"
    with _maintenance(kind) as engine:
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}{charset}"))
        except SQLAlchemyError as error:
            missing(f"{kind} does not answer at {engine.url.host}:{engine.url.port}: {error}")
        return make_url(SERVERS[kind][0]).set(database=name).render_as_string(hide_password=False)


def drop(kind: str, url: str) -> None:
    """End a server's database, whoever uses it."""
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


# --- kept for the next test ----------------------------------------------------------------------------
#
# To make a server's database with all its tables takes longer than most tests do with it.

_idle: dict[str, list[str]] = {kind: [] for kind in SERVERS}


@contextmanager
def _kept(kind: str) -> Iterator[str]:
    """The URL of a database with all tables, empty: one that is left from another test, or a new one."""
    if _idle[kind]:
        url = _idle[kind].pop()
    else:
        url = _create(kind)
        with disposed(create_engine(url)) as engine:
            tables.metadata.create_all(engine)
    try:
        yield url
    finally:
        if emptied(kind, url):
            _idle[kind].append(url)
        else:
            drop(kind, url)


def drop_kept() -> None:
    """End the databases that wait for another test of this process."""
    for kind, urls in _idle.items():
        while urls:
            drop(kind, urls.pop())
