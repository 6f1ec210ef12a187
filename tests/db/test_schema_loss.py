"""What an older schema has no place for is counted, whatever the database calls its defaults."""
from __future__ import annotations

import pytest
from sqlalchemy import MetaData, Table, insert, update

from cloudkitty_like.db.engine import Database
from cloudkitty_like.service.operation import migration
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database


def reflected(database: Database, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=database.engine)


@pytest.mark.parametrize("kind", KINDS)
def test_i8_small_only_what_says_something_is_counted(kind: str) -> None:
    with new_database(kind, create=False) as database:
        migration.upgrade(database, "0002")
        assert migration.losses(database, "0001") == []
        scope, worker = reflected(database, "scope"), reflected(database, "worker")
        with database.write() as tx:
            tx.execute(insert(scope).values(identifier="a", scope_key="p", fetcher="f",
                                            collector="c", shard_hash=1,
                                            active=1, seen_at=1, failures=0))
            tx.execute(insert(worker).values(id="w", host="h", pid=1, started_at=1, seen_at=1,
                                             doing="d", since=1,
                                             periods=0, points=0, stages="{}", requests=0))
        assert migration.losses(database, "0001") == []
        with database.write() as tx:
            tx.execute(update(scope).values(toggled_at=5))
            tx.execute(update(worker).values(failures=5))
        assert migration.losses(database, "0001") == [("scope.toggled_at", 1),
                                                      ("worker.failures", 1)]
