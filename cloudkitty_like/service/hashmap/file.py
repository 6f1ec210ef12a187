"""The file of hashmap rules: read with every mistake named, and written so that it reads back the same.

The format is described for its users in ``doc/source/rules.rst``.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant, parse_instant
from cloudkitty_like.domain.rule import TYPES, Rule, Validity, overlaps
from cloudkitty_like.service import strict_yaml
from cloudkitty_like.service.strict_yaml import YamlMapping, YamlNumber

TEXTS = ("field", "value", "group", "scope", "name", "description")
DAY_SECONDS = 86400
MAX_SIMPLE_KEY = 1000          # YAML wants longer keys marked
KEYS = ("field", "value", "level", "cost", "type", "group", "scope", "start", "end", "name", "description")


@dataclass(frozen=True, slots=True)
class RulesFile:
    """The rules of a file, in its order, and the period in seconds for which their costs are meant (None: not said)."""

    rules: tuple[Rule, ...]
    period: int | None = None

    def doubt(self, period: int) -> str:
        """Say what costs for another period than this one (in seconds) come to here; '' where they are for this one."""
        if self.period is None or self.period == period:
            return ""
        times = Fraction(period, self.period)
        return (f"its costs are for periods of {self.period} s, and a period is {period} s here: the cost of a gauge "
                f"is per period, so what a gauge costs comes to {1 / times} times what was meant; multiply these costs "
                f"by {times} and write 'period: {period}'")


def parse(text: str, name: str = "") -> tuple[Rule, ...]:
    """The rules alone of :func:`read`."""
    return read(text, name).rules


def read(text: str, name: str = "") -> RulesFile:
    """What a file says; ``name`` goes in front of messages.

    Invalid with every problem at once, each with its line and path
    (``line 4: instance[2].cost: ...``).  A file without a list of services is
    refused: it must say so if all rules are to go.
    """
    return _FileReading(name).file(strict_yaml.load(text, name))


class _FileReading:
    """One reading of a file: the rules, where each was found, and what is wrong."""

    def __init__(self, name: str) -> None:
        self._where = f"{name}: " if name else ""
        self._problems: list[str] = []
        self._found: list[tuple[Rule, str, int]] = []

    def file(self, document: Any) -> RulesFile:
        if not isinstance(document, YamlMapping) or "services" not in document:
            raise Invalid(f"{self._where}a file of rules begins with 'services:'; "
                          "'services: {}' says that there are none")
        self._unknown(document, ("services", "period"), "")
        period = None
        with self._at(document, "", "period"):
            period = _period(document["period"]) if "period" in document else None
        services = document["services"]
        if not isinstance(services, YamlMapping):
            raise Invalid(f"{self._where}line {document.lines['services']}: services: write each metric's name, "
                          "and a list of rules below it; or {} for none")
        for service, entries in services.items():
            self._service(service, entries, services.lines[service])
        self._overlaps()
        if self._problems:
            raise Invalid(*self._problems)
        return RulesFile(tuple(rule for rule, _, _ in self._found), period)

    def _service(self, service: str, entries: Any, line: int) -> None:
        if not isinstance(entries, list):
            self._say(line, service, "write a list of rules, each on a line that begins with '-'")
            return
        for number, entry in enumerate(entries):
            path = f"{service}[{number}]"
            if isinstance(entry, YamlMapping):
                self._entry(service, entry, path)
            else:
                self._say(line, path, "a rule is written {cost: ..., ...}")

    def _entry(self, service: str, entry: YamlMapping, path: str) -> None:
        before = len(self._problems)
        self._unknown(entry, KEYS, f"{path}.")
        values: dict[str, Any] = {"service": service}
        times: dict[str, datetime] = {}
        for key, raw in entry.items():
            with self._at(entry, path, key):
                if key in TEXTS:
                    values[key] = _text(raw)
                elif key in ("cost", "level"):
                    values[key] = _number(raw)
                elif key == "type":
                    values[key] = _type(raw)
                elif key in ("start", "end"):
                    times["begin" if key == "start" else "end"] = parse_instant(_text(raw))
        if "cost" not in entry:
            self._say(entry.line, f"{path}.cost", "is missing")
        with self._at(entry, path, "end"):
            values["valid"] = Validity(**times)
        if len(self._problems) > before:
            return
        try:
            self._found.append((Rule(**values), path, entry.line))
        except Invalid as error:
            for problem in error.problems:
                key = problem.partition(":")[0]
                self._say(entry.lines.get(key, entry.line), f"{path}.{problem}")

    def _overlaps(self) -> None:
        places = {id(rule): (path, line) for rule, path, line in self._found}
        for earlier, later in overlaps(rule for rule, _, _ in self._found):
            (path, line), (other, other_line) = places[id(later)], places[id(earlier)]
            self._say(line, path, f"{later} is there already, as {other} on line {other_line}, and both hold "
                                  "at the same time; let one end where the other starts, or use groups to add costs")

    def _unknown(self, table: YamlMapping, keys: Iterable[str], path: str) -> None:
        for key in table:
            if key not in keys:
                close = get_close_matches(key, keys, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(keys)}"
                self._say(table.lines[key], f"{path}{key}", f"is not known; {hint}")

    @contextmanager
    def _at(self, entry: YamlMapping, path: str, key: str) -> Iterator[None]:
        try:
            yield
        except Invalid as error:
            self._say(entry.lines.get(key, entry.line), f"{path}.{key}" if path else key, str(error))

    def _say(self, line: int, path: str, problem: str = "") -> None:
        self._problems.append(f"{self._where}line {line}: {path}" + (f": {problem}" if problem else ""))


def _text(raw: Any) -> str:
    if isinstance(raw, YamlNumber):
        return raw.written
    if isinstance(raw, bool):
        raise Invalid("yes, no, on, off, true and false are not text in YAML: write it in quotes")
    if raw is None:
        raise Invalid("is empty; leave it out, or write the text in quotes")
    if not isinstance(raw, str):
        raise Invalid("must be text")
    return str(raw)


def _number(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | Decimal):
        raise Invalid("must be a number")
    return Decimal(money.number(raw))


def _period(raw: Any) -> int:
    """A period's length in seconds."""
    if isinstance(raw, YamlNumber) and raw.written.isdecimal() and 0 < raw <= DAY_SECONDS and DAY_SECONDS % raw == 0:
        return int(raw)
    raise Invalid("must be a whole number of seconds that divides a day, as [collect] period is")


