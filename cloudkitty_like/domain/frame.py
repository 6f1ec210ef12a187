"""The usage of one metric, one scope and one period: a table stored by column.

Frames stand between collector and storage.  Nothing there makes an object per
data point beyond its two Decimals; what depends on a label is worked out once
per distinct label, then spread over the rows by code.
"""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import blake2b
from itertools import compress
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.text import all_storable, storable_value

LabelColumns = Mapping[str, "Column"]
T = TypeVar("T")

# Most frames are short, and most of their columns hold nothing twice or the same everywhere: copied, not counted out.
SHORT = 256
_COUNTING, _ZEROS = array("I", range(SHORT)), array("I", bytes(4 * SHORT))


@dataclass(frozen=True, slots=True)
class Column:
    """A label column, dictionary-encoded: row ``i`` holds ``values[codes[i]]``."""

    values: tuple[str, ...]
    codes: array[int]

    @classmethod
    def of(cls, cells: Iterable[str]) -> Column:
        rows = cells if isinstance(cells, tuple) else tuple(cells)
        values = tuple(dict.fromkeys(rows))
        if len(values) == len(rows):
            return cls(values, _COUNTING[:len(rows)] if len(rows) <= SHORT else array("I", range(len(rows))))
        if len(values) == 1:
            return cls(values, _ZEROS[:len(rows)] if len(rows) <= SHORT else array("I", (0,)) * len(rows))
        code = dict(zip(values, range(len(values)), strict=True))
        return cls(values, array("I", map(code.__getitem__, rows)))

    def where(self, mask: Iterable[object]) -> Column:
        """The rows at which ``mask`` is true."""
        return Column.of(compress(self, mask))

    def __iter__(self) -> Iterator[str]:
        return map(self.values.__getitem__, self.codes)

    def __len__(self) -> int:
        return len(self.codes)


