"""Kinds of arguments: each reads a value from a URL or from JSON, refuses what is none, and describes itself."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from cloudkitty_like.domain import json_value
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import LONGEST_TEXT, shown
from cloudkitty_like.domain.period import parse_instant

MOST_VALUES = 1000
SECOND = timedelta(seconds=1)
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:(\d\d)(?:\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?\Z")
WITHOUT_ZONE = r"^\d{4}-?(0[1-9]|1[0-2])-?(0[1-9]|1\d|2[0-8])(T([01]\d|2[0-3]):?[0-5]\d(:?[0-5]\d)?)?$"
TRUE = frozenset(("true", "t", "yes", "y", "on", "1"))
FALSE = frozenset(("false", "f", "no", "n", "off", "0", ""))
Schema = Mapping[str, Any]


class Field(Protocol):
    """Reads one argument: text from a URL, or a value of JSON."""

    repeatable: ClassVar[bool]               # whether the argument may come several times in a query

    @property
    def schema(self) -> Schema:
        """What is accepted, as a JSON Schema."""

    def read(self, value: Any) -> Any:
        """The value; Invalid, without the argument's name, where it is none."""


@dataclass(frozen=True)
class TextField:
    """Text; of ``choices`` where there are any."""

    choices: tuple[str, ...] = ()
    longest: int = LONGEST_TEXT
    may_be_empty: bool = True
    fold: bool = False                 # whether upper and lower case are the same
    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        if self.choices:
            folded = [choice.upper() for choice in self.choices] if self.fold else []
            return {"type": "string", "enum": [*self.choices, *folded]}
        bounds = {} if self.may_be_empty else {"minLength": 1}
        return {"type": "string", **bounds, **({} if self.longest == LONGEST_TEXT else {"maxLength": self.longest})}

    def read(self, value: Any) -> str:
        text = json_value.text(value, self.longest, may_be_empty=self.may_be_empty)
        text = text.lower() if self.fold else text
        if self.choices and text not in self.choices:
            raise Invalid(f"{shown(value)} is not one of {', '.join(self.choices)}")
        return text


@dataclass(frozen=True)
class BooleanField:
    """``true`` or ``false`` in any of their spellings; ``false`` in a URL is false."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, {"enum": sorted(TRUE | FALSE)}]}

    def read(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, int) and value in (0, 1):
            return value == 1
        text = value.strip().lower() if isinstance(value, str) else None
        if text in TRUE or text in FALSE:
            return text in TRUE
        raise Invalid(f"{shown(value)} is neither true nor false")


@dataclass(frozen=True)
class IntegerField:
    """A whole number within bounds."""

    least: int = -(2**31)
    most: int = 2**31 - 1
    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def read(self, value: Any) -> int:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value):
            number = int(value)
        if isinstance(value, Decimal) and -400 < value.adjusted() < 18 and value == value.to_integral_value():
            number = int(value)
        if number is None:
            raise Invalid(f"{shown(value)} is not a whole number")
        if not self.least <= number <= self.most:
            raise Invalid(f"{number} is not from {self.least} to {self.most}")
        return number


@dataclass(frozen=True)
class NumberField:
    """An exact decimal, as a JSON number or in quotes."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[-+]?[0-9]+(\.[0-9]+)?$"}]}

    def read(self, value: Any) -> Decimal:
        return json_value.number(value)


@dataclass(frozen=True)
class InstantField:
    """An instant: ``2026-11-01``, ``2026-11-01T10:00:00Z``, with an offset or none (UTC), or ``20261101T100000Z``."""

    fractions: bool = False            # else what is below a second is dropped
    end_of_day: bool = False           # whether a date alone means its last second
    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        return {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}, {"pattern": WITHOUT_ZONE}],
                "examples": ["2026-11-01T00:00:00Z"]}

    def read(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        if not isinstance(value, str):
            raise Invalid(f"{shown(value)} is not a date or time")
        text = value.strip()
        if len(text) > LONGEST_TEXT:
            raise Invalid("is too long for a date or time")
        # A plus sign that was not escaped in a URL arrives as a space.
        text = re.sub(r"(T\d\d:?\d\d\S*) (\d\d:?\d\d)$", r"\1+\2", text)
        when = parse_instant(_spelled_out(text))
        if self.end_of_day and re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
            return when + (timedelta(days=1) - SECOND)
        return when if self.fractions else when.replace(microsecond=0)


def _spelled_out(text: str) -> str:
    """The compact form of ISO 8601 as the usual one; everything else as it is, microseconds at most."""
    match = COMPACT.match(text)
    if match:
        year, month, day, hour, minute, second, zone = match.groups()
        return f"{year}-{month}-{day}" + (f"T{hour}:{minute}:{second or '00'}{zone or ''}" if hour else "")
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


@dataclass(frozen=True)
class TextListField:
    """Several texts: ``a,b`` or repeated in a URL, a list or ``a,b`` in JSON."""

    each: Field = field(default_factory=lambda: TextField(may_be_empty=False))
    repeatable: ClassVar[bool] = True

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": self.each.schema, "minItems": 1}

    def read(self, value: Any) -> tuple[Any, ...]:
        parts = value if isinstance(value, list) else [value]
        pieces = [piece for part in parts
                  for piece in (part.split(",") if isinstance(part, str) else [part])]
        if not pieces:
            raise Invalid("is empty")
        if len(pieces) > MOST_VALUES:
            raise Invalid(f"has more than {MOST_VALUES} values")
        return tuple(dict.fromkeys(self.each.read(piece) for piece in pieces))


@dataclass(frozen=True)
class FilterField:
    """``key:value`` pairs, ``a:x,a:y,b:z`` or repeated: values of one key are alternatives, keys all have to fit."""

    repeatable: ClassVar[bool] = True

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string", "pattern": "^[^:,]+:[^,]*$"}}

    def read(self, value: Any) -> Mapping[str, frozenset[str]]:
        if isinstance(value, Mapping):
            pairs = [(name, element) for name, many in value.items()
                     for element in (many if isinstance(many, list) else [many])]
        else:
            pieces = [piece for part in (value if isinstance(value, list) else [value])
                      for piece in TextField().read(part).split(",") if piece]
            pairs = [_pair(piece) for piece in pieces]
        if len(pairs) > MOST_VALUES:
            raise Invalid(f"has more than {MOST_VALUES} values")
        filters: dict[str, set[str]] = {}
        for name, element in pairs:
            label = TextField(may_be_empty=False).read(name)
            filters.setdefault(label, set()).add(TextField().read(element))
        return MappingProxyType({name: frozenset(values) for name, values in filters.items()})


def _pair(piece: str) -> tuple[str, str]:
    name, colon, value = piece.partition(":")       # a value may have colons of its own
    if not colon or not name:
        raise Invalid(f"{shown(piece)} is not key:value")
    return name, value


@dataclass(frozen=True)
class LabelField:
    """A label's value as it would have been collected: text, whatever it was."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        return {"type": ["string", "number", "boolean", "null"]}

    def read(self, value: Any) -> str:
        return json_value.label(value)


def named(name: str, kind: Field, value: Any) -> Any:
    """A member of something larger; Invalid with its name."""
    return json_value.named(name, kind.read, value)
