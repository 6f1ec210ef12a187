"""Where the rules of hashmap are worked on, on each database and on SQLite alone."""
from __future__ import annotations

import pytest

from cloudkitty_like.db.engine import Database
from tests.service.hashmaps import Desk


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def quick(sqlite: Database) -> Desk:
    return Desk(sqlite)
