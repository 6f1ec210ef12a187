"""CSV files of usage, plain or gzipped: ``begin,metric,quantity,<labels...>``, one row per measurement.

A file is checked completely before anything in it counts: whatever is wrong
with a row is a problem with a line number, never a row left out.  Quoting is
that of RFC 4180: a field with a comma, a quote or a line break is in double
quotes, a quote in it is doubled.  Empty lines mean nothing.
"""
from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.period import parse_instant
from cloudkitty_like.domain.scope import check_identifier
from cloudkitty_like.domain.text import counted, storable

FIXED = ("begin", "metric", "quantity")
MAX_RECORD = 1 << 20        # bytes of a row
MAX_PROBLEMS = 20           # that are named at once
MAX_NAME = 255              # characters of a metric's name
GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
SEPARATORS = (",", ";", "\t")          # of cells; which one a file has is told from its header


class UsageRecord(NamedTuple):
    """The bytes of a row, line end included, and where they begin in the (unpacked) file."""

    line: int                          # from 1
    offset: int
    content: bytes


class UsageRow(NamedTuple):
    """A row that was checked; its cells are in the order of the header."""

    record: UsageRecord
    begin: datetime
    cells: list[str]


@dataclass(frozen=True, slots=True)
class UsageHeader:
    """The columns, and where those are that every file has; all but the fixed three are labels."""

    names: tuple[str, ...]
    begin: int
    metric: int
    quantity: int
    scope: int
    separator: str = ","

    @classmethod
    def of(cls, content: bytes, scope_key: str) -> UsageHeader:
        """The header in the first row of a file, with the separator by which most of the needed columns are there.

        :raises Invalid: with every reason, when a column is missing, without a name or there twice.
        """
        needed = (*FIXED, scope_key)
        separator = max(SEPARATORS, key=lambda separator: len(set(needed).intersection(_tried(content, separator))))
        names = cells_of(content, separator)
        problems = [f"the header has no column {name!r}" for name in needed if name not in names]
        problems += [f"the header has the column {name!r} twice" for name in dict.fromkeys(names)
                     if name and names.count(name) > 1]
        if "" in names:
            problems.append("the header has a column without a name")
        problems += [f"the header has the column {name!r}, whose name holds a NUL" for name in names
                     if not storable(name)]
        if problems:
            raise Invalid(*problems)
        begin, metric, quantity, scope = map(names.index, needed)
        return cls(tuple(names), begin, metric, quantity, scope, separator)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the columns that are labels, the scope key among them."""
        return tuple(name for name in self.names if name not in FIXED)


class InstantCache:
    """Instants by their text: a file repeats few of them, in whatever order."""

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}

    def __getitem__(self, text: str) -> datetime:
        when = self._known.get(text)
        if when is None:
            if len(self._known) >= 10_000:
                self._known.clear()
            when = self._known[text] = parse_instant(text)
        return when


def is_packed(path: Path) -> bool:
    """Whether the file is gzip, whatever its name; Unavailable where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) == GZIP
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def records(path: Path) -> Iterator[UsageRecord]:
    """Every row of the file, the header too.

    Raises Invalid where the rest cannot be told into rows (a quote that is
    never closed, a broken gzip file), Unavailable where it cannot be read.
    """
    line = 1
    try:
        with gzip.open(path, "rb") if is_packed(path) else path.open("rb") as file:
            for record in framed(file, path):
                line = record.line
                yield record
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Invalid(f"{path}: line {line}: the gzip file is broken here or after: {error}") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def framed(file: BufferedIOBase, path: Path) -> Iterator[UsageRecord]:
    """The rows of an open text of which ``path`` is the name; line and offset count from where it stands."""
    line, offset = 1, 0
    while content := _record(file, f"{path}: line {line}: "):
        yield UsageRecord(line, offset, content)
        line += content.count(b"\n")
        offset += len(content)


