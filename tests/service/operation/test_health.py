"""Whether the parts of an installation answer."""
from __future__ import annotations

from datetime import timedelta

import pytest

from cloudkitty_like.db import settings, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.worker_state import WorkerState
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.metrics.acceptance import Acceptances
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.operation.health import Health
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from tests.api.site import BrokenStorage, broken
from tests.books import HOUR, NOW, Books, at


@pytest.fixture
def books(database):
    return Books(database)


def checks(database, storage):
    return {check.name: (check.state, check.text) for check in health(database, storage).checks()}


def health(database, storage):
    return Health(database, storage, lambda: NOW, HOUR, 2)


def test_where_everything_answers_everything_is_well(books):
    found = checks(books.database, books.storage)
    assert all(state == "ok" for state, _ in found.values())
    assert found["storage"][1] == "in the state database"
    assert found["rating"][1] == "nothing has been rated yet"


def test_how_far_rating_is_of_the_scope_that_is_farthest(books):
    for name, hour in (("alice", 0), ("bob", 3)):
        state = books.scope(name, due=at(hour).begin)
        books.ledger.record([RatedPeriod(state, at(hour), ())], 1)
    seconds = (NOW - at(4).begin) // timedelta(seconds=1)
    assert checks(books.database, books.storage)["rating"] == (
        "ok", f"rated up to 2026-10-31T02:00:00Z, {seconds} seconds ago")


def test_a_storage_that_does_not_answer_is_named_and_the_rest_is_looked_at(books):
    found = checks(books.database, BrokenStorage(sums=broken(Unavailable("nobody is there"))))
    assert {name: state for name, (state, _) in found.items()} == {
        "database": "ok", "storage": "error", "rating": "ok", "workers": "ok"}
    assert found["storage"][1] == "nobody is there"


def work(books):
    return next(check for check in health(books.database, books.storage).checks()
                if check.name == "workers")


def test_i8_b8_workers_that_differ_are_named_and_the_api_is_well_all_the_same(books):
    acceptances = Acceptances(books.database, lambda: NOW, "tester")
    assert (work(books).text, work(books).state) == ("0 at work", "ok")
    acceptances.settle(MetricsFile((), "metrics: {a: {unit: h}}", "1" * 64), "north:1:now", 0)
    for name, digest, blocked in (("north", "1" * 64, None), ("south", "2" * 64, "metrics")):
        beat = WorkerState(f"{name}:1:now", name, 1, NOW, NOW, "waiting", NOW, 0, 0, 0, 0, {},
                           digest, blocked)
        with books.database.write() as tx:
            workers.beat(tx, beat)
    found = work(books)
    assert found.state == "warning"
    assert "2 at work; worker south:1 cannot rate anything: waiting" in found.text
    assert "south:1 (222222222222) wait" in found.text
    assert "rated by the accepted ones: north:1" in found.text


def test_i8_m9_a_daemon_that_is_gone_is_told_where_something_is_due(books):
    with books.database.write() as tx:
        settings.set_daemon(tx, True)
    assert work(books).state == "ok"
    books.scope()
    assert work(books).state == "warning"
    assert "is gone" in work(books).text


def test_a_database_that_is_gone_is_unwell_and_no_error(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/gone/state.sqlite")
    found = checks(database, SqlalchemyStorage(database, shares_transaction=True))
    assert [state for state, _ in found.values()] == ["error"] * 4
    assert all(text for _, text in found.values())
