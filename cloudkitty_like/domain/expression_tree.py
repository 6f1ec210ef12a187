"""What an expression over data points is made of, and how it is worked out.

A closed set of nodes, evaluated column by column: a node answers for many
rows at once, and what depends on labels alone is worked out once per distinct
combination of them.  ``and`` and ``or`` look at their right side only for the
rows that need it, as Python does, so that a test can guard what follows it.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from cloudkitty_like.domain import calendar, money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.text import quoted

LabelPath = tuple[str, str]
"""A part of a data point: ``("vol", "qty")``, ``("metadata", "flavor")``."""

QTY, PRICE, UNIT = ("vol", "qty"), ("rating", "price"), ("vol", "unit")
NUMBERS = frozenset((QTY, PRICE))
LABELS = ("groupby", "metadata")

SHAPE: Mapping[str, tuple[str, ...]] = {
    "": ("vol", "rating", "groupby", "metadata"),
    "vol": ("unit", "qty"),
    "rating": ("price",),
}
"""The keys of a data point ("") and of those of its parts that always have the same."""

CALENDAR: Mapping[str, calendar.CalendarUnit] = {
    "week_of_the_year": "week_of_the_year", "day_of_the_year": "day_of_the_year",
    "month": "month", "year": "year"}
"""The labels of the calendar, read from the begin of the period and never stored."""

KnownLabels = Mapping[str, frozenset[str]]
"""The label names that a metric has, under "groupby" and under "metadata"."""


class Rows:
    """Some rows of a frame, by number; ``distinct`` where each stands for all rows with its labels."""

    def __init__(self, frame: Frame, numbers: Sequence[int], *, distinct: bool = False) -> None:
        self.frame = frame
        self.numbers = numbers
        self.distinct = distinct

    def at(self, places: Iterable[int]) -> Rows:
        return Rows(self.frame, [self.numbers[place] for place in places], distinct=self.distinct)

    def of(self, column: Sequence[Any]) -> Sequence[Any]:
        """The cells of a whole column that are in these rows."""
        if len(self.numbers) == len(self.frame):
            return column
        return [column[number] for number in self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)


class Node(Protocol):
    """A part of an expression."""

    @property
    def reads(self) -> frozenset[LabelPath]:
        """What of a data point the answer depends on."""

    def cells(self, rows: Rows) -> Sequence[Any]:
        """The answer for each of the rows, of which there is at least one; Invalid where there is none."""

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        """The labels that it cannot do without and that are not among ``labels``."""


@dataclass(frozen=True, slots=True)
class LiteralNode:
    value: Any

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset()

    def cells(self, rows: Rows) -> Sequence[Any]:
        return [self.value] * len(rows)

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class NumberNode:
    """The quantity or the price; an unpriced point's price is shown as 0, as CloudKitty shows it."""

    place: LabelPath

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset((self.place,))

    def cells(self, rows: Rows) -> Sequence[Any]:
        if self.place == QTY:
            return rows.of(rows.frame.qty)
        prices = rows.of(rows.frame.price)
        return [money.ZERO if price is None else price for price in prices] if rows.frame.unpriced else prices

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class UnitNode:
    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset((UNIT,))

    def cells(self, rows: Rows) -> Sequence[Any]:
        return [rows.frame.unit] * len(rows)

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class LabelNode:
    """A groupby or metadata label; ``default`` where the metric has none of that name, None: that is an error."""

    place: LabelPath
    default: Node | None = None

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset((self.place,)) | (self.default.reads if self.default else frozenset())

    def cells(self, rows: Rows) -> Sequence[Any]:
        kind, name = self.place
        column = _labels(rows.frame, kind).get(name)
        if column is not None:
            return list(map(column.values.__getitem__, rows.of(column.codes)))
        if kind == "groupby" and name in CALENDAR:
            return [calendar.number(CALENDAR[name], rows.frame.period.begin)] * len(rows)
        if self.default is None:
            raise Invalid(f"there is no {kind} label {name!r}, only {', '.join(names(rows.frame, kind)) or 'none'}")
        return answers(self.default, rows)

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        kind, name = self.place
        if name in labels[kind]:
            return frozenset()
        return self.default.unmet(labels) if self.default else frozenset((self.place,))


