"""Totals by scope, metric, day and time: exact sums over the frames that count.

What counts now is read from the rollups for whole months and whole days, and
from the frames' own totals for the rest of the window.  A rollup holds neither
the begins of periods nor an earlier state of the ledger: where the query asks
for one of these, the frames' totals answer all of it.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, select, type_coerce

from cloudkitty_like.db.ledger.exact_sums import sum_columns, sum_of
from cloudkitty_like.db.ledger.visibility import visible
from cloudkitty_like.db.tables import day_total, frame, month_total, scope, total
from cloudkitty_like.db.types import SecondColumn
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Sum, SummaryRow

KEYS = frozenset({SCOPE, METRIC, DAY, TIME})
"""The names that these totals can be grouped by."""

SECONDS_OF_A_DAY = 86400


def rows(tx: Connection, query: Query) -> list[SummaryRow]:
    """Return the sums of a query, ordered by key; a key without points has no row.

    The query has no filters, and its grouping no names but those of ``KEYS``.
    Quantities are set only where ``metric`` is in the grouping.
    """
    sums: dict[tuple[str, ...], Sum] = {}
    for source, window in _sources(query):
        for cells in tx.execute(_statement(source, window, query, tx.dialect.name)):
            key, amounts = _keyed(cells, query)
            sums[key] = sums[key] + amounts if key in sums else amounts
    return _rows(sums, query)


def forgotten_rows(tx: Connection, query: Query) -> list[SummaryRow]:
    """Return the part of :func:`rows` whose points are forgotten."""
    statement = _statement(total, query.period, query, tx.dialect.name)
    result = tx.execute(statement.where(frame.c.forgotten.is_not(None)))
    return _rows(dict(_keyed(cells, query) for cells in result), query)


def _sources(query: Query) -> Iterator[tuple[FromClause, Period | None]]:
    """The tables to read and the part of the window to read from each.

    The parts do not overlap, and together they are the window.
    """
    if query.as_of is not None or TIME in query.groupby:
        yield total, query.period
        return
    rollups = [day_total] if DAY in query.groupby else [month_total, day_total]
    if query.period is None:
        yield rollups[0], None
    else:
        yield from _covering(query.period, rollups)


def _covering(window: Period,
              rollups: Sequence[FromClause]) -> Iterator[tuple[FromClause, Period | None]]:
    """The parts of a window, each with the coarsest table that has it whole."""
    if not rollups:
        yield total, window
        return
    begin, end = _whole(window, rollups[0])
    if begin >= end:
        yield from _covering(window, rollups[1:])
        return
    yield rollups[0], Period(begin, end)
    if window.begin < begin:
        yield from _covering(Period(window.begin, begin), rollups[1:])
    if end < window.end:
        yield from _covering(Period(end, window.end), rollups[1:])


def _whole(window: Period, rollup: FromClause) -> tuple[datetime, datetime]:
    """The first begin and the last end of whole months or days within the window."""
    bounds = Period.month_of if rollup is month_total else Period.day_of
    first, last = bounds(window.begin), bounds(window.end)
    return (first.begin if first.begin == window.begin else first.end), last.begin


def _statement(source: FromClause, window: Period | None, query: Query,
               dialect: str) -> Select[tuple[object, ...]]:
    """Select the key columns, the unit where the metric is one of them, then the sums."""
    rated = source is total
    begin = frame.c.begin if rated else source.c.begin
    conditions = _conditions(source, query)
    if rated:
        joined = total.join(frame, frame.c.revision == total.c.revision)
        where = joined.join(scope, scope.c.id == frame.c.scope_id)
        conditions.append(visible(query.as_of))
    else:
        where = source.join(scope, scope.c.id == source.c.scope_id)
    if window is not None:
        conditions += [begin >= window.begin, begin < window.end]
    columns: Mapping[str, ColumnElement[Any]] = {
        SCOPE: scope.c.identifier, METRIC: source.c.metric, TIME: begin,
        DAY: type_coerce(begin - begin % SECONDS_OF_A_DAY, SecondColumn) if rated else begin}
    keys = [columns[name].label(f"key_{number}") for number, name in enumerate(query.groupby)]
    if METRIC in query.groupby:
        keys.append(source.c.unit.label("key_unit"))
    statement = select(*keys, *sum_columns(source, dialect)).select_from(where)
    return statement.where(*conditions).group_by(*keys)


def _conditions(source: FromClause, query: Query) -> list[ColumnElement[bool]]:
    """The scopes and the metrics of a query."""
    conditions: list[ColumnElement[bool]] = []
    if query.scopes is not None:
        conditions.append(scope.c.identifier.in_(query.scopes))
    if query.metrics is not None:
        conditions.append(source.c.metric.in_(query.metrics))
    return conditions


def _keyed(cells: Sequence[object], query: Query) -> tuple[tuple[str, ...], Sum]:
    """The key of a line of :func:`_statement`, the unit last where it has one, and the sums."""
    width = len(query.groupby) + (METRIC in query.groupby)
    return tuple(map(_text, cells[:width])), sum_of(cells[width:])


def _text(cell: object) -> str:
    return instant(cell) if isinstance(cell, datetime) else str(cell)


def _rows(sums: Mapping[tuple[str, ...], Sum], query: Query) -> list[SummaryRow]:
    summary = []
    for key in sorted(sums):
        amounts = sums[key]
        if not amounts.points:
            continue        # superseded by nothing: a rollup row of zeros
        if METRIC in query.groupby:
            summary.append(SummaryRow(_days(key[:-1], query), amounts, key[-1]))
        else:
            summary.append(SummaryRow(_days(key, query), amounts.without_qty()))
    return summary


def _days(key: tuple[str, ...], query: Query) -> tuple[str, ...]:
    """The key with days as dates: ``2026-11-01``, not ``2026-11-01T00:00:00Z``."""
    return tuple(cell[:10] if name == DAY else cell
                 for name, cell in zip(query.groupby, key, strict=True))
