from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, text

from cloudkitty_like.db import tables
from cloudkitty_like.testing.databases import SERVERS
from tests.databases import new_database


def test_a_new_database_has_every_table(database):
    assert set(inspect(database.engine).get_table_names()) == set(tables.metadata.tables)


@pytest.mark.parametrize("kind", SERVERS)
def test_what_a_test_leaves_no_other_finds(kind):
    names = set()
    for _ in range(3):
        with new_database(kind) as database:
            names.add(database.url.database)
            with database.write() as tx:
                assert tx.execute(text("SELECT count(*) FROM ledger_setting")).scalar() == 0
                made = tx.execute(tables.scope.insert(), {
                    "identifier": "left", "scope_key": "project_id", "fetcher": "f",
                    "collector": "c",
                    "shard_hash": 1, "seen_at": datetime(2026, 10, 1, tzinfo=UTC)})
                tx.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('left', '1')"))
            assert made.inserted_primary_key == (1,)
    assert len(names) == 1


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("change",
                         ["CREATE TABLE another (id int)",
                          "ALTER TABLE scope ADD COLUMN another int",
                                    "DROP TABLE ledger_setting"])
def test_one_whose_tables_were_changed_is_not_used_again(kind, change):
    with new_database(kind) as changed, changed.write() as tx:
        tx.execute(text(change))
    with new_database(kind) as database:
        assert database.url.database != changed.url.database


@pytest.mark.parametrize("kind", SERVERS)
def test_a_transaction_that_is_left_open_holds_nobody_up(kind):
    with new_database(kind) as database:
        left = database.engine.connect()
        left.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('left', '1')"))
        left.detach()
    with new_database(kind) as database, database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM ledger_setting")).scalar() == 0
    left.invalidate()
    left.close()