def rows(path: Path, scope_key: str) -> Iterator[UsageHeader | UsageRow]:
    """The header, then every row; Invalid, after the last row or 20 problems, where anything is wrong."""
    problems: list[str] = []
    header: UsageHeader | None = None
    instants = InstantCache()
    for record in records(path):
        where = f"{path}: line {record.line}: "
        try:
            if header is None:
                header = UsageHeader.of(record.content.removeprefix(BOM), scope_key)
                yield header
            elif record.content.rstrip(b"\r\n"):
                cells = cells_of(record.content, header.separator)
                yield UsageRow(record, _checked(cells, header, instants), cells)
        except Invalid as error:
            problems += [f"{where}{problem}" for problem in error.problems]
            if header is None:
                break
        if len(problems) >= MAX_PROBLEMS:
            problems[MAX_PROBLEMS:] = [f"{path}: too many problems; reading stopped at line {record.line}"]
            break
    if header is None and not problems:
        problems.append(f"{path}: is empty; it needs a header: {','.join((*FIXED, scope_key))}")
    if problems:
        raise Invalid(*problems)


def cells_of(content: bytes, separator: str = ",") -> list[str]:
    """The cells of one row; Invalid where it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"byte {error.start + 1} of the row is not UTF-8: {error.reason}") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if '"' not in text and "\r" not in text:
        return text.split(separator)
    try:
        (cells,) = csv.reader([text], strict=True, delimiter=separator)
    except (csv.Error, ValueError) as error:
        raise Invalid(f"is not CSV: {error}") from None
    return cells


def _tried(content: bytes, separator: str) -> list[str]:
    """The cells of a row by this separator; none where it cannot be read by it."""
    try:
        return cells_of(content, separator)
    except Invalid:
        return []


def _record(file: BufferedIOBase, where: str) -> bytes:
    """The next row: a line, and those that a quoted line break joins to it; b"" at the end."""
    content = file.readline(MAX_RECORD)
    while content.count(b'"') % 2 and len(content) < MAX_RECORD:
        more = file.readline(MAX_RECORD)
        if not more:
            raise Invalid(f"{where}a quote that opens in this row is never closed")
        content += more
    if len(content) >= MAX_RECORD:
        raise Invalid(f"{where}is longer than {MAX_RECORD} bytes: is a quote never closed?")
    return content


def _checked(cells: list[str], header: UsageHeader, instants: InstantCache) -> datetime:
    """The instant of a row of which everything was checked; Invalid, with every reason, otherwise."""
    if len(cells) != len(header.names):
        raise Invalid(f"has {counted(len(cells), 'field')}, the header {len(header.names)}")
    try:
        money.number(cells[header.quantity])
        when = instants[cells[header.begin]]
        check_identifier(cells[header.scope])
        _check_name(cells[header.metric])
    except Invalid:
        raise Invalid(*_reasons(cells, header)) from None
    return when


def _reasons(cells: list[str], header: UsageHeader) -> Iterator[str]:
    """What is wrong with the cells of a row, by column."""
    checks = {header.begin: parse_instant, header.metric: _check_name,
              header.quantity: _check_quantity, header.scope: check_identifier}
    for column in sorted(checks):
        try:
            checks[column](cells[column])
        except Invalid as error:
            yield f"column {header.names[column]!r}: {error}"


def _check_quantity(text: str) -> None:
    """Spreadsheets of some countries write 0,5; but 1,234 may be a thousand, so nobody guesses."""
    if "," in text:
        raise Invalid(f"{text!r} has a comma; write a point before the decimals and nothing between the thousands")
    money.number(text)


def _check_name(text: str) -> None:
    if not 0 < len(text) <= MAX_NAME:
        raise Invalid(f"a metric's name has 1 to {MAX_NAME} characters, not {len(text)}")
    if not storable(text):
        raise Invalid(f"a metric's name has no NUL, as {text!r} has")


def _unreadable(path: Path, error: Exception) -> Unavailable:
    return Unavailable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
