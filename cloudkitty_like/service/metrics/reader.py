"""The values of one definition of metrics.yml: each is read, or its problem is noted and reading goes on."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import MUTATIONS, MutationName
from cloudkitty_like.domain.text import shortened, storable
from cloudkitty_like.service.strict_yaml import YamlMapping

LONGEST = 255
EXACT = 10**30
"""Below it, a quantity of 27 digits times a numerator is exact in the 60 digits we compute with."""

_RATIO = re.compile(r"\s*([-+]?\d{1,40})\s*/\s*(\d{1,40})\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[-+]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][-+]?\d{1,3})?\s*", re.ASCII)


class DefinitionReader:
    """One definition; messages about it name the ``file``, the line and ``what`` it is."""

    def __init__(self, metric: str, table: YamlMapping, file: str, what: str) -> None:
        self.metric = metric
        self.table = table
        self._file = file
        self._what = what
        self._found: list[tuple[int, str]] = []

    @property
    def problems(self) -> list[str]:
        """What was found wrong so far, from the top of the file to its bottom."""
        return [problem for _, problem in sorted(self._found, key=itemgetter(0))]

    def where(self, key: str) -> str:
        """The begin of a message about this key, '' for the definition as a whole."""
        return f"{self._file}: line {self._line(key)}: {self._what}"

    def problem(self, key: str, reason: str) -> None:
        self._found.append((self._line(key), f"{self.where(key)}{key}{': ' if key else ''}{reason}"))

    def _line(self, key: str) -> int:
        return self.table.lines.get(key, self.table.line)

    def tried(self, key: str, call: Callable[[Any], Any], argument: Any) -> Any:
        """What the call makes of it; None where that is Invalid, for reasons that are noted."""
        try:
            return call(argument)
        except Invalid as error:
            for problem in error.problems:
                self.problem(key, problem.removeprefix(f"{key}."))      # named once
            return None

    def checked_name(self) -> str:
        self._storable("", self.metric, LONGEST)
        return self.metric

    def text(self, key: str, *, required: bool = False, longest: int = LONGEST) -> str:
        """A text that is not empty; '' where there is none."""
        if key not in self.table:
            if required:
                self.problem(key, "is missing")
            return ""
        value = self.table[key]
        if not isinstance(value, str):
            self.problem(key, f"{quoted(value)} is not text: write it in quotes")
            return ""
        return value if self._storable(key, value, longest) else ""

    def names(self, key: str) -> tuple[str, ...]:
        """A list of label names, each once."""
        value = self.table.get(key, [])
        if not isinstance(value, list):
            self.problem(key, "must be a list of label names")
            return ()
        labels: dict[str, None] = {}
        for item in value:
            if not isinstance(item, str):
                self.problem(key, f"{quoted(item)} is not text: write it in quotes")
            elif item in labels:
                self.problem(key, f"{quoted(item)} is there twice")
            elif self._storable(key, item, LONGEST):
                labels[item] = None
        return tuple(labels)

    def fraction(self, key: str, default: int) -> Fraction:
        """A number or a ratio, exactly as written."""
        value = self.table.get(key, default)
        try:
            number = fraction(value)
        except Invalid as error:
            self.problem(key, str(error))
            return Fraction(default)
        if abs(number.numerator) >= EXACT or number.denominator >= EXACT:
            self.problem(key, f"{quoted(value)} has too many digits to compute with exactly")
        return number

    def mutation(self) -> tuple[MutationName, Mapping[Decimal, Decimal]]:
        """How the quantity is mutated, and the map where that is by a map."""
        value = self.table.get("mutate", "NONE")
        if value not in MUTATIONS:
            close = get_close_matches(str(value).upper(), MUTATIONS, n=1) if isinstance(value, str) else []
            self.problem("mutate", f"{quoted(value)} is unknown: " + (
                f"did you mean {close[0]}?" if close else f"it is one of {', '.join(MUTATIONS)}"))
        elif value == "MAP" and "mutate_map" not in self.table:
            self.problem("mutate", "MAP needs a mutate_map")
        elif value != "MAP" and "mutate_map" in self.table:
            self.problem("mutate_map", f"is for mutate: MAP alone, and mutate is {value}")
        return value, self._map()

    def _map(self) -> Mapping[Decimal, Decimal]:
        table = self.table.get("mutate_map", {})
        mapping: dict[Decimal, Decimal] = {}
        if not isinstance(table, Mapping) or ("mutate_map" in self.table and not table):
            self.problem("mutate_map", "must be a mapping of numbers to numbers, and not empty")
            return mapping
        for text, value in table.items():
            key = self.tried("mutate_map", money.number, text)
            mapped = self.tried("mutate_map", _quantity, value)
            if key in mapping:
                self.problem("mutate_map", f"{quoted(text)} is there twice")
            elif key is not None and mapped is not None:
                mapping[key] = mapped
        return MappingProxyType(mapping)

    def _storable(self, key: str, text: str, longest: int) -> bool:
        reason = ""
        if not text.strip():
            reason = "is empty"
        elif len(text) > longest:
            reason = f"{quoted(text)} is longer than {longest} characters"
        elif not storable(text):
            reason = f"{quoted(text)} holds a character that cannot be stored"
        if reason:
            self.problem(key, reason)
        return not reason


def fraction(value: object) -> Fraction:
    """``0.1``, ``"1e-6"``, ``"1/1048576"``: exactly what is written; Invalid for anything else."""
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str):
        ratio = _RATIO.fullmatch(value)
        if ratio is not None:
            if int(ratio[2]) == 0:
                raise Invalid(f"{quoted(value)} divides by zero")
            return Fraction(int(ratio[1]), int(ratio[2]))
        if _NUMBER.fullmatch(value):
            return Fraction(value.strip())
    raise Invalid(f"{quoted(value)} is not a number: write 0.5, 1e-6 or 1/1024")


def quoted(value: object) -> str:
    """A value of the file for a message, short."""
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    if isinstance(value, Decimal):
        return shortened(f"{value}")
    return shortened(repr(str(value) if isinstance(value, str) else value))


def _quantity(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | Decimal | int):
        raise Invalid(f"{quoted(value)} is not a number")
    return money.rounded(money.number(value))
