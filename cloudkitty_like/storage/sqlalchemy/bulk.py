"""The fast ways in: how each of the three databases takes many rows, or a long list, at once.

A point is integers and nulls only, so that it may be written as text where a
driver has nothing better; everything else is a bound parameter.
"""
from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from struct import Struct
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    any_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.engine import failure
from cloudkitty_like.db.tables import point

PointRow = tuple[int, int, int | None, int | None, int | None, int | None]
"""A row of ``point``: revision, series, whole and part of the quantity, whole and part of the price.

None is zero, but in the last, where it is "unpriced".
"""

SeriesRow = tuple[str, str, str, str, str, bytes]
"""A row of ``series`` without its id: scope, metric, unit, groupby and metadata as JSON, digest."""

POINTS = 5000           # in one statement; on MariaDB some 300 kB of text, far below any max_allowed_packet
SERIES = 500


class BulkWriter(Protocol):
    """What differs between the databases."""

    def add_points(self, connection: Connection, rows: Sequence[PointRow]) -> None:
        """Insert these rows; IntegrityError where one exists already (PostgreSQL has no key to tell by)."""

    def add_series(self, connection: Connection, rows: Sequence[SeriesRow]) -> dict[bytes, int]:
        """Insert these rows but for those that somebody else has just inserted; the ids of at least all others.

        It was asked before, in this transaction, and none of them existed.
        """

    def ids(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
        """The ids of those of these series that exist."""

    def among(self, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """``column IN values``, however many they are; all of them integers or all of them text."""

    def among_few(self, column: ColumnElement[Any], values: Collection[int]) -> ColumnElement[bool]:
        """The same of values that are few beside the rows of the table, whose index is to be used."""


_COLUMNS = ", ".join(column.name for column in point.c)
_SERIES = "scope, metric, unit, groupby, metadata, digest"


class SqliteBulk:
    """Straight to the driver's executemany.  Integers are 64 bits wide."""

    _points = f"INSERT INTO point ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of our own
    _series = f"INSERT INTO series ({_SERIES}, id) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

    def add_points(self, connection: Connection, rows: Sequence[PointRow]) -> None:
        for chunk in chunks(rows, POINTS):
            connection.exec_driver_sql(self._points, list(chunk))

    def add_series(self, connection: Connection, rows: Sequence[SeriesRow]) -> dict[bytes, int]:
        # Whoever writes is alone, so that the numbers can be given here.
        first = 1 + int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM series").scalar_one())
        connection.exec_driver_sql(self._series, [(*row, number) for number, row in enumerate(rows, first)])
        return {row[-1]: number for number, row in enumerate(rows, first)}

    def ids(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
        numbers: dict[bytes, int] = {}
        for chunk in chunks(digests, SERIES):
            marks = ", ".join("?" * len(chunk))
            sql = f"SELECT digest, id FROM series WHERE digest IN ({marks})"  # noqa: S608
            numbers.update((row[0], row[1])
                           for row in connection.exec_driver_sql(sql, tuple(chunk)))
        return numbers

    def among(self, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
        listed = func.json_each(literal(json.dumps(list(values)), String)).table_valued("value")
        return column.in_(select(listed.c.value))

    among_few = among


class PostgresqlBulk:
    """COPY in the binary form."""

    _key = Struct("!hiqiq")
    _cell = Struct("!iq")
    _null = b"\xff\xff\xff\xff"
    _head = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
    _tail = b"\xff\xff"
    _series = text(f"INSERT INTO series ({_SERIES}) "  # noqa: S608 - names of our own
                   "SELECT one->>0, one->>1, one->>2, one->>3, one->>4, decode(one->>5, 'hex') "
                   "FROM json_array_elements(CAST(:rows AS json)) AS one ON CONFLICT DO NOTHING RETURNING digest, id")

    def add_points(self, connection: Connection, rows: Sequence[PointRow]) -> None:
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(f"COPY point ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(self._head)
                for chunk in chunks(rows, POINTS):
                    copy.write(b"".join(self._packed(chunk)))
                copy.write(self._tail)
        except connection.dialect.loaded_dbapi.Error as error:
            # Not one of SQLAlchemy's, which did not see the call.
            raise failure("COPY", error) from error

    def _packed(self, rows: Sequence[PointRow]) -> Iterator[bytes]:
        """Zeros as nulls: a row of ``point`` is 76 bytes with four amounts, and 8 less for each that is null."""
        key, cell, null = self._key.pack, self._cell.pack, self._null
        for a, b, c, d, e, f in rows:
            yield key(6, 8, a, 8, b)
            yield cell(8, c) if c else null
            yield cell(8, d) if d else null
            yield cell(8, e) if e else null
            yield null if f is None else cell(8, f)

    def add_series(self, connection: Connection, rows: Sequence[SeriesRow]) -> dict[bytes, int]:
        # One JSON text costs the client a tenth of what as many parameters do.  In one order everywhere: two
        # workers that insert the same series wait for each other, not in a circle.
        numbers: dict[bytes, int] = {}
        for chunk in chunks(sorted(rows, key=itemgetter(-1)), POINTS):
            listed = ", ".join([
                f"[{quoted(a)}, {quoted(b)}, {quoted(c)}, {quoted(d)}, {quoted(e)}, \"{digest.hex()}\"]"
                for a, b, c, d, e, digest in chunk])
            numbers.update((bytes(row[0]), row[1])
                           for row in connection.execute(self._series, {"rows": f"[{listed}]"}))
        return numbers

    def ids(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
        sql = text("SELECT digest, id FROM series WHERE digest = ANY(:digests)")
        numbers: dict[bytes, int] = {}
        for chunk in chunks(digests, POINTS):
            numbers.update((bytes(row[0]), row[1])
                           for row in connection.execute(sql, {"digests": list(chunk)}))
        return numbers

    def among(self, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
        # One parameter, and a relation to the planner, which it joins by hash however long it is; NOT IN it would
        # go through the list for every row once it is longer than work_mem.
        kind = String if isinstance(column.type, String) else BigInteger
        listed = func.unnest(cast(literal(list(values), ARRAY(kind)), ARRAY(kind))).column_valued()
        return exists().where(listed == column)

    def among_few(self, column: ColumnElement[Any], values: Collection[int]) -> ColumnElement[bool]:
        # As a relation the list would be joined by hash, through all of the table, wherever statistics are not new.
        return column == any_(cast(literal(list(values), ARRAY(BigInteger)), ARRAY(BigInteger)))


class MysqlBulk:
    """Statements of many rows, integers and digests written out."""

    def add_points(self, connection: Connection, rows: Sequence[PointRow]) -> None:
        for chunk in chunks(rows, POINTS):
            # Zeros as nulls, which take no room.
            slim = [(a, b, c or None, d or None, e or None, f) for a, b, c, d, e, f in chunk]
            values = repr(slim)[1:-1].replace("None", "NULL")
            connection.exec_driver_sql(f"INSERT INTO point ({_COLUMNS}) VALUES {values}")  # noqa: S608 - integers

    def add_series(self, connection: Connection, rows: Sequence[SeriesRow]) -> dict[bytes, int]:
        # IGNORE would hide that a text is too long.
        sql = (f"INSERT INTO series ({_SERIES}) VALUES (%s, %s, %s, %s, %s, %s) "  # noqa: S608 - names of our own
               "ON DUPLICATE KEY UPDATE id = id")
        connection.exec_driver_sql(sql, sorted(rows, key=itemgetter(-1)))
        return {}

    def ids(self, connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
        numbers: dict[bytes, int] = {}
        for chunk in chunks(digests, POINTS):
            listed = ", ".join([f"x'{digest.hex()}'" for digest in chunk])
            sql = f"SELECT digest, id FROM series WHERE digest IN ({listed})"  # noqa: S608 - hexadecimal digits
            numbers.update((row[0], row[1]) for row in connection.exec_driver_sql(sql))
        return numbers

    def among(self, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
        if isinstance(column.type, String) or not values:
            return column.in_(list(values))
        # Sorted once by the server, then looked up; as a table it would be read again for every row.
        return column.in_([literal_column(", ".join(map(str, map(int, values))))])

    among_few = among


BULK: dict[str, BulkWriter] = {"sqlite": SqliteBulk(), "postgresql": PostgresqlBulk(), "mysql": MysqlBulk()}
