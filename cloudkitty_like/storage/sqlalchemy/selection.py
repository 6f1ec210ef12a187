"""Which revisions a question is about, and their points added up by series."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, type_coerce
from sqlalchemy.sql.functions import count

from cloudkitty_like.db.ledger.exact_sums import joined, pieces_of
from cloudkitty_like.db.tables import appended, point
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.storage.sqlalchemy.bulk import BulkWriter, PointRow

RANGES = 50
RANGE_LENGTH = 20

# A number of rows below 2^38 cannot overflow 64 bits: a whole is below 10^15 < 2^50 and added up in pieces
# of 25 bits, a part is below 10^12 < 2^40 and added up in pieces of 20.
WHOLE_BITS, PART_BITS = 25, 20
AMOUNTS = ((point.c.qty_whole, WHOLE_BITS), (point.c.qty_part, PART_BITS),
           (point.c.price_whole, WHOLE_BITS), (point.c.price_part, PART_BITS))


class AppendedRevision(NamedTuple):
    """A row of ``appended``."""

    revision: int
    scope: str
    period: Period
    collected: bool = False            # whether collected rows are kept beside the rated ones

    @property
    def rated(self) -> int:
        """Under which number the rows are that were rated."""
        return -self.revision if self.collected else self.revision

    @property
    def place(self) -> tuple[datetime, str]:
        return self.period.begin, self.scope


SumRow = tuple[int, int, tuple[int, ...]]
"""Points of one series that begin then (0 where that was not asked for), added up: see :func:`amounts`."""


def revisions(bulk: BulkWriter, query: Query, excluded: Collection[int],
              max_revision: int | None) -> list[ColumnElement[bool]]:
    """Conditions on ``appended``."""
    revision = appended.c.revision
    conditions: list[ColumnElement[bool]] = [] if max_revision is None else [revision <= max_revision]
    if query.period is not None:
        conditions += [appended.c.begin >= query.period.begin, appended.c.begin < query.period.end]
    if query.scopes is not None:
        conditions.append(bulk.among(appended.c.scope, query.scopes))
    ranges, single = grouped(excluded)
    conditions += [~revision.between(first, last) for first, last in ranges]
    if single:
        conditions.append(~bulk.among(revision, single))
    return conditions


def grouped(numbers: Iterable[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """The longest runs of consecutive numbers, as first and last, and all other numbers.

    What is hidden by ``as_of`` is mostly one run, everything after it.
    """
    ordered = sorted(numbers)
    runs: list[tuple[int, int]] = []
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] > ordered[index - 1] + 1:
            runs.append((start, index))
            start = index
    runs.sort(key=lambda run: run[0] - run[1])
    ranges = [run for run in runs[:RANGES] if run[1] - run[0] >= RANGE_LENGTH]
    single = [number for start, stop in runs[len(ranges):] for number in ordered[start:stop]]
    return [(ordered[start], ordered[stop - 1]) for start, stop in ranges], single


def added(connection: Connection, conditions: Sequence[ColumnElement[bool]], bucket: int | None) -> Iterator[SumRow]:
    """Points of the revisions chosen, by series and, if ``bucket`` is given, by begin rounded down to it."""
    keys: list[ColumnElement[Any]] = [point.c.series]
    if bucket is not None:
        begin = type_coerce(appended.c.begin, BigInteger)
        keys.append(begin if bucket == 1 else begin - begin % bucket)
    dialect = connection.dialect.name
    pieces = [func.coalesce(piece, 0) for column, bits in AMOUNTS for piece in pieces_of(column, bits, dialect)]
    statement = (
        select(*keys, count(), count(point.c.price_part), *pieces)
        .select_from(appended.join(point, point.c.revision == appended.c.revision))
        .where(*conditions).group_by(*keys)
    )
    width = len(keys)
    # By time there may be as many rows as points.
    options = {} if bucket is None else {"stream_results": True, "yield_per": 5000}
    for row in connection.execute(statement, execution_options=options):
        yield row[0], 0 if bucket is None else row[1], tuple(map(int, row[width:]))


def amounts(numbers: Sequence[int]) -> tuple[int, int, int, int, int, int]:
    """What :func:`added` has added up, and any number of them added up again.

    The points, those with a price, whole and part of the quantity, whole and
    part of the price; a part may exceed 10^12.
    """
    points, priced, *pieces = numbers
    qty_whole, qty_part, price_whole, price_part = joined(pieces, [bits for _, bits in AMOUNTS])
    return points, priced, qty_whole, qty_part, price_whole, price_part


def present(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[int]:
    """The series that have a point in the revisions chosen."""
    where = appended.join(point, point.c.revision == appended.c.revision)
    return list(connection.execute(select(point.c.series).distinct().select_from(where).where(*conditions)).scalars())


def begins(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[datetime]:
    """When the periods of the revisions chosen begin, in order."""
    return sorted(connection.execute(select(appended.c.begin).distinct().where(*conditions)).scalars())


def beginning(connection: Connection, conditions: Sequence[ColumnElement[bool]], first: datetime,
              last: datetime) -> list[AppendedRevision]:
    """The revisions chosen that begin from first to last, by begin and scope; text as Python orders it."""
    rows = connection.execute(select(appended).where(*conditions, appended.c.begin.between(first, last)))
    chosen = [AppendedRevision(row.revision, row.scope, Period(row.begin, row.end),
                               bool(row.collected)) for row in rows]
    return sorted(chosen, key=lambda revision: (*revision.place, revision.revision))


def portion(waiting: list[AppendedRevision], take: int) -> tuple[list[AppendedRevision], list[AppendedRevision]]:
    """The first ``take`` revisions, more where they end in the middle of a scope's period, and the rest."""
    while take < len(waiting) and waiting[take].place == waiting[take - 1].place:
        take += 1
    return waiting[:take], waiting[take:]


def points(bulk: BulkWriter, connection: Connection, numbers: Collection[int]) -> Sequence[PointRow]:
    """All rows of these revisions, in no order."""
    rows = connection.execute(select(*point.c).where(bulk.among_few(point.c.revision, numbers)))
    return cast(Sequence[PointRow], rows.all())


def quantities(bulk: BulkWriter, connection: Connection,
               numbers: Collection[int]) -> Sequence[tuple[int, int, int | None, int | None]]:
    """Revision, series, and quantity (None is zero) of all rows of these revisions, in the order of revision, series.

    As the driver has them: all are integers, and SQLAlchemy's rows cost more than what is done with them here.
    """
    columns = (point.c.revision, point.c.series, point.c.qty_whole, point.c.qty_part)
    with connection.execute(select(*columns).where(bulk.among_few(point.c.revision, numbers))
                            .order_by(point.c.revision, point.c.series)) as result:
        cursor: Any = result.cursor
        return cast(Sequence[tuple[int, int, int | None, int | None]], cursor.fetchall())
