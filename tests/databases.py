"""Real databases for tests: an empty one for each test, of all three kinds.

A test parametrised over the kinds::

    @pytest.fixture(params=KINDS)
    def database(request):
        with new_database(request.param) as made:
            yield made

Where they are is told by :mod:`cloudkitty_like.testing.databases`; where a server
does not answer the test is skipped, but under ``REQUIRE_SERVERS=1`` it fails.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import create_engine

from cloudkitty_like.db import tables
from cloudkitty_like.db.engine import Database
from cloudkitty_like.testing.databases import (
    SERVERS,
    NoServer,
    create_database,
    drop_database,
    empty_database,
)
from tests.emptying import disposed, emptied


def missing(server: str) -> None:
    """Say that a server is not there: a skip, or a failure where all of them are required."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"{server} is required (REQUIRE_SERVERS=1)")
    pytest.skip(server)


@contextmanager
def new_database(kind: str, *, create: bool = True) -> Iterator[Database]:
    """A new database, with all tables unless ``create`` is false, which is gone afterwards."""
    with ExitStack() as stack:
        kept = kind in SERVERS and create
        try:
            url = stack.enter_context(_kept(kind) if kept else empty_database(kind))
        except NoServer as error:
            missing(str(error))
        database = Database(url)
        stack.callback(database.close)
        if create and not kept:
            tables.metadata.create_all(database.engine)
        yield database


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
        url = create_database(kind)
        with disposed(create_engine(url)) as engine:
            tables.metadata.create_all(engine)
    try:
        yield url
    finally:
        if emptied(kind, url):
            _idle[kind].append(url)
        else:
            drop_database(kind, url)


def drop_kept() -> None:
    """End the databases that wait for another test of this process."""
    for kind, urls in _idle.items():
        while urls:
            drop_database(kind, urls.pop())