def _type(raw: Any) -> str:
    if raw not in TYPES:
        raise Invalid(f"must be flat or rate, not {raw!r}")
    return str(raw)


# --- writing ---------------------------------------------------------------------------------------


def export(rules: Iterable[Rule], *, ended_by: datetime | None = None, period: int | None = None) -> str:
    """The rules as a file that :func:`parse` reads back as the same rules, in a fixed order.

    Those that have ended at ``ended_by`` are left out.  ``period``: the seconds for which their costs are meant.
    """
    by_service: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=place):
        if not rule.valid.is_over(ended_by):
            by_service.setdefault(rule.service, []).append(rule)
    lines = [] if period is None else [f"period: {period}"]
    lines.append("services:" if by_service else "services: {}")
    for service, members in by_service.items():
        name = _scalar(service)
        lines += [f"  {name}:"] if len(name) < MAX_SIMPLE_KEY else [f"  ? {name}", "  :"]
        lines += [f"    - {{{', '.join(f'{key}: {value}' for key, value in _entry(rule).items())}}}"
                  for rule in members]
    return "\n".join(lines) + "\n"


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def place(rule: Rule) -> tuple[Any, ...]:
    """Where a rule stands in a file or a list."""
    begin = rule.valid.begin
    return (rule.service, rule.field or "", rule.level is not None, rule.value or "", rule.level or 0, rule.group,
            rule.scope or "", rule.scope is not None, begin or _BEFORE_ALL)


def _entry(rule: Rule) -> Mapping[str, str]:
    entry: dict[str, str] = {}
    for key in KEYS:
        match key:
            case "cost" | "level":
                number = getattr(rule, key)
                text = None if number is None else money.plain(number)
            case "start" | "end":
                when = rule.valid.begin if key == "start" else rule.valid.end
                text = None if when is None else _scalar(instant(when))
            case "type":
                text = None if rule.type == "flat" else rule.type
            case _:
                value = getattr(rule, key)
                left_out = value is None or (value == "" and key in ("group", "name", "description"))
                text = None if left_out else _scalar(value)
        if text is not None:
            entry[key] = text
    return entry


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*$|\d{4}-\d\d-\d\d[0-9T:.-]*Z$")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _scalar(text: str) -> str:
    """Text as YAML reads it back: plain where that is safe, else in double quotes."""
    if _PLAIN.match(text) and not text.endswith("\n") and not strict_yaml.is_word(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\U{ord(character):08X}"
