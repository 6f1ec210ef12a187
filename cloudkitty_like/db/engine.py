"""The connection to the state database, the same way of using it on all three databases.

``database.transact(work)`` is one transaction that may write, and as good as
never fails because of another one; ``with database.write() as tx`` is the same
where the caller will see to that; ``with database.read() as tx`` is one that
only reads.  On SQLite a writer takes its
lock when it begins (BEGIN IMMEDIATE: it waits for another writer instead of
failing half way), and in WAL mode a reader neither waits nor is waited for.
"""
from __future__ import annotations

import logging
import random
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from cloudkitty_like.db import read_only
from cloudkitty_like.db.limits import WaitLimits, install
from cloudkitty_like.domain.errors import Conflict, Invalid, Refused, Unavailable
from cloudkitty_like.domain.exhaustion import exhausted, out_of_files

LOG = logging.getLogger(__name__)
T = TypeVar("T")
SQLITE_BUSY_SECONDS = 120
ATTEMPTS = 20
PAUSE_SECONDS = 0.02    # after the first attempt; longer from one to the next, so that two do not meet again
MYSQL_UNDONE = (1205, 1213)                # waited too long for a lock; chosen to end a deadlock
POSTGRESQL_UNDONE = ("40001", "40P01")     # not serialisable; chosen to end a deadlock
MYSQL_REFUSED = (1044, 1045, 1049, 1130, 1698)      # of the user, of the database, of the host
# libpq gives no code for what goes wrong while it connects.
POSTGRESQL_REFUSED = re.compile(r"FATAL: .*(authentication failed|does not exist|no pg_hba\.conf entry|"
                                r"not permitted to log in)|no password supplied")
SQLITE_REFUSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT,
                  sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_AUTH)
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg",
           "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


class TransactionAborted(Unavailable):
    """The database has undone a transaction to let others pass: nothing of it happened, and it may be tried again."""


