"""How long a program waits for its database: to connect, for an answer, for a network that is dead.

Without such limits a connection that falls silent holds its program for ever.  The kernel's
keepalives notice a peer that is gone, but not one whose kernel acknowledges while nothing
answers; so every wait of the two drivers has an end of its own, see ``limited_psycopg`` and
``limited_pymysql``.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic
from typing import Any

from oslo_config import cfg
from sqlalchemy import URL, Connection, Engine, ExceptionContext, event

LOG = logging.getLogger(__name__)
LATER_SECONDS = 2.0                # after the server's own limit, which says more and keeps the connection
STEPS_BETWEEN_LOOKS = 20_000       # of SQLite's machine: some ten thousandths of a second
MYSQL = ("mysql", "mariadb")
MYSQL_LOCK_SECONDS = 60
READING_ENDS = "idle_readonly_transaction_timeout"      # in a connection's info: it has this limit
POSTGRESQL_TIMEOUT = "57014"       # SQL's state for a statement that took longer than it may
POSTGRESQL_NAME = "cloudkitty-like ({} s)"
# No limit of the server ends a session that waits for its client within a statement (COPY, an
# answer that is not taken), or after a pipeline, whose flush switches the limit on idle
# transactions off.  What has written nothing keeps nobody waiting.
END_STRANDED = r"""
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
      AND backend_xid IS NOT NULL AND state IN ('active', 'idle in transaction')
      AND wait_event IN ('ClientRead', 'ClientWrite')
      AND state_change < clock_timestamp() - interval '1 second'
          * substring(application_name FROM '^cloudkitty-like \((\d+) s\)$')::int
