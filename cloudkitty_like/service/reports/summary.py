"""Reading the ledger: sums of what counts, by scope, metric, time and label.

By scope, metric and time the index answers, whole months and days from their
rollups and the rest from the frames' totals; by label the storage does.  Both
give the same to the last digit.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, select, type_coerce

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.db.ledger.exact_sums import sum_columns, sum_of
from cloudkitty_like.db.ledger.visibility import kept
from cloudkitty_like.db.tables import day_total, frame, month_total, scope, total
from cloudkitty_like.db.types import Second
from cloudkitty_like.domain.errors import NotFound, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Row, Sum
from cloudkitty_like.ports import Storage

ATTEMPTS = 5
INDEXED = frozenset({SCOPE, METRIC, DAY, TIME})


class Summary:
    """Answers queries over the ledger."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self._storage = database, storage

    def rows(self, query: Query) -> list[Row]:
        """The sums asked for, ordered by key.  Quantities only where ``metric`` is in the grouping."""
        if query.filters or not INDEXED.issuperset(query.groupby):
            return self.points(query)
        with self._database.read() as tx:
            return from_index(tx, query)

    def points(self, query: Query) -> list[Row]:
        """The same sums, always worked out from the points: what ``status --verify`` compares, and filters need."""
        with self._database.read() as tx:
            hidden, upto = index.hidden(tx, query.as_of, query.period, query.scopes)
        sums = self._storage.sums(query, hidden, upto)
        self._check(query)
        return _without_mixed_units(sums, query)

    def points_and_forgotten(self, query: Query) -> tuple[list[Row], list[Row]]:
        """The sums of the points that there are, and of the totals of those that are forgotten."""
        for _ in range(ATTEMPTS):
            with self._database.read() as tx:
                hidden, upto = index.hidden(tx, query.as_of, query.period, query.scopes, forgotten=True)
                forgotten = _forgotten(tx, query)
            sums = self._storage.sums(query, hidden, upto)
            with self._database.read() as tx:
                if _forgotten(tx, query) == forgotten:
                    return _without_mixed_units(sums, query), forgotten
        raise Unavailable("points are being forgotten at this moment", hint="try again when that has ended")

    def frames(self, query: Query) -> Iterator[tuple[str, Frame]]:
        """Scope and frame of what counts now, as the storage orders them; read while it is taken.

        Invalid, also at the very end, where points that count are forgotten.
        """
        with self._database.read() as tx:
            hidden, upto = index.hidden(tx, query.as_of, query.period, query.scopes)
        return self._whole(self._storage.frames(query, hidden, upto), query)

    def _whole(self, frames: Iterator[tuple[str, Frame]], query: Query) -> Iterator[tuple[str, Frame]]:
        yield from frames
        self._check(query)

    def _check(self, query: Query) -> None:
        """Whether points were forgotten while they were read: they are marked so before they go."""
        with self._database.read() as tx:
            kept(tx, query.as_of, query.period, query.scopes)

    def change_at(self, when: datetime) -> int:
        """The ledger change that was the last one at an instant; NotFound where there was none."""
        with self._database.read() as tx:
            change = index.tx_at(tx, when)
        if not change:
            raise NotFound(f"the ledger has no change up to {instant(when)}")
        return change

    def last_change(self) -> int:
        """The number of the ledger's last change; 0 before the first."""
        with self._database.read() as tx:
            return index.last_tx(tx)


def _forgotten(tx: Connection, query: Query) -> list[Row]:
    statement = _statement(total, query.period, query, tx.dialect.name).where(frame.c.forgotten.is_not(None))
    return _rows(dict(_keyed(row, query) for row in tx.execute(statement)), query)


def from_index(tx: Connection, query: Query) -> list[Row]:
    """The sums of a query without filters, by scope, metric and time at most."""
    sums: dict[tuple[str, ...], Sum] = {}
    for source, window in _sources(query):
        for row in tx.execute(_statement(source, window, query, tx.dialect.name)):
            group, found = _keyed(row, query)
            sums[group] = sums[group] + found if group in sums else found
    return _rows(sums, query)