class Database:
    """One database, whatever its kind.  Engines are made at first use and belong to one process."""

    def __init__(self, url: str, **engine_options: Any) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise Invalid("[database] connection is not a database URL: write sqlite:////path/to/file, "
                          "postgresql://user@host/name or mysql://user@host/name") from None
        if parsed.drivername in DRIVERS:
            parsed = parsed.set(drivername=DRIVERS[parsed.drivername])
        self.url = parsed
        self.dialect: str = "mysql" if parsed.get_backend_name() == "mariadb" else parsed.get_backend_name()
        if self.dialect not in ("sqlite", "postgresql", "mysql"):
            raise Invalid(f"[database] connection: {parsed.get_backend_name()} is not supported; "
                          "sqlite, postgresql and mysql (MariaDB) are")
        if self.dialect == "mysql" and "charset" not in parsed.query:
            self.url = parsed.update_query_dict({"charset": "utf8mb4"})
        self._options = engine_options
        self._limits: WaitLimits | None = None
        self._neighbours: list[Database] = []
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @property
    def exists(self) -> bool:
        """False where it is a file that is not there; to open that would make it."""
        return self.dialect != "sqlite" or self._in_memory or Path(str(self.url.database)).exists()

    @property
    def _in_memory(self) -> bool:
        return not self.url.database or self.url.database == ":memory:" or self.url.database.startswith("file:")

    @property
    def is_read_only(self) -> bool:
        """Whether it is a file that this process may read and not write."""
        return self.is_file and read_only.is_read_only(self._path)

    @property
    def is_file(self) -> bool:
        """Whether it is a SQLite database in a file."""
        return self.dialect == "sqlite" and not self._in_memory

    @property
    def _path(self) -> Path:
        return Path(str(self.url.database))

    @property
    def engine(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._made()
            return self._engine

    def limit(self, limits: WaitLimits) -> None:
        """Wait no longer than so for anything from now on, here and in the databases beside; what is open is closed."""
        self.close()
        self._limits = limits
        for neighbour in self._neighbours:
            neighbour.limit(limits)

    def beside(self, url: str) -> Database:
        """Another database, under the limits that this one has or is given later."""
        neighbour = Database(url)
        neighbour._limits = self._limits
        self._neighbours.append(neighbour)
        return neighbour

    def transact(self, work: Callable[[Connection], T]) -> T:
        """``work(tx)`` in one transaction that may write, begun again where the database undid it.

        So ``work`` may be called several times, and must not change anything but the database.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                with self.write() as tx:
                    return work(tx)
            except TransactionAborted as error:
                LOG.info("%s; trying again", error)
                sleep(random.uniform(0.5, 1) * PAUSE_SECONDS * attempt)     # noqa: S311 - no secret
        with self.write() as tx:
            return work(tx)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction that may write; TransactionAborted when the database ended it."""
        if self.is_read_only:
            raise Unavailable(f"the database {self} can only be read: this user may not write the file, or not into "
                              "its directory")
        with self._translated(), self.engine.connect() as connection:
            connection.info["write"] = True
            if self.dialect != "sqlite":
                connection = connection.execution_options(isolation_level="READ COMMITTED")
            try:
                with connection.begin():
                    if self._limits is not None:
                        self._limits.write_begins(connection)
                    yield connection
            finally:
                connection.info.pop("write", None)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; nothing written in it would stay."""
        whole = read_only.unchanged(self._path) if self.is_read_only else nullcontext()
        with self._translated(), whole, self.engine.connect() as connection:
            if self.dialect != "sqlite":     # several questions, one answer: SQLite's transactions are so by nature
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            if self._limits is not None:
                self._limits.read_begins(connection)
            yield connection

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _made(self) -> Engine:
        options = dict(self._options)
        if self.dialect == "sqlite":
            if not self._in_memory:
                self._make_room()
            options = {"connect_args": {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}}
            if self.is_read_only:
                options["poolclass"] = NullPool        # whether somebody writes is looked at for each connection
        else:
            options.setdefault("pool_pre_ping", True)
        try:
            engine = create_engine(self.url, **options)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise Invalid(f"[database] connection: {error}",
                          hint=f"pip install 'cloudkitty-like[{EXTRAS.get(self.dialect, '')}]'") from None
        if self.dialect == "sqlite" and self.is_read_only:
            event.listen(engine, "do_connect", read_only.connect)
        elif self.dialect == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        if self.dialect == "sqlite":
            event.listen(engine, "begin", _begin_sqlite)
        elif self.dialect == "mysql":
            event.listen(engine, "connect", _prepare_mysql)
        if self._limits is not None:
            install(engine, self._limits)
        return engine

    def _make_room(self) -> None:
        directory = Path(str(self.url.database)).parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"[database] connection: {directory} cannot be made: {error.strerror}") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise failure(f"the database {self}", error.orig) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable(f"the database {self} was lost: {_line(error)}") from error
            if type(error) is DatabaseError:       # SQLite's for a file that is none of its own, or is damaged
                raise Refused(f"the database {self} cannot be read: {_line(error)}") from error
            raise
        except Exception as error:
            # What setting the isolation level raises SQLAlchemy passes on as it is.
            if self._engine is not None and isinstance(error, self._engine.dialect.loaded_dbapi.Error):
                raise failure(f"the database {self}", error) from error
            raise


def failure(who: str, error: BaseException | None) -> Unavailable:
    """A driver's error as what it means to the caller.

    TransactionAborted where the transaction had to let another one pass, Refused where waiting
    is no use.
    """
    # Both drivers have SQL's state; PyMySQL's first word is the server's own number.
    codes = {getattr(error, "sqlstate", None), error.args[0] if error is not None and error.args else None}
    said = " ".join(str(error).split())
    kind: type[Unavailable] = Unavailable
    if not codes.isdisjoint((*POSTGRESQL_UNDONE, *MYSQL_UNDONE)):
        kind = TransactionAborted
    elif not codes.isdisjoint(MYSQL_REFUSED) or POSTGRESQL_REFUSED.search(said) or _is_refused_by_sqlite(error):
        kind = Refused
    return kind(f"{who} failed: {said}{_limit_reached(error)}")


def _is_refused_by_sqlite(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in SQLITE_REFUSED and not _limit_reached(error)


def _limit_reached(error: BaseException | None) -> str:
    """Which limit of this process an error comes from, in brackets; '' where that is not known to be so."""
    # Neither SQLite nor libpq says why it cannot open a file or a socket.
    limit = exhausted(error) or out_of_files()
    return "" if limit is None else f" ({limit})"


def _line(error: DBAPIError) -> str:
    """What the driver says, in one line."""
    return " ".join(str(error.orig).split())


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None          # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    _switch_to_wal(cursor)
    # In WAL mode NORMAL cannot corrupt; a power cut may undo the last transactions whole, progress with them.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """SQLite does not wait by itself where two connections to a new file switch at the same moment."""
    give_up = monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                raise
        else:
            return
        sleep(random.uniform(0.5, 1) * PAUSE_SECONDS)     # noqa: S311 - no secret


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("write") else "BEGIN")


def _prepare_mysql(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION sql_mode = 'TRADITIONAL', time_zone = '+00:00', innodb_lock_wait_timeout = 60")
    cursor.close()


def conflict(error: DBAPIError) -> Conflict:
    """A violated unique key as what it means to the caller."""
    return Conflict(f"somebody else has recorded this meanwhile: {error.orig}")
