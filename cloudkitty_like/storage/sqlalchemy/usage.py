"""Reading quantities only, and many periods of them: a period mostly has the series that the one before it had.

What depends on which series there are is kept, the columns of labels above
all; what remains for each point is its quantity.
"""
from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, repeat
from operator import itemgetter
from types import MappingProxyType

from cloudkitty_like.domain import money
from cloudkitty_like.domain.frame import Column, Frame, LabelColumns
from cloudkitty_like.domain.period import Period
from cloudkitty_like.storage.sqlalchemy.labels import Series
from cloudkitty_like.storage.sqlalchemy.selection import AppendedRevision

KEPT = 500_000                         # rows, of all layouts together

QuantityRow = tuple[int, int, int | None, int | None]
"""Revision, series, whole and part of the quantity; None is zero."""


@dataclass(frozen=True)
class _Shape:
    """The rows of one frame: their places among those of the revision, and all but their quantities."""

    metric: str
    unit: str
    rows: Sequence[int]
    groupby: LabelColumns
    metadata: LabelColumns
    price: tuple[None, ...]

    def frame(self, period: Period, quantities: Sequence[Decimal]) -> Frame:
        qty = tuple(map(quantities.__getitem__, self.rows))
        return Frame(self.metric, self.unit, period, qty, self.price, self.groupby, self.metadata)


class UsageLayout:
    """From rows to frames without prices; remembers how the rows of ``KEPT`` points were laid out."""

    def __init__(self) -> None:
        self._layouts: OrderedDict[tuple[int, ...], list[_Shape]] = OrderedDict()
        self._rows = 0

    def frames(self, revisions: Sequence[AppendedRevision], rows: Sequence[QuantityRow],
               labels: Mapping[int, Series]) -> Iterator[tuple[str, Frame]]:
        """Scope and frame of these revisions, in their order; ``rows`` are all theirs, by revision, series."""
        by_revision = {revision: list(own) for revision, own in groupby(rows, itemgetter(0))}
        for place in _places(revisions):
            parts = []
            for revision in place:
                own = by_revision.pop(revision.rated, None)
                if own:
                    shapes, quantities = self._layout(tuple(map(_SERIES, own)), labels), _quantities(own)
                    parts += [(shape, revision.revision, shape.frame(revision.period, quantities))
                              for shape in shapes]
            if len(place) > 1:
                parts.sort(key=lambda part: (part[0].metric, part[0].unit, part[1],
                                             tuple(part[0].groupby), tuple(part[0].metadata)))
            for _, _, frame in parts:
                yield place[0].scope, frame

    def _layout(self, series: tuple[int, ...], labels: Mapping[int, Series]) -> list[_Shape]:
        layout = self._layouts.get(series)
        if layout is None:
            layout = self._layouts[series] = _laid_out(series, labels)
            self._rows += len(series)
            while self._rows > KEPT and len(self._layouts) > 1:
                self._rows -= len(self._layouts.popitem(last=False)[0])
        else:
            self._layouts.move_to_end(series)
        return layout


_SERIES = itemgetter(1)


def _places(revisions: Sequence[AppendedRevision]) -> Iterator[list[AppendedRevision]]:
    """Those of one begin and scope together: they are next to each other."""
    here: list[AppendedRevision] = []
    for revision in revisions:
        if here and here[-1].place != revision.place:
            yield here
            here = []
        here.append(revision)
    if here:
        yield here


def _laid_out(series: Sequence[int], labels: Mapping[int, Series]) -> list[_Shape]:
    """The frames of these series, in the order of metric, unit and label names; rows in that of their labels."""
    members: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[int]] = defaultdict(list)
    for row, number in enumerate(series):
        row_series = labels[number]
        members[row_series.metric, row_series.unit, row_series.groupby,
                row_series.metadata].append(row)
    shapes = []
    for shape in sorted(members):
        metric, unit, split, described = shape
        rows = sorted(members[shape], key=lambda row: labels[series[row]].cells)
        columns = [Column.of(column) for column in zip(*(labels[series[row]].cells for row in rows), strict=True)]
        shapes.append(_Shape(
            metric, unit, rows, MappingProxyType(dict(zip(split, columns, strict=False))),
            MappingProxyType(dict(zip(described, columns[len(split):], strict=True))), (None,) * len(rows)))
    return shapes


def _quantities(rows: Sequence[QuantityRow]) -> list[Decimal]:
    scale = money.SCALE
    whole = [Decimal((row[2] or 0) * scale + (row[3] or 0)) for row in rows]
    return list(map(money.CONTEXT.scaleb, whole, repeat(-money.PLACES)))
