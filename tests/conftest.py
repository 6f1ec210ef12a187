"""Fixtures for every test: a state database of each kind."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudkitty_like.db.engine import Database
from tests.databases import KINDS, new_database


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty state database with all tables; the test runs once on each kind."""
    with new_database(request.param) as made:
        yield made


@pytest.fixture
def sqlite() -> Iterator[Database]:
    """An empty state database with all tables, on SQLite alone."""
    with new_database("sqlite") as made:
        yield made