@dataclass(frozen=True, slots=True)
class KeysNode:
    """A part of the point as a whole (``"" `` for all of it): its keys, which is all one may ask about it."""

    part: str

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset(((self.part, ""),))

    def cells(self, rows: Rows) -> Sequence[Any]:
        return [SHAPE.get(self.part) or names(rows.frame, self.part)] * len(rows)

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of one row's values, applied to every row; ``name`` as the reader wrote it."""

    name: str
    function: Callable[..., Any]
    operands: tuple[Node, ...]

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset[LabelPath]().union(*(operand.reads for operand in self.operands))

    def cells(self, rows: Rows) -> Sequence[Any]:
        columns = [answers(operand, rows) for operand in self.operands]
        try:
            return list(map(self.function, *columns))
        except (TypeError, ValueError, ArithmeticError, Invalid):
            raise self._failure(columns) from None

    def _failure(self, columns: Sequence[Sequence[Any]]) -> Invalid:
        for values in zip(*columns, strict=True):
            try:
                self.function(*values)
            except (TypeError, ValueError, ArithmeticError, Invalid):
                return Invalid(f"{self.name} cannot be applied to {' and '.join(map(shown, values))}")
        return Invalid(f"{self.name} cannot be applied")

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        return frozenset[LabelPath]().union(*(operand.unmet(labels) for operand in self.operands))


@dataclass(frozen=True, slots=True)
class LogicNode:
    """``and`` (``conjunction``) or ``or``: the value of the operand that decides, as in Python."""

    conjunction: bool
    operands: tuple[Node, ...]

    @property
    def reads(self) -> frozenset[LabelPath]:
        return frozenset[LabelPath]().union(*(operand.reads for operand in self.operands))

    def cells(self, rows: Rows) -> Sequence[Any]:
        values = list(answers(self.operands[0], rows))
        undecided: Sequence[int] = range(len(values))
        for operand in self.operands[1:]:
            undecided = [place for place in undecided if bool(values[place]) is self.conjunction]
            if not undecided:
                break
            for place, value in zip(undecided, answers(operand, rows.at(undecided)), strict=True):
                values[place] = value
        return values

    def unmet(self, labels: KnownLabels) -> frozenset[LabelPath]:
        missing: set[LabelPath] = set()
        for operand in self.operands:
            missing |= operand.unmet(labels)
            truth = foregone(operand, labels)
            if truth is not None and truth is not self.conjunction:
                break
        return frozenset(missing)


def answers(node: Node, rows: Rows) -> Sequence[Any]:
    """The node's answer for each row, worked out once per distinct labels where only they matter."""
    reads = node.reads
    if not len(rows) or not isinstance(node, Apply | LogicNode):
        return node.cells(rows) if len(rows) else ()
    if rows.distinct or reads & NUMBERS:
        return node.cells(rows)
    columns = [rows.of(column.codes) for kind, name in reads
               if kind in LABELS and (column := _labels(rows.frame, kind).get(name)) is not None]
    keys: Sequence[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    if not columns:
        keys = [()] * len(rows)
    # Whichever row of a combination: they are all the same to this node.
    example = dict(zip(keys, rows.numbers, strict=True))
    values = node.cells(Rows(rows.frame, list(example.values()), distinct=True))
    spread = dict(zip(example, values, strict=True))
    return list(map(spread.__getitem__, keys))


def foregone(node: Node, labels: KnownLabels) -> bool | None:
    """Whether the node is true, as far as the metric's label names alone can tell."""
    match node:
        case LiteralNode(value):
            return bool(value)
        case Apply("in" | "not in", _, (LiteralNode(name), KeysNode(part))):
            there = name in (SHAPE.get(part) or labels[part])
            return there if node.name == "in" else not there
        case Apply("not", _, (operand,)):
            truth = foregone(operand, labels)
            return None if truth is None else not truth
        case _:
            return None


def names(frame: Frame, part: str) -> tuple[str, ...]:
    """The label names of a part of the frame's points, those of the calendar included."""
    labels = tuple(_labels(frame, part))
    return (*labels, *(name for name in CALENDAR if name not in labels)) if part == "groupby" else labels


def shown(value: object) -> str:
    """A value for a message, short."""
    if isinstance(value, Decimal):
        return money.plain(value) if abs(value.adjusted()) < 40 else str(value)
    return quoted(value, 60)


def _labels(frame: Frame, kind: str) -> Mapping[str, Any]:
    return frame.groupby if kind == "groupby" else frame.metadata
