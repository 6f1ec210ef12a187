"""Where the rules of hashmap and scripts are worked on, on each database and on SQLite alone."""
from __future__ import annotations

import pytest

from cloudkitty_like.db.engine import Database
from tests.service.hashmaps import Desk
from tests.service.scripting import Workshop


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def quick(sqlite: Database) -> Desk:
    return Desk(sqlite)


@pytest.fixture
def workshop(database: Database) -> Workshop:
    return Workshop(database)


@pytest.fixture
def bench(sqlite: Database) -> Workshop:
    return Workshop(sqlite)
