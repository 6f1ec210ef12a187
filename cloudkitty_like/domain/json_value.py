"""Values of a JSON document: each is read exactly, or refused in words that name the value.

The API reads request bodies with these functions, and the commands read files of the same form.
"""
from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.text import quoted, storable

LONGEST_TEXT = 10_000
LARGEST_EXPONENT = 400
T = TypeVar("T")


def parsed(data: bytes) -> Any:
    """Read a JSON document; every number is as it is written: whole, or a Decimal.

    :raises Invalid: when it is not JSON
    """
    try:
        return json.loads(data, parse_float=_decimal, parse_constant=_refused)
    except RecursionError:
        raise Invalid("the body is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}"[:200]) from None


def _decimal(written: str) -> Decimal:
    try:
        return Decimal(written)
    except InvalidOperation:
        raise ValueError(f"{written[:40]} is out of range") from None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def text(value: Any, longest: int = LONGEST_TEXT, *, may_be_empty: bool = True) -> str:
    """Read a text that every database can store.

    :raises Invalid: when the value is none
    """
    if not isinstance(value, str):
        raise Invalid(f"{shown(value)} is not a text")
    if len(value) > longest:
        raise Invalid(f"is longer than {longest} characters")
    if not storable(value):
        raise Invalid("holds a character that cannot be stored")
    if not value and not may_be_empty:
        raise Invalid("is empty")
    return value


def number(value: Any) -> Decimal:
    """Read an exact decimal, written as a JSON number or in quotes.

    :raises Invalid: when the value is none, or its exponent is out of range
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Invalid(f"{shown(value)} is not a number")
    try:
        decimal = money.number(value)
    except Invalid:
        raise Invalid(f"{shown(value)} is not a number") from None
    if not -LARGEST_EXPONENT <= decimal.adjusted() <= LARGEST_EXPONENT:
        raise Invalid(f"{shown(value)} is out of range")
    return decimal


def label(value: Any) -> str:
    """Read a label's value as the text that a collector would have made of it.

    :raises Invalid: when the value is a list, an object or no text that can be stored
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"     # as CloudKitty's storages have it
    return text(money.plain(number(value)) if isinstance(value, int | Decimal) else value)


def named(name: str, read: Callable[[Any], T], value: Any) -> T:
    """Read a member of an object.

    :raises Invalid: when ``read`` refuses the value, with the member's name
    """
    try:
        return read(value)
    except Invalid as error:
        raise Invalid(*(f"{name}: {problem}" for problem in error.problems)) from None


def shown(value: Any) -> str:
    """Quote a wrong value for a message."""
    try:
        return quoted(str(value) if isinstance(value, Decimal) else value)
    except (RecursionError, ValueError):    # it is nested too deeply, or has too many digits
        return "this"
