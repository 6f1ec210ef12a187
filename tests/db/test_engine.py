"""One way of using three databases: waiting instead of failing, one view for one reader, no passwords shown."""
from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from time import monotonic

import pymysql
import pytest
from sqlalchemy import insert, select, text, update

from cloudkitty_like.db.engine import Database, TransactionAborted, failure
from cloudkitty_like.db.limits import WaitLimits
from cloudkitty_like.db.tables import ledger_setting
from cloudkitty_like.domain.errors import Invalid, Refused, Unavailable
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database


@pytest.fixture(params=KINDS)
def database(request):
    with new_database(request.param) as made:
        yield made


def names(tx):
    return set(tx.execute(select(ledger_setting.c.name)).scalars())


def test_what_is_written_stays_and_what_fails_does_not(database):
    with database.write() as tx:
        tx.execute(insert(ledger_setting).values(name="kept", value="1"))
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.execute(insert(ledger_setting).values(name="lost", value=str(1 // 0)))
    with database.read() as tx:
        assert names(tx) == {"kept"}


def test_a_reader_keeps_its_view_while_others_write(database):
    with database.read() as tx:
        assert names(tx) == set()
        with database.write() as other:
            other.execute(insert(ledger_setting).values(name="new", value="1"))
        assert names(tx) == set()
    with database.read() as tx:
        assert names(tx) == {"new"}


def test_nothing_written_in_a_reading_transaction_stays(database):
    with database.read() as tx:
        tx.execute(insert(ledger_setting).values(name="lost", value="1"))
    with database.read() as tx:
        assert names(tx) == set()


def crossing(database, first, second, met):
    """A transaction that changes two rows, the second only after somebody else has changed it, if anybody does."""
    def work(tx):
        tx.execute(update(ledger_setting).where(ledger_setting.c.name == first).values(value="1"))
        with suppress(threading.BrokenBarrierError):
            met.wait(0.5)
        tx.execute(update(ledger_setting).where(ledger_setting.c.name == second).values(value="1"))
        return second
    return lambda: database.transact(work)


def test_of_two_that_wait_for_each_other_the_one_that_is_undone_is_tried_again(database):
    with database.write() as tx:
        tx.execute(insert(ledger_setting), [{"name": name, "value": "0"} for name in "ab"])
    met = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(crossing(database, *names, met)) for names in ("ab", "ba")]
        assert [one.result(60) for one in both] == ["b", "a"]
    with database.read() as tx:
        assert set(tx.execute(select(ledger_setting.c.value)).scalars()) == {"1"}


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_without_another_try_one_of_two_that_wait_for_each_other_is_undone(kind):
    with new_database(kind) as database:
        with database.write() as tx:
            tx.execute(insert(ledger_setting), [{"name": name, "value": "0"} for name in "ab"])
        met, undone = threading.Barrier(2), []

        def cross(first, second):
            try:
                with database.write() as tx:
                    tx.execute(update(ledger_setting).where(ledger_setting.c.name == first).values(value="1"))
                    met.wait(10)
                    tx.execute(update(ledger_setting).where(ledger_setting.c.name == second).values(value="1"))
            except TransactionAborted as error:
                undone.append(error)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(cross, "ab", "ba"))
        assert len(undone) == 1


def test_names_are_compared_letter_by_letter(database):
    different = ["a", "A", "a ", "á", "ａ"]
    with database.write() as tx:
        tx.execute(insert(ledger_setting), [{"name": name, "value": "1"} for name in different])
    with database.read() as tx:
        assert names(tx) == set(different)
        for name in different:
            assert tx.execute(select(ledger_setting).where(ledger_setting.c.name == name)).one().name == name


def test_on_sqlite_nobody_is_told_that_the_database_is_locked():
    """Three busy writers and three readers, each with connections of its own, for two seconds."""
    with new_database("sqlite") as first:
        url = first.url.render_as_string(hide_password=False)
        ends, failures, writes, reads = monotonic() + 2, [], [], []

        def write(number):
            own = Database(url)
            try:
                for turn in range(10**6):
                    with own.write() as tx:
                        rows = [{"name": f"{number}-{turn}-{n}", "value": "x" * 200} for n in range(500)]
                        tx.execute(insert(ledger_setting), rows)
                    writes.append(turn)
                    if monotonic() > ends:
                        return
            except Exception as error:
                failures.append(error)
            finally:
                own.close()

        def read():
            own = Database(url)
            try:
                while monotonic() < ends:
                    began = monotonic()
                    with own.read() as tx:
                        assert len(names(tx)) % 500 == 0
                    reads.append(monotonic() - began)
            except Exception as error:
                failures.append(error)
            finally:
                own.close()

        threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
        threads += [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        assert len(writes) >= 6
        assert len(reads) >= 6


def test_a_database_that_does_not_answer_is_unavailable_and_its_password_is_not_shown():
    database = Database("postgresql://someone:secret@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable) as caught, database.read():
        pass
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value) + str(database)


@pytest.mark.parametrize(("url", "reason"), [
    ("nonsense", "not a database URL"), ("oracle://host/name", "oracle is not supported"), ("", "not a database URL"),
])
def test_an_impossible_url_is_refused_at_once(url, reason):
    with pytest.raises(Invalid, match=reason):
        Database(url)


def test_sqlite_keeps_its_journal_beside_the_file():
    with new_database("sqlite") as database, database.read() as tx:
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_new_sqlite_file_in_which_another_one_is_writing_is_waited_for(tmp_path):
    """SQLite's own waiting leaves the switch to WAL out, and would fail at once."""
    file = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.5, other.execute, ["ROLLBACK"])
        began = monotonic()
        end.start()
        database = Database(f"sqlite:///{file}")
        with database.read() as tx:
            assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert monotonic() - began >= 0.4
        end.join()
        database.close()


COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000000) SELECT max(i) FROM n"
SLOW = {"sqlite": COUNT,
        "postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT sleep(20)"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_that_takes_too_long_is_given_up_and_the_next_is_answered(kind):
    with new_database(kind) as made:
        database = Database(made.url.render_as_string(hide_password=False))
        database.limit(WaitLimits(question=0.5))
        began = monotonic()
        with pytest.raises(Unavailable), database.read() as tx:
            tx.execute(text(SLOW[kind])).all()
        assert monotonic() - began < 10
        with database.read() as tx:
            assert tx.execute(text("SELECT 1")).scalar() == 1
        database.close()


def test_i8_b9_an_error_of_mariadb_is_known_by_its_number_whatever_sqls_state_it_has():
    def refused(number: int, state: str) -> Exception:
        error = pymysql.err.OperationalError(number, "no")
        error.sqlstate = state              # as PyMySQL has it since 2.2
        return error

    assert type(failure("it", refused(1049, "42000"))) is Refused
    assert type(failure("it", refused(1205, "HY000"))) is TransactionAborted
    assert type(failure("it", refused(2013, "HY000"))) is Unavailable
