"""Whether the parts of an installation answer."""
from __future__ import annotations

from datetime import timedelta

import pytest

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.service.health import Health
from cloudkitty_like.service.ledger import Rated
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from tests.api.site import BrokenStorage, broken
from tests.books import NOW, Books, at


@pytest.fixture
def books(database):
    return Books(database)


def checks(database, storage):
    return {one.name: (one.well, one.text) for one in Health(database, storage, lambda: NOW).checks()}


def test_where_everything_answers_everything_is_well(books):
    found = checks(books.database, books.storage)
    assert all(well for well, _ in found.values())
    assert found["storage"][1] == "in the state database"
    assert found["rating"][1] == "nothing has been rated yet"


def test_how_far_rating_is_of_the_scope_that_is_farthest(books):
    for name, hour in (("alice", 0), ("bob", 3)):
        state = books.scope(name, due=at(hour).begin)
        books.ledger.record([Rated(state, at(hour), ())], 1)
    seconds = (NOW - at(4).begin) // timedelta(seconds=1)
    assert checks(books.database, books.storage)["rating"] == (
        True, f"rated up to 2026-10-31T02:00:00Z, {seconds} seconds ago")


def test_a_storage_that_does_not_answer_is_named_and_the_rest_is_looked_at(books):
    found = checks(books.database, BrokenStorage(sums=broken(Unavailable("nobody is there"))))
    assert {name: well for name, (well, _) in found.items()} == {"database": True, "storage": False, "rating": True}
    assert found["storage"][1] == "nobody is there"


def test_a_database_that_is_gone_is_unwell_and_no_error(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/gone/state.sqlite")
    found = checks(database, SqlalchemyStorage(database, within=True))
    assert [well for well, _ in found.values()] == [False, False, False]
    assert all(text for _, text in found.values())
