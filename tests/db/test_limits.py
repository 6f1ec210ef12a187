"""A database that falls silent holds nobody for ever, and one that works is not bothered."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.limits import WaitLimits
from cloudkitty_like.domain.errors import Unavailable
from tests.databases import new_database
from tests.proxy import Proxy

SERVERS = ("postgresql", "mysql")
SLEEP = {"postgresql": "SELECT pg_sleep({})", "mysql": "SELECT sleep({})"}
COPY = "COPY ledger_setting (name, value) FROM STDIN"
QUICK = WaitLimits(connect=2, network=4, answer=2)


@contextmanager
def behind_a_proxy(kind: str) -> Iterator[tuple[Database, Proxy]]:
    """A database of this kind, limited, and the proxy that it is reached through."""
    with new_database(kind) as made, Proxy(made.url.port) as proxy:
        database = Database(made.url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False))
        database.limit(QUICK)
        try:
            yield database, proxy
        finally:
            database.close()


@contextmanager
def new_connection(database: Database) -> Iterator[Database]:
    """The same database for a program that has no limits."""
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        yield other
    finally:
        other.close()


def asked(database: Database, question: str = "SELECT 1") -> object:
    with database.read() as tx:
        return tx.execute(text(question)).scalar()


def failing(database: Database, patience: float) -> float:
    """How long it takes until a question fails; it is asked in a thread, so that the test ends whatever happens."""
    began = time.monotonic()
    threads = ThreadPoolExecutor(1)
    try:
        with pytest.raises(Unavailable):
            threads.submit(asked, database).result(patience)
    finally:
        threads.shutdown(wait=False)
    return time.monotonic() - began


def had(database: Database, work: Callable[[Connection], object], patience: float) -> None:
    """Do what waits for a lock, again and again until it has it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            database.transact(work)
            break
        except Unavailable:
            assert time.monotonic() < deadline


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_a_connection_that_falls_silent_is_given_up_and_the_next_works(kind: str) -> None:
    with behind_a_proxy(kind) as (database, proxy):
        assert asked(database) == 1
        proxy.silent = True
        # One that is open, and one that would have to be opened.
        assert failing(database, 30) < 8
        assert failing(database, 30) < 8
        proxy.silent = False
        assert asked(database) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_a_transaction_in_which_the_server_falls_silent_is_given_up(kind: str) -> None:
    with behind_a_proxy(kind) as (database, proxy):
        def work() -> None:
            with database.write() as tx:
                tx.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('lost', '1')"))
                proxy.silent = True
                tx.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('lost too', '1')"))

        began = time.monotonic()
        threads = ThreadPoolExecutor(1)
        with pytest.raises(Unavailable):
            threads.submit(work).result(30)
        threads.shutdown(wait=False)
        assert time.monotonic() - began < 10
        proxy.strand()
        proxy.silent = False

        # The server has not heard of it either, and lets the next have what it had locked.
        def again(tx: object) -> None:
            tx.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('lost', '2')"))

        had(database, again, patience=30)
        assert asked(database, "SELECT count(*) FROM ledger_setting") == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_a_lock_whose_owner_is_gone_before_it_wrote_anything_is_given_back(kind: str) -> None:
    with behind_a_proxy(kind) as (database, proxy):
        lock = text("SELECT value FROM ledger_setting WHERE name = 'locked' FOR UPDATE")
        with database.write() as tx:
            tx.execute(text("INSERT INTO ledger_setting (name, value) VALUES ('locked', '1')"))

        def locked(tx: Connection) -> None:
            tx.execute(lock)
            proxy.silent = True
            tx.execute(lock)

        with pytest.raises(Unavailable):
            database.transact(locked)
        proxy.strand()
        proxy.silent = False
        had(database, lambda tx: tx.execute(lock), patience=20)
        # Who only reads may think for longer between two questions, also on a connection that has written.
        with database.read() as tx:
            assert tx.execute(text("SELECT 1")).scalar() == 1
            time.sleep(QUICK.silence)
            assert tx.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.slow