class _Once(Generic[T]):
    """An attribute that is worked out when first asked for.

    functools.cached_property would do, but in Python 3.11 it takes a lock each
    time, which costs more than what is worked out here for a small frame.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work, self.__doc__ = work, work.__doc__
        self._name = work.__name__

    def __get__(self, frame: object, owner: type | None = None) -> T:
        value = frame.__dict__[self._name] = self._work(frame)
        return value


@dataclass(frozen=True)
class Frame:
    """Rows of equal length in every column; ``price`` is None where nothing priced the row yet.

    The rows are distinct in their labels and sorted by them, so that equal
    usage makes equal frames whatever order the source answered in.
    """

    metric: str                        # the metric's alt_name: its name in rules and reports
    unit: str
    period: Period
    qty: tuple[Decimal, ...]           # rounded to 12 decimals
    price: tuple[Decimal | None, ...]
    groupby: LabelColumns                    # labels that split totals
    metadata: LabelColumns                   # labels that describe

    @classmethod
    def of_usage(cls, metric: str, unit: str, period: Period, qty: Iterable[Decimal],
                 groupby: Mapping[str, Iterable[str]],
                 metadata: Mapping[str, Iterable[str]] | None = None) -> Frame:
        """Usage as it was read: rows with equal labels are added up, nothing is priced.

        Raises Invalid where a quantity is NaN, infinite or 10^15 or more in
        size, and ValueError where a column is not as long as ``qty``.
        """
        metadata = metadata or {}
        columns = (*groupby.values(), *metadata.values())
        rows = list(zip(*columns, strict=True)) if columns else []
        amounts = money.all_rounded(qty)
        if not columns:
            rows = [()] * len(amounts)
        if len(rows) != len(amounts):
            raise ValueError(f"{len(amounts)} quantities for {len(rows)} rows of labels")
        merged = dict(zip(rows, amounts, strict=True))
        if len(merged) != len(rows):
            merged = _added_up(rows, amounts)
        keys = sorted(merged)
        cells = iter(list(map(Column.of, zip(*keys, strict=True))) if keys else [Column.of(())] * len(columns))
        return cls(
            metric, unit, period, tuple(map(merged.__getitem__, keys)), (None,) * len(keys),
            MappingProxyType(dict(zip(groupby, cells))),    # noqa: B905 - the rest is metadata's
            MappingProxyType(dict(zip(metadata, cells, strict=True))),
        )

    @property
    def labels(self) -> dict[str, Column]:
        """All labels a rule can look at; a groupby label hides a metadata label of its name."""
        return {**self.metadata, **self.groupby}

    def with_price(self, price: Iterable[Decimal | None]) -> Frame:
        """The same rows at these prices."""
        prices = tuple(price)
        if len(prices) != len(self.qty):
            raise ValueError(f"{len(prices)} prices for {len(self.qty)} rows")
        return Frame(self.metric, self.unit, self.period, self.qty, prices, self.groupby, self.metadata)

    def with_storable_labels(self) -> Frame:
        """The same usage with labels that every database keeps; the frame itself where they are so already.

        A value is changed as :func:`~cloudkitty_like.domain.text.storable_value` says.  Rows whose
        labels are equal after that are added up, so the frame must have no prices yet.
        """
        columns = (*self.groupby.values(), *self.metadata.values())
        if all(all_storable(column.values) for column in columns):
            return self
        return Frame.of_usage(
            self.metric, self.unit, self.period, self.qty,
            {name: list(map(storable_value, column)) for name, column in self.groupby.items()},
            {name: list(map(storable_value, column)) for name, column in self.metadata.items()})

    def where(self, mask: Sequence[object]) -> Frame:
        """The rows at which ``mask`` is true."""
        return replace(
            self,
            qty=tuple(compress(self.qty, mask)),
            price=tuple(compress(self.price, mask)),
            groupby=MappingProxyType({name: column.where(mask) for name, column in self.groupby.items()}),
            metadata=MappingProxyType({name: column.where(mask) for name, column in self.metadata.items()}),
        )

    def between(self, first: int, last: int) -> Frame:
        """The rows from number ``first`` up to ``last``, which is not among them."""
        if first <= 0 and last >= len(self):
            return self
        return self.where([first <= number < last for number in range(len(self))])

    def rows(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Decimal, Decimal | None]]:
        """Row by row: groupby cells, metadata cells, quantity, price."""
        nothing: list[tuple[str, ...]] = [()] * len(self.qty)
        groupby = zip(*self.groupby.values(), strict=True) if self.groupby else nothing
        metadata = zip(*self.metadata.values(), strict=True) if self.metadata else nothing
        return zip(groupby, metadata, self.qty, self.price, strict=True)

    @_Once
    def fixed_qty(self) -> tuple[array[int], array[int]]:
        """Whole and part of each quantity: the form in which it is stored."""
        return money.fixed(self.qty)

    @_Once
    def fixed_price(self) -> tuple[array[int], array[int]]:
        """Whole and part of each price, 0 and 0 where a row is unpriced."""
        return money.fixed(money.ZERO if value is None else value for value in self.price)

    @_Once
    def unpriced(self) -> int:
        """The number of rows without a price."""
        return sum([value is None for value in self.price])     # count() would compare each Decimal with None

    def __len__(self) -> int:
        return len(self.qty)


def _added_up(rows: Sequence[tuple[str, ...]], amounts: Sequence[Decimal]) -> dict[tuple[str, ...], Decimal]:
    merged: dict[tuple[str, ...], Decimal] = {}
    with money.arithmetic():
        for row, amount in zip(rows, amounts, strict=True):
            merged[row] = merged.get(row, money.ZERO) + amount
    return {row: money.rounded(amount) for row, amount in merged.items()}


def digest(frames: Iterable[Frame]) -> bytes:
    """16 bytes that two sets of frames share if and only if they hold the same points.

    BLAKE2b over names, labels and numbers in their stored form, every text and
    every frame preceded by its length, frames in the order of their metric and unit.
    """
    state = blake2b(digest_size=16)
    for frame in sorted(frames, key=attrgetter("metric", "unit")):
        texts = [frame.metric, frame.unit, str(len(frame))]
        numbers: list[bytes] = []
        for labels in (frame.groupby, frame.metadata):
            texts.append(str(len(labels)))
            for name in sorted(labels):
                column = labels[name]
                texts += (name, str(len(column.values)), *column.values)
                numbers.append(column.codes.tobytes())
        numbers += [column.tobytes() for column in (*frame.fixed_qty, *frame.fixed_price)]
        if frame.unpriced:
            numbers.append(bytes([value is None for value in frame.price]))
        # How long the columns of numbers are follows from the texts, but for the last, which is the rest.
        lengths = array("I", map(len, texts)).tobytes()
        head = "".join(texts).encode("utf-8", "surrogatepass")
        body = b"".join(numbers)
        state.update(b"%d,%d,%d;%b%b%b" % (len(lengths), len(head), len(body), lengths, head, body))
    return state.digest()


def merged(frames: Sequence[Frame]) -> Frame:
    """Frames of one metric, unit and label names as one; equal rows are added up.

    Only frames without prices can be merged: what is rated is the sum.
    """
    first = frames[0]
    if len(frames) == 1:
        return first
    for frame in frames[1:]:
        if (frame.metric, frame.unit) != (first.metric, first.unit):
            raise Invalid(f"{frame.metric} in {frame.unit} and {first.metric} in {first.unit} do not add up")
    groupby = list(dict.fromkeys(name for frame in frames for name in frame.groupby))
    metadata = list(dict.fromkeys(name for frame in frames for name in frame.metadata
                                  if name not in groupby or name in frame.groupby))

    def cells(name: str, of: Callable[[Frame], LabelColumns]) -> Iterator[str]:
        for frame in frames:
            column = of(frame).get(name, frame.labels.get(name))
            yield from [""] * len(frame) if column is None else column

    return Frame.of_usage(
        first.metric, first.unit, first.period, (qty for frame in frames for qty in frame.qty),
        {name: list(cells(name, attrgetter("groupby"))) for name in groupby},
        {name: list(cells(name, attrgetter("metadata"))) for name in metadata},
    )