def _sources(query: Query) -> Iterable[tuple[FromClause, Period | None]]:
    """Which tables answer, each for a part of the window; together they cover it once."""
    if query.as_of is not None or TIME in query.groupby:
        yield total, query.period
        return
    coarse = day_total if DAY in query.groupby else month_total
    if query.period is None:
        yield coarse, None
        return
    yield from _covering(query.period, [month_total, day_total] if coarse is month_total else [day_total])


def _covering(window: Period, tables: Sequence[FromClause]) -> Iterable[tuple[FromClause, Period | None]]:
    if not tables:
        yield total, window
        return
    begin, end = _whole(window, tables[0])
    if begin >= end:
        yield from _covering(window, tables[1:])
        return
    yield tables[0], Period(begin, end)
    if window.begin < begin:
        yield from _covering(Period(window.begin, begin), tables[1:])
    if end < window.end:
        yield from _covering(Period(end, window.end), tables[1:])


def _whole(window: Period, table: FromClause) -> tuple[datetime, datetime]:
    """The first begin and the last end of whole months or days within the window."""
    bounds = Period.month_of if table is month_total else Period.day_of
    first, last = bounds(window.begin), bounds(window.end)
    return (first.begin if first.begin == window.begin else first.end), last.begin


def _statement(source: FromClause, window: Period | None, query: Query, dialect: str) -> Select[tuple[object, ...]]:
    """Key columns, unit where the metric is asked for, then the sums."""
    if source is total:
        where = total.join(frame, frame.c.revision == total.c.revision).join(scope, scope.c.id == frame.c.scope_id)
        begin: ColumnElement[Any] = frame.c.begin
    else:
        where = source.join(scope, scope.c.id == source.c.scope_id)
        begin = source.c.begin
    columns: dict[str, ColumnElement[Any]] = {SCOPE: scope.c.identifier, METRIC: source.c.metric, TIME: begin,
               DAY: type_coerce(begin - begin % 86400, Second) if source is total else begin}
    keys = [columns[name].label(f"key_{number}") for number, name in enumerate(query.groupby)]
    if METRIC in query.groupby:
        keys.append(source.c.unit.label("key_unit"))
    statement = select(*keys, *sum_columns(source, dialect)).select_from(where).group_by(*keys)
    if source is total:
        statement = statement.where(index.visible(query.as_of))
    if window is not None:
        statement = statement.where(begin >= window.begin, begin < window.end)
    if query.scopes is not None:
        statement = statement.where(scope.c.identifier.in_(query.scopes))
    if query.metrics is not None:
        statement = statement.where(source.c.metric.in_(query.metrics))
    return statement


def _keyed(row: Sequence[object], query: Query) -> tuple[tuple[str, ...], Sum]:
    width = len(query.groupby) + (METRIC in query.groupby)
    return tuple(map(_text, row[:width])), sum_of(row[width:])


def _text(cell: object) -> str:
    if isinstance(cell, datetime):
        return instant(cell)
    return str(cell)


def _rows(sums: dict[tuple[str, ...], Sum], query: Query) -> list[Row]:
    rows = []
    for group in sorted(sums):
        found = sums[group]
        if not found.points:
            continue        # superseded by nothing: a rollup row of zeros
        if METRIC in query.groupby:
            rows.append(Row(_days(group[:-1], query), found, group[-1]))
        else:
            rows.append(Row(_days(group, query), Sum(price=found.price, points=found.points, unpriced=found.unpriced)))
    return rows


def _days(key: tuple[str, ...], query: Query) -> tuple[str, ...]:
    return tuple(cell[:10] if name == DAY else cell for name, cell in zip(query.groupby, key, strict=True))


def _without_mixed_units(rows: Sequence[Row], query: Query) -> list[Row]:
    if METRIC in query.groupby:
        return list(rows)
    return [Row(row.key, Sum(price=row.sum.price, points=row.sum.points, unpriced=row.sum.unpriced)) for row in rows]
