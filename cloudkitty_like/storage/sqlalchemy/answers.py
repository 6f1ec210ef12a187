"""From rows of the database to the answers of the port: sums by label, and frames."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import add
from types import MappingProxyType

from cloudkitty_like.domain import money
from cloudkitty_like.domain.frame import Column, Frame
from cloudkitty_like.domain.period import EPOCH, Period, instant
from cloudkitty_like.domain.query import DAY, METRIC, TIME, Query, Sum, SummaryRow
from cloudkitty_like.storage.sqlalchemy.bulk import PointRow
from cloudkitty_like.storage.sqlalchemy.labels import Series
from cloudkitty_like.storage.sqlalchemy.selection import SumRow, amounts

GroupingKey = tuple[str, ...]
SeriesShape = tuple[str, str, tuple[str, ...], tuple[str, ...]]


class SeriesSum:
    """Adds up what was added up by series, by the query's grouping.

    Without ``metric`` in the grouping points of several units may meet; their
    quantities are then no quantity, and zero is answered.
    """

    def __init__(self, query: Query, labels: Mapping[int, Series]) -> None:
        self._query, self._labels = query, labels
        self._by_metric = METRIC in query.groupby
        self._cells: dict[int, tuple[GroupingKey, str] | None] = {}
        self._groups: dict[tuple[GroupingKey, str], tuple[int, ...]] = {}
        self._texts: dict[int, str] = {}

    def add(self, rows: Iterable[SumRow]) -> None:
        timed = [(place, 10 if name == DAY else None) for place, name in enumerate(self._query.groupby)
                 if name in (DAY, TIME)]
        for number, begin, numbers in rows:
            key = self._cells[number] if number in self._cells else self._key(number)
            if key is None:
                continue
            if timed:
                cells = list(key[0])
                for place, length in timed:
                    cells[place] = self._text(begin)[:length]
                key = tuple(cells), key[1]
            group = self._groups.get(key)
            self._groups[key] = numbers if group is None else tuple(map(add, group, numbers))

    def rows(self) -> list[SummaryRow]:
        """The answer, ordered by key."""
        if self._by_metric:
            return [SummaryRow(key, _sum(group), unit) for (key, unit), group in sorted(self._groups.items())]
        units: dict[GroupingKey, list[Sum]] = defaultdict(list)
        for (key, _), group in sorted(self._groups.items()):
            units[key].append(_sum(group))
        return [SummaryRow(key, sums[0] if len(sums) == 1 else _mixed(sums)) for key, sums in units.items()]

    def _key(self, number: int) -> tuple[GroupingKey, str] | None:
        series = self._labels[number]
        key = None
        if series.matches(self._query.metrics, self._query.filters):
            key = tuple(_cell(series, name) for name in self._query.groupby), series.unit
        self._cells[number] = key
        return key

    def _text(self, begin: int) -> str:
        if begin not in self._texts:
            self._texts[begin] = instant(EPOCH + timedelta(seconds=begin))
        return self._texts[begin]


def _cell(series: Series, name: str) -> str:
    match name:
        case "scope":
            return series.scope
        case "metric":
            return series.metric
        case "day" | "time":
            return ""               # put in by begin
        case _:
            return series.label(name)


def _sum(group: Sequence[int]) -> Sum:
    points, priced, *sums = amounts(group)
    return Sum(money.decimal(*sums[:2]), money.decimal(*sums[2:]), points, points - priced)


def _mixed(sums: Iterable[Sum]) -> Sum:
    total = sum(sums, Sum())
    return Sum(money.ZERO, total.price, total.points, total.unpriced)


def frames(rows: Iterable[PointRow], labels: Mapping[int, Series], periods: Mapping[int, Period],
           query: Query | None = None) -> Iterator[tuple[int, Frame]]:
    """Revision and frame of each revision, metric, unit and set of label names, in no order.

    ``periods`` is by revision; rows that do not match the query's metrics and filters are left out.
    """
    groups: dict[tuple[int, SeriesShape],
                 list[tuple[GroupingKey, Decimal, Decimal | None]]] = defaultdict(list)
    for revision, number, qty_whole, qty_part, price_whole, price_part in rows:
        series = labels[number]
        if query is None or series.matches(query.metrics, query.filters):
            price = None if price_part is None else money.decimal(price_whole or 0, price_part)
            shape = (series.metric, series.unit, series.groupby, series.metadata)
            groups[revision, shape].append((series.cells,
                                            money.decimal(qty_whole or 0, qty_part or 0), price))
    for (revision, shape), points in groups.items():
        yield revision, _frame(shape, periods[revision], points)


def _frame(shape: SeriesShape, period: Period, points: list[tuple[GroupingKey, Decimal, Decimal | None]]) -> Frame:
    metric, unit, groupby, metadata = shape
    points.sort(key=lambda point: point[0])
    columns = [Column.of(column) for column in zip(*(cells for cells, _, _ in points), strict=True)]
    return Frame(
        metric, unit, period, tuple([qty for _, qty, _ in points]), tuple([price for _, _, price in points]),
        MappingProxyType(dict(zip(groupby, columns, strict=False))),
        MappingProxyType(dict(zip(metadata, columns[len(groupby):], strict=True))),
    )
