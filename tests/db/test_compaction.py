"""A SQLite file becomes smaller, and loses nothing."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudkitty_like.db.compaction import compact
from cloudkitty_like.db.engine import Database

ROWS = 20_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file of which nine tenths were deleted."""
    made = Database(f"sqlite:///{tmp_path}/a.sqlite")
    with made.write() as tx:
        tx.exec_driver_sql("CREATE TABLE point (id INTEGER PRIMARY KEY, text TEXT)")
        tx.exec_driver_sql("INSERT INTO point VALUES (?, ?)", [(number, "x" * 100) for number in range(ROWS)])
    with made.write() as tx:
        tx.exec_driver_sql(f"DELETE FROM point WHERE id >= {ROWS // 10}")
    yield made
    made.close()


def size(database: Database) -> int:
    return Path(str(database.url.database)).stat().st_size


def count(database: Database) -> int:
    with database.read() as tx:
        return int(tx.exec_driver_sql("SELECT count(*) FROM point WHERE length(text) = 100").scalar() or 0)


def test_i8_small_a_file_shrinks_to_what_is_in_it(database: Database) -> None:
    sizes = compact(database)
    assert sizes is not None
    assert sizes.after == size(database) < sizes.before / 5
    assert count(database) == ROWS // 10
    assert compact(database) is None


def test_i8_small_a_writer_waits_and_goes_on(database: Database) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            with database.write() as tx:
                tx.exec_driver_sql("INSERT INTO point (text) VALUES (?)", [("y" * 100,)])
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert compact(database) is not None
    finally:
        stop.set()
        writer.join()
    assert written
    assert count(database) == ROWS // 10 + len(written)


def test_i8_small_a_reader_keeps_what_it_sees(database: Database) -> None:
    with database.read() as tx:
        seen = tx.exec_driver_sql("SELECT count(*) FROM point").scalar()
        assert compact(database) is not None
        assert tx.exec_driver_sql("SELECT count(*) FROM point").scalar() == seen
    assert count(database) == ROWS // 10


def test_i8_small_a_database_in_memory_has_no_file() -> None:
    assert compact(Database("sqlite://")) is None
