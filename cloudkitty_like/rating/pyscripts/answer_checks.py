"""What a script may answer, and what is said where it answers something else.  Standard library only."""
from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from cloudkitty_like.rating.pyscripts.bounds import LONGEST_VALUE

LabelColumn = tuple[Sequence[str], "array[int]"]
"""A label column, dictionary-encoded: row ``i`` holds ``values[codes[i]]``."""

PRICE, POINTS = "price", "points"
ScriptResult = tuple[str | int, str, Iterable[Any]]
"""What a script made: a frame's number, PRICE and new prices; or a metric's name, POINTS and all points."""


class InvalidAnswer(Exception):
    """What a script answered cannot be used; which metric, and which point of it (0: the first)."""

    def __init__(self, reason: str, metric: str = "", point: int | None = None) -> None:
        super().__init__(reason)
        self.problem: dict[str, Any] = {"reason": reason, "metric": metric, "point": point}


def columns(packed: Sequence[tuple[str, Sequence[str], bytes]]) -> dict[str, LabelColumn]:
    """Label columns by name, as they were sent."""
    by_name = {}
    for name, values, codes in packed:
        column = array("I")
        column.frombytes(codes)
        by_name[name] = values, column
    return by_name


def price_text(value: Any, metric: str, number: int) -> str | None:
    """A price as it is sent; None where there is none."""
    if value is None or type(value) is Decimal:
        return None if value is None else str(value)
    return number_text(value, "price", metric, number)


def price_texts(values: Sequence[Any], metric: str, first: int) -> list[str | None]:
    """:func:`price_text` of each, faster; ``first`` is the number of the first point."""
    if set(map(type, values)) == {Decimal}:
        return list(map(str, values))
    return [price_text(value, metric, number) for number, value in enumerate(values, first)]


def number_text(value: Any, what: str, metric: str, number: int) -> str:
    """A Decimal or an int; whether it is finite and in range is looked at where it is received."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise InvalidAnswer(f"its {what} is {value!r:.80}, a {type(value).__name__}, not a Decimal", metric, number)
    return str(value)


def label_text(value: Any, what: str, metric: str, number: int) -> str:
    """Text; a whole number or a Decimal becomes it."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidAnswer(f"its {what} is {value!r:.80}, which cannot be stored", metric, number)
        if len(value) > LONGEST_VALUE:
            raise InvalidAnswer(f"its {what} has more than {LONGEST_VALUE} characters", metric, number)
        return value
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise InvalidAnswer(f"its {what} is {value!r:.80}, a {type(value).__name__}, not text", metric, number)
    return str(value)
