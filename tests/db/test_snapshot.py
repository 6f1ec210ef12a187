"""A copy of an SQLite database is of one instant, whatever is written meanwhile."""
from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from cloudkitty_like.db import snapshot
from cloudkitty_like.domain.errors import Invalid, Unavailable


def busy(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE a (n INTEGER, filler BLOB)")
    connection.execute("CREATE TABLE b (n INTEGER)")
    return connection


def test_i8_m7_it_is_of_one_instant_though_every_page_of_it_changes(tmp_path: Path) -> None:
    writer, stop = busy(tmp_path / "live.sqlite"), threading.Event()
    writer.executemany("INSERT INTO a VALUES (?, zeroblob(3000))", [(0,)] * 9000)

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE a SET n = ? WHERE rowid % 97 = ?", (number, number % 97))
            writer.execute("INSERT INTO a VALUES (?, zeroblob(3000))", (number,))
            writer.execute("INSERT INTO b VALUES (?)", (number,))
            writer.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    told: list[tuple[int, int]] = []
    try:
        snapshot.copy(tmp_path / "live.sqlite", tmp_path / "copy.sqlite", lambda *seen: told.append(seen))
    finally:
        stop.set()
        thread.join()
    pages = [done for done, _ in told]
    assert pages == sorted(pages)          # it was not begun again
    assert len(pages) > 3
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    (newest,), = copy.execute("SELECT coalesce(max(n), 0) FROM b").fetchall()
    assert copy.execute("SELECT max(n) FROM a").fetchone() == (newest,)
    assert copy.execute("SELECT count(*) FROM a").fetchone() == (9000 + newest,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert writer.execute("SELECT count(*) FROM b").fetchone()[0] > newest
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.sqlite"]


def test_i8_m7_what_is_only_in_the_log_of_writes_is_in_the_copy(tmp_path: Path) -> None:
    writer = busy(tmp_path / "live.sqlite")
    writer.execute("INSERT INTO b VALUES (7)")
    snapshot.copy(tmp_path / "live.sqlite", tmp_path / "copy.sqlite")
    assert sqlite3.connect(tmp_path / "copy.sqlite").execute("SELECT n FROM b").fetchall() == [(7,)]
    # The file alone, as somebody might copy it, is empty.
    (tmp_path / "alone.sqlite").write_bytes((tmp_path / "live.sqlite").read_bytes())
    alone = sqlite3.connect(tmp_path / "alone.sqlite").execute("SELECT count(*) FROM sqlite_master").fetchall()
    assert alone == [(0,)]


def test_i8_m7_a_database_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be copied"):
        snapshot.copy(tmp_path / "none.sqlite", tmp_path / "copy.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize(("statement", "said"), [
    ("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END", "it holds a trigger"),
    ("CREATE VIEW v AS SELECT * FROM a", "it holds a view"),
])
def test_i8_m7_what_no_ledger_has_is_refused(tmp_path: Path, statement: str, said: str) -> None:
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    connection.execute("CREATE TABLE a (n)")
    assert snapshot.check(tmp_path / "x.sqlite") is None
    connection.execute(statement)
    connection.close()
    with pytest.raises(Invalid, match=said):
        snapshot.check(tmp_path / "x.sqlite")


def test_i8_m7_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(Invalid, match="no database that can be read"):
        snapshot.check(path)
