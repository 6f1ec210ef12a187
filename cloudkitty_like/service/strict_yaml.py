"""YAML as people mean it: numbers exactly as written, one meaning per key, an error per line.

What a document may hold is the plain part of YAML 1.1: mappings, lists, text,
numbers, booleans and null, anchors and aliases; tags of other kinds are
refused.  Differences to a usual loader, each on purpose:

* a number is a :class:`~decimal.Decimal` with every digit as written (``0.1`` is
  one tenth, ``0.10`` keeps its zero), never a float; ``1_000`` is 1000, ``1:30`` and ``.inf`` are text;
* a date is text: who expects an instant reads it as one, and says so where it is wrong;
* a key that comes twice, or that is not text, is refused.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from cloudkitty_like.domain.errors import Invalid

MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 50
MAX_VALUES = 1_000_000      # aliases counted with all that they stand for, as often as they are used

# Decimal only: YAML 1.1 would read 010 as eight and 1:30 as ninety.
NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)([eE][-+]?\d+)?$")
NULL = frozenset(("", "~", "null", "Null", "NULL"))
TRUE = frozenset(word for text in ("true", "yes", "on") for word in (text, text.title(), text.upper()))
FALSE = frozenset(word for text in ("false", "no", "off") for word in (text, text.title(), text.upper()))
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"


class YamlText(str):
    """A text that was written in quotes: not a number, even if it looks like one."""

    __slots__ = ()


class YamlNumber(Decimal):
    """A number, and the very characters it was written with (``8.0``, ``1_000``, ``1e3``)."""

    written: str = ""


class YamlMapping(dict[str, Any]):
    """A mapping that knows the line (from 1) it starts on and those of its keys."""

    line: int = 0
    lines: dict[str, int]


def is_word(text: str) -> bool:
    """Whether the text, unquoted, would be read as null or a boolean."""
    return text in NULL or text in TRUE or text in FALSE


def load(text: str, name: str = "") -> Any:
    """The document in ``text`` as plain values; ``name`` (a file's) goes in front of messages.

    Mappings are :class:`Table` (a dict of text), sequences are lists, scalars
    are text, :class:`Number`, bool or None.  An empty document is None.  Raises
    Invalid, with a line, where it is no such document.
    """
    where = f"{name}: " if name else ""
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"{where}longer than {MAX_CHARACTERS} characters")
    try:
        return _Builder(where, yaml.parse(text, Loader=LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        if mark and _is_indented_by_tab(text, mark):
            raise Invalid(f"{where}{line}is indented with a tab; YAML indents with spaces only") from None
        context = f" {error.context}" if error.context else ""
        raise Invalid(f"{where}{line}{error.problem or 'is not YAML'}{context}") from None
    except yaml.YAMLError as error:
        raise Invalid(f"{where}is not YAML: {' '.join(str(error).split())}") from None


def _is_indented_by_tab(text: str, mark: Any) -> bool:
    """Whether the line of an error begins with white space among which there is a tab."""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    return "\t" in line[:len(line) - len(line.lstrip(" \t"))]


class _Builder:
    """From the parser's events to values.

    Not from its nodes: the C library composes them by recursion, which a
    deeply nested document makes into a crash of the whole process.
    """

    def __init__(self, where: str, events: Iterator[Any]) -> None:
        self._where = where
        self._events = events
        self._values = 0
        self._anchors: dict[str, tuple[Any, int]] = {}      # the value, and how many it is made of

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused(event, "a second document; write one only")
                value = self._value(next(self._events), 0)
        return value

    def _value(self, event: Any, depth: int) -> Any:
        before = self._values
        self._count(event, 1)
        if depth > MAX_DEPTH:
            raise self._refused(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._refused(event, f"*{event.anchor}: nothing before is called &{event.anchor}")
            value, size = self._anchors[event.anchor]
            self._count(event, size)
            return value
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._expect(event, "seq")
            value = self._sequence(depth)
        else:
            value = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = value, self._values - before
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, start: Any, depth: int) -> YamlMapping:
        self._expect(start, "map")
        table, merged = YamlMapping(), YamlMapping()
        table.line, table.lines = _line(start), {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refused(event, "a key must be text")
            value = self._value(next(self._events), depth + 1)
            if event.value == "<<" and event.implicit[0]:
                self._merge(event, merged, value)
                continue
            if event.value in table:
                raise self._refused(event, f"the key {event.value!r} is there twice, "
                                           f"first on line {table.lines[event.value]}")
            # A key is what was written: 8: is the key "8" and on: is "on".
            table[event.value] = value
            table.lines[event.value] = _line(event)
        for key in merged:
            if key not in table:
                table[key] = merged[key]
                table.lines[key] = table.line
        return table

    def _merge(self, event: Any, merged: YamlMapping, value: Any) -> None:
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, YamlMapping):
                raise self._refused(event, "<< merges mappings only")
            for key in mapping:
                merged.setdefault(key, mapping[key])

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not event.implicit[0]:                           # in quotes, a block, or tagged
            if event.tag is not None and event.tag != "!":
                self._expect(event, "str")
            return YamlText(text)
        if text in NULL:
            return None
        if text in TRUE or text in FALSE:
            return text in TRUE
        return self._number(event) if NUMBER.match(text) else text

    def _number(self, event: Any) -> YamlNumber:
        value = YamlNumber(event.value.replace("_", ""))
        if not -400 <= value.adjusted() <= 400:             # 1e999999999 would be a number of as many digits
            raise self._refused(event, f"{event.value} is out of range")
        value.written = event.value
        return value

    def _count(self, event: Any, more: int) -> None:
        self._values += more
        if self._values > MAX_VALUES:
            raise self._refused(event, f"more than {MAX_VALUES} values, aliases counted")

    def _expect(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", TAG + kind):
            raise self._refused(event, f"the tag {event.tag.replace(TAG, '!!')} is not allowed here")

    def _refused(self, event: Any, reason: str) -> Invalid:
        return Invalid(f"{self._where}line {_line(event)}: {reason}")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
