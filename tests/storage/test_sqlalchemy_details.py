"""What the contract does not say: numbers that are taken back, caches, statements, room for sums, configuration."""
import threading
from contextlib import suppress
from decimal import Decimal

import pytest
from oslo_config import cfg
from sqlalchemy import event, func, insert, select, text

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger.exact_sums import joined, pieces_of
from cloudkitty_like.db.tables import point, series
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.query import Query
from cloudkitty_like.plugin import load
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.storage.sqlalchemy.bulk import BULK
from cloudkitty_like.storage.sqlalchemy.labels import SeriesReader
from cloudkitty_like.storage.sqlalchemy.selection import PART_BITS, WHOLE_BITS, grouped
from cloudkitty_like.storage.sqlalchemy.series import SeriesInterner
from cloudkitty_like.testing.points import addition, by, points
from tests.databases import new_database

POINTS = 10**8
LAST_PART = 999_999_999_999


class GivenUpError(Exception):
    """What makes a transaction of these tests roll back."""


def one(revision, *names):
    return addition(revision, points(*(({"id": name}, "1", "1") for name in names)))


def counted(storage):
    return {row.key[0]: int(row.sum.qty) for row in storage.sums(by("id"))}


def store(database, storage, *additions):
    with database.write() as tx:
        storage.append(additions, tx)


def given_up(database, storage, *batches):
    with suppress(GivenUpError), database.write() as tx:
        for batch in batches:
            storage.append(batch, tx)
        raise GivenUpError


def test_numbers_given_in_a_transaction_that_is_rolled_back_are_forgotten(database):
    storage = SqlalchemyStorage(database, shares_transaction=True)
    given_up(database, storage, [one(1, "a", "b")])
    store(database, storage, one(1, "c", "d"))           # SQLite gives the same numbers again
    store(database, storage, one(2, "a", "b", "c"))
    store(database, storage, one(3, "a", "b", "c", "d"))
    assert counted(storage) == {"a": 2, "b": 2, "c": 3, "d": 2}


def test_the_same_new_labels_twice_in_a_transaction_that_is_rolled_back(database):
    storage = SqlalchemyStorage(database, shares_transaction=True)
    given_up(database, storage, [one(1, "a")], [one(2, "a", "b")], [one(3, "b", "a")])
    store(database, storage, one(1, "c"), one(2, "b"))
    store(database, storage, one(3, "a", "c"))
    store(database, storage, one(4, "a", "b", "c"))
    assert counted(storage) == {"a": 2, "b": 2, "c": 3}
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(series)).scalar_one() == 3


def test_workers_that_meet_the_same_new_labels_at_once_share_their_numbers(database):
    url = database.url.render_as_string(hide_password=False)
    names = [f"vm-{n}" for n in range(300)]
    orders = [names, names[::-1], names[100:] + names[:100]]
    start, failures = threading.Barrier(len(orders)), []

    def work(worker, order):
        place = Database(url)
        storage = SqlalchemyStorage(place, shares_transaction=True)
        start.wait()
        for turn in range(3):
            batch = [one(worker * 100 + turn * 10 + n, *order[n * 100:(n + 1) * 100]) for n in range(3)]
            while True:
                try:
                    store(place, storage, *batch)
                    break
                except Unavailable as error:             # a deadlock, which the server has dissolved
                    if "eadlock" not in str(error):
                        failures.append(error)
                        break
        place.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(orders, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert counted(SqlalchemyStorage(database)) == dict.fromkeys(names, 9)
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(series)).scalar_one() == len(names)


def test_more_series_than_the_caches_hold(sqlite):
    storage = SqlalchemyStorage(sqlite, shares_transaction=True)
    storage._interner, storage._labels = SeriesInterner(BULK["sqlite"],
                                                        limit=10), SeriesReader(BULK["sqlite"], limit=10)
    names = [f"vm-{n}" for n in range(25)]
    for revision in range(1, 6):
        store(sqlite, storage, one(revision, *names), one(revision + 10, str(revision)))
        assert counted(storage)["vm-7"] == revision
    assert counted(storage) == dict.fromkeys(names, 5) | {str(n): 1 for n in range(1, 6)}
    assert storage._interner._count <= 10 + 2 * len(names)
    assert len(storage._labels._known) <= 10