"""

OPTS: list[cfg.Opt] = [
    cfg.IntOpt("connect_timeout", default=5, min=2,
               help="Seconds until a connection to the database server must be there and usable."),
    cfg.IntOpt("network_timeout", default=20, min=4,
               help="Seconds after which a database server whose network gives no sign of life is taken for dead."),
    cfg.FloatOpt("answer_timeout", default=60, min=1,
                 help="Seconds that 'processor' and 'rate' wait for one answer of the database server; then the "
                      "connection is given up, and the work is tried again. The API waits [api] query_seconds. "
                      "Commands that may take long wait for ever."),
]


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """Seconds.  ``answer`` bounds the wait for one answer of a server; None: it may take as long as it takes.

    ``question`` bounds what only reads, on SQLite too.
    """

    connect: int = 5
    network: int = 20
    answer: float | None = None
    question: float | None = None

    @property
    def statement(self) -> float | None:
        """When the server itself gives a statement up."""
        return self.answer if self.question is None else self.question

    @property
    def silence(self) -> float:
        """When the client gives a connection up."""
        return inf if self.statement is None else self.statement + LATER_SECONDS

    def write_begins(self, connection: Connection) -> None:
        """Let the server undo the transaction that begins if its client is not heard of any more.

        Otherwise the locks of a client whose network is dead would stay for hours.
        """
        if self.statement is None:
            return
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                f"SET LOCAL idle_in_transaction_session_timeout = {self.statement * 1000:.0f}")
        elif connection.dialect.name in MYSQL and not connection.info.get(READING_ENDS):
            # MariaDB takes a transaction that has only locked rows for one that reads.
            connection.exec_driver_sql(
                f"SET SESSION idle_readonly_transaction_timeout = {_whole(self.statement)}")
            connection.info[READING_ENDS] = True

    def read_begins(self, connection: Connection) -> None:
        """Let a transaction that only reads take its time between its questions."""
        if connection.info.pop(READING_ENDS, False):
            connection.exec_driver_sql("SET SESSION idle_readonly_transaction_timeout = 0")


def install(engine: Engine, limits: WaitLimits) -> None:
    """Put an engine that has not connected yet under these limits."""
    if engine.dialect.name == "sqlite":
        if limits.question is not None:
            _limit_sqlite(engine, limits.question)
        return
    connect = _postgresql(engine.url, limits) if engine.dialect.name == "postgresql" else _mysql(limits)

    def do_connect(dialect: Any, record: Any, args: Sequence[Any], parameters: Mapping[str, Any]) -> Any:
        return connect(*args, **parameters)

    def in_session(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            for statement in _session(engine.dialect.name, limits):
                cursor.execute(statement)
        connection.commit()

    def checked_out(connection: Any, record: Any, proxy: Any) -> None:
        connection.patience = limits.silence

    def checked_in(connection: Any, record: Any) -> None:
        # What is asked next is whether the connection still lives, which takes a server no time.
        if connection is not None:
            connection.patience = float(limits.connect)

    event.listen(engine, "do_connect", do_connect)
    event.listen(engine, "connect", in_session)
    event.listen(engine, "checkout", checked_out)
    event.listen(engine, "checkin", checked_in)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "handle_error", _end_stranded(engine, connect))


def _postgresql(url: URL, limits: WaitLimits) -> Callable[..., Any]:
    """How to connect to PostgreSQL; what the URL says itself is left as it is."""
    from cloudkitty_like.db.limited_psycopg import LimitedPsycopg

    network: dict[str, int | str] = {
        "connect_timeout": limits.connect, "keepalives": 1, "keepalives_idle": max(1, limits.network // 2),
        "keepalives_interval": max(1, limits.network // 8), "keepalives_count": 4,
        "tcp_user_timeout": limits.network * 1000,
    }

    if limits.statement is not None:
        network["application_name"] = POSTGRESQL_NAME.format(ceil(limits.silence))

    def connect(*args: Any, **parameters: Any) -> Any:
        connection = LimitedPsycopg.connect(*args, **{**network, **parameters})
        connection.patience = float(limits.connect)
        return connection

    return connect


def _end_stranded(engine: Engine, connect: Callable[..., Any]) -> Callable[[ExceptionContext], None]:
    """What to do where a statement waited too long: end the sessions of ours whose client has given them up.

    Such a client is gone, or waits for nothing of that session any more, but the server does not
    know: somebody in between keeps the connection open.  It would keep its locks for ever.
    """
    def waited_in_vain(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) != POSTGRESQL_TIMEOUT:
            return
        try:
            # Not from the pool: whoever waits may have the last connection of it.
            with closing(connect(**engine.dialect.create_connect_args(engine.url)[1])) as connection:
                with closing(connection.cursor()) as cursor:
                    ended = cursor.execute(END_STRANDED).fetchall()
                connection.commit()
        except engine.dialect.loaded_dbapi.Error as error:
            LOG.info("whether a session keeps its locks in vain cannot be asked: %s", error)
            return
        for pid, _ in ended:
            LOG.warning("session %d of the database has been ended: its client has not been heard "
                        "of for longer than it waits itself, and it kept its locks", pid)

    return waited_in_vain


def _mysql(limits: WaitLimits) -> Callable[..., Any]:
    from cloudkitty_like.db.limited_pymysql import LimitedPymysql

    def connect(*args: Any, **parameters: Any) -> Any:
        return LimitedPymysql(*args, **{"connect_timeout": limits.connect, **parameters},
                              network_seconds=limits.network)

    return connect


def _session(dialect: str, limits: WaitLimits) -> list[str]:
    """What a server is told when a session begins."""
    seconds = limits.statement
    if dialect == "postgresql":
        # A server that does not notice that its client is gone keeps the client's locks.
        said = [f"SET tcp_keepalives_idle = {max(1, limits.network // 2)}",
                f"SET tcp_keepalives_interval = {max(1, limits.network // 8)}", "SET tcp_keepalives_count = 4"]
        return said if seconds is None else [*said, f"SET statement_timeout = {seconds * 1000:.0f}"]
    if seconds is None:
        return []
    whole = _whole(seconds)
    return [f"SET SESSION max_statement_time = {seconds:.3f}", f"SET SESSION idle_write_transaction_timeout = {whole}",
            f"SET SESSION innodb_lock_wait_timeout = {max(1, min(MYSQL_LOCK_SECONDS, whole // 2))}"]


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


def _limit_sqlite(engine: Engine, seconds: float) -> None:
    """Give up a question that takes longer; a transaction that writes is left alone."""
    def watched(connection: Any, record: Any) -> None:
        info = record.info
        connection.set_progress_handler(lambda: monotonic() > info.get("deadline", inf), STEPS_BETWEEN_LOOKS)

    def begun(connection: Connection, *_: Any) -> None:
        connection.info["deadline"] = inf if connection.info.get("write") else monotonic() + seconds

    event.listen(engine, "connect", watched)
    event.listen(engine, "before_cursor_execute", begun)