@pytest.mark.parametrize("leaving", ["copy", "pipeline"])
def test_i8_b4_a_session_of_postgresql_whose_client_is_gone_gives_its_locks_back(leaving: str) -> None:
    """No limit of PostgreSQL's own ends one whose client falls silent within a statement or after a flush."""
    with behind_a_proxy("postgresql") as (database, proxy):
        lock = text("INSERT INTO ledger_setting (name, value) VALUES ('locked', '1')")

        def half(tx: Connection) -> None:
            tx.execute(lock)
            driver = tx.connection.driver_connection
            if leaving == "copy":
                with driver.cursor() as cursor, cursor.copy(COPY) as copy:
                    copy.write_row(("copied", "1"))
                    proxy.silent = True
            with driver.pipeline() as pipeline:
                driver.execute("SELECT 1")
                pipeline.sync()
                driver.pgconn.send_flush_request()
                driver.pgconn.flush()
                time.sleep(0.5)
                proxy.silent = True

        with pytest.raises(Unavailable):
            database.transact(half)
        proxy.strand()
        proxy.silent = False

        # Its client waits for two seconds and two more; the others wait for two.
        had(database, lambda tx: tx.execute(lock), patience=20)
        assert asked(database, "SELECT count(*) FROM ledger_setting") == 1


@pytest.mark.slow
def test_i8_b4_a_session_without_limits_is_never_ended() -> None:
    """It may take as long as it takes, as an import does."""
    with behind_a_proxy("postgresql") as (database, _), new_connection(database) as patient:
        lock = text("INSERT INTO ledger_setting (name, value) VALUES ('locked', '1')")
        with patient.write() as tx:
            tx.execute(lock)
            with tx.connection.driver_connection.cursor() as cursor, cursor.copy(COPY) as copy:
                began = time.monotonic()
                while time.monotonic() - began < 3 * QUICK.silence:
                    with pytest.raises(Unavailable):
                        database.transact(lambda tx: tx.execute(lock))
                copy.write_row(("copied", "1"))
        assert asked(database, "SELECT count(*) FROM ledger_setting") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_a_statement_that_takes_too_long_is_ended_by_the_server_and_the_connection_stays(kind: str) -> None:
    with behind_a_proxy(kind) as (database, _):
        with database.read() as tx, pytest.raises(Exception, match=r"timeout|max_statement_time|interrupted"):
            tx.execute(text(SLEEP[kind].format(20)))
        assert asked(database) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_without_a_limit_on_answers_they_may_take_long(kind: str) -> None:
    with behind_a_proxy(kind) as (database, proxy):
        database.limit(WaitLimits(connect=2, network=4))
        began = time.monotonic()
        with database.write() as tx:
            tx.execute(text(SLEEP[kind].format(7)))
        assert time.monotonic() - began >= 7
        # Not the network's limit either: its kernel acknowledges.
        threads = ThreadPoolExecutor(1)
        waiting = threads.submit(asked, database, SLEEP[kind].format(1))
        time.sleep(0.5)
        proxy.silent = True
        time.sleep(7)
        proxy.silent = False
        waiting.result(20)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_slow_answers_are_waited_for_while_they_come(kind: str) -> None:
    """Each piece takes half a second, the whole longer than a silence may."""
    with behind_a_proxy(kind) as (database, proxy):
        assert asked(database) == 1
        proxy.delay = 0.5
        began = time.monotonic()
        asked(database, "SELECT repeat('x', 600000)")
        assert time.monotonic() - began > QUICK.silence


@pytest.mark.slow
def test_i8_b4_a_storage_in_a_database_of_its_own_is_under_the_same_limits() -> None:
    with new_database("postgresql") as made, Proxy(made.url.port) as proxy:
        url = made.url.set(port=proxy.port).render_as_string(hide_password=False)
        state = Database(made.url.render_as_string(hide_password=False))
        beside = state.beside(url)
        state.limit(QUICK)
        assert asked(beside) == 1
        proxy.silent = True
        assert failing(beside, 30) < 8
        beside.close()
        state.close()


def test_i8_b4_what_the_url_says_of_the_network_holds() -> None:
    with new_database("postgresql") as made:
        url = made.url.update_query_dict({"keepalives_idle": "33", "connect_timeout": "9"})
        database = Database(url.render_as_string(hide_password=False))
        database.limit(QUICK)
        with database.read() as tx:
            parameters = tx.connection.driver_connection.info.get_parameters()
        database.close()
    assert (parameters["keepalives_idle"], parameters["connect_timeout"]) == ("33", "9")
    assert (parameters["tcp_user_timeout"], parameters["keepalives_count"]) == ("4000", "4")