def test_p17_a_batch_is_a_few_statements_in_one_transaction(database):
    storage = SqlalchemyStorage(database, shares_transaction=True)
    batch = [one(revision, *(f"vm-{n}" for n in range(100))) for revision in range(1, 21)]
    store(database, storage, *batch)
    statements, commits = [], []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    event.listen(database.engine, "commit", commits.append)
    store(database, storage, *[addition(item.revision + 100, *item.frames) for item in batch])      # 2,000 points
    assert len(statements) <= 5
    assert len(commits) == 1
    statements.clear()
    store(database, storage, *[addition(item.revision + 200, *item.frames) for item in batch])
    assert len(statements) <= 3           # BEGIN among them, on SQLite
    assert sum(counted(storage).values()) == 6000


@pytest.mark.parametrize(("stored", "bits"), [
    (LAST_PART, PART_BITS), (10**15 - 1, WHOLE_BITS), (1 - 10**15, WHOLE_BITS), (-1, WHOLE_BITS)])
def test_a_hundred_million_points_do_not_overflow_sqlite(sqlite, stored, bits):
    """SQLite adds in 64 bits: each piece of the stored number, a hundred million times, must fit."""
    with sqlite.write() as tx:
        tx.execute(insert(point), {"revision": 1, "series": 1, "qty_whole": stored, "qty_part": 0})
        pieces = tx.execute(select(*pieces_of(point.c.qty_whole, bits, "sqlite"))).one()
    sums = [piece * POINTS for piece in pieces]
    assert all(-2**63 <= total < 2**63 for total in sums)
    assert joined(sums, [bits]) == [stored * POINTS]
    if stored == LAST_PART:
        assert money.decimal(0, *joined(sums, [bits])) == Decimal("0.999999999999") * POINTS
        assert stored * POINTS >= 2**63                  # in one piece it would overflow


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_sums_on_the_servers_are_wider_than_64_bits(kind):
    with new_database(kind) as database:
        for series_id, greatest in ((1, 2**63 - 1), (2, 1 - 2**63)):
            with database.write() as tx:
                tx.execute(insert(point), [{"revision": n, "series": series_id, "qty_whole": greatest, "qty_part": 0}
                                           for n in range(1, 12)])
                wholes = pieces_of(point.c.qty_whole, WHOLE_BITS, tx.dialect.name)
                pieces = tx.execute(select(*wholes).where(point.c.series == series_id)).one()
            assert joined([int(piece) for piece in pieces], [WHOLE_BITS]) == [11 * greatest]


def test_the_longest_runs_of_revisions_become_ranges():
    numbers = [*range(100, 200), 3, 5, *range(1000, 1021), 7, 7]
    ranges, single = grouped(numbers)
    assert (ranges, set(single)) == ([(100, 199), (1000, 1020)], {3, 5, 7})
    assert grouped([]) == ([], [])
    ranges, single = grouped(n for start in range(0, 100_000, 1000) for n in range(start, start + 30))
    assert (len(ranges), len(single)) == (50, 1500)


def test_a_database_without_tables_is_unavailable(database):
    with database.write() as tx:
        tx.execute(text("DROP TABLE appended"))
    storage = SqlalchemyStorage(database, shares_transaction=True)
    with pytest.raises(Unavailable):
        storage.sums(Query(scopes=None))
    with pytest.raises(Unavailable):
        list(storage.frames(Query(scopes=None)))
    with pytest.raises(Unavailable):
        store(database, storage, one(1, "a"))


def test_a_server_that_does_not_answer_is_unavailable():
    storage = SqlalchemyStorage(Database("postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(Unavailable):
        storage.append([one(1, "a")])
    with pytest.raises(Unavailable):
        storage.sums(Query(scopes=None))
    with pytest.raises(Unavailable):
        storage.purge([1])


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_name_that_is_too_long_is_invalid(kind):
    with new_database(kind) as database, pytest.raises(Invalid):
        store(database, SqlalchemyStorage(database, shares_transaction=True), addition(1, scope="x" * 300))


def test_by_default_points_are_in_the_state_database(sqlite, tmp_path):
    storage = load("storage", "sqlalchemy", cfg.ConfigOpts(), PluginContext(database=sqlite))
    assert storage.shares_transaction
    store(sqlite, storage, one(1, "a"))
    conf = cfg.ConfigOpts()
    conf.register_opts(SqlalchemyStorage.OPTS, "storage_sqlalchemy")
    conf.set_override("connection", f"sqlite:///{tmp_path}/points.sqlite", "storage_sqlalchemy")
    other = SqlalchemyStorage.from_conf(conf.storage_sqlalchemy, PluginContext(database=sqlite))
    assert not other.shares_transaction
    other.append([one(1, "b")])
    assert (counted(storage), counted(other)) == ({"a": 1}, {"b": 1})
    with pytest.raises(Invalid):
        load("storage", "sqlalchemy", cfg.ConfigOpts(), PluginContext())
