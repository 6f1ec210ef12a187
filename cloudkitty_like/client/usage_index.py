"""Where in a file of usage the rows of which hour are, so that a period is read without the rest.

The index is made in one pass that checks every row.  It grows with the number
of hours and with how often the file jumps between them, not with its rows: a
file in order of time is one stretch of bytes per hour.  A plain file is read
where it lies; a gzip file cannot be entered in the middle, so its text is
unpacked once, into a temporary file that vanishes with the index.
"""
from __future__ import annotations

import io
import os
import tempfile
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from cloudkitty_like.client import usage_file
from cloudkitty_like.client.usage_file import InstantCache, UsageHeader
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.period import EPOCH, Period, parse_instant

HOUR = timedelta(hours=1)
MAX_STRETCHES = 1_000_000      # 16 bytes each
MAX_METRICS = 1_000
BUFFER = 1 << 16

FileSignature = tuple[int, int, int]


def signature(path: Path) -> FileSignature:
    """What changes when the file does; Unavailable where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


class UsageIndex:
    """A file whose rows were all found good.  Reading it is thread-safe."""

    def __init__(self, path: Path, scope_key: str, most_stretches: int = MAX_STRETCHES) -> None:
        """Raises Invalid, with up to 20 problems, and Unavailable, where the file cannot be read."""
        self.header: UsageHeader
        self.last: datetime | None = None               # begin of the latest row
        self._path = path
        self._stretches: dict[int, array[int]] = {}     # by hour since 1970: begin, end, begin, end ... in bytes
        self._metrics: dict[int, frozenset[str]] = {}
        self._allowance = most_stretches
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._empty: dict[str, list[int]] = {}          # by metric: columns of labels that none of its rows fills
        packed = usage_file.is_packed(path)
        try:
            with tempfile.TemporaryFile() if packed else path.open("rb") as text:
                self._build(path, scope_key, text if packed else None)
                text.flush()
                self._text = os.dup(text.fileno())
        except OSError as error:
            raise Unavailable(f"{path} cannot be unpacked or read: {error}") from error
        weakref.finalize(self, os.close, self._text)
        self._hours = sorted(self._stretches)

    def rows(self, period: Period) -> Iterator[list[str]]:
        """The cells of the rows that begin in ``period``, hour by hour in the order of the file."""
        instants = InstantCache()
        begin, end, column = period.begin, period.end, self.header.begin
        for hour in self._hours[bisect_left(self._hours, _hour(begin)):]:
            if EPOCH + hour * HOUR >= end:
                break
            for cells in self._cells(hour):
                if begin <= instants[cells[column]] < end:
                    yield cells

    def begins(self, metrics: Collection[str], period: Period) -> datetime | None:
        """The first instant in ``period`` at which one of these metrics has a row."""
        names = frozenset(metrics)
        for hour in self._hours[bisect_left(self._hours, _hour(period.begin)):]:
            start = EPOCH + hour * HOUR
            if start >= period.end:
                break
            if names & self._metrics[hour]:
                within = Period(max(start, period.begin), min(start + HOUR, period.end))
                instants = [parse_instant(cells[self.header.begin]) for cells in self.rows(within)
                            if cells[self.header.metric] in names]
                if instants:
                    return min(instants)
        return None

    @property
    def labels(self) -> dict[str, frozenset[str]]:
        """By metric, in the order of the file: the labels that any of its rows has a value of."""
        names = self.header.names
        return {metric: frozenset(self.header.labels).difference(names[column] for column in empty)
                for metric, empty in self._empty.items()}

    def _build(self, path: Path, scope_key: str, spool: IO[bytes] | None) -> None:
        previous: datetime | None = None
        hour = 0
        position = 0
        for row in usage_file.rows(path, scope_key):
            if isinstance(row, UsageHeader):
                self.header = row
                continue
            if row.begin is not previous:
                previous, hour = row.begin, _hour(row.begin)
                self.last = row.begin if self.last is None else max(self.last, row.begin)
            offset, content = row.record.offset, row.record.content
            if spool is not None:
                # Neither the header nor empty lines are kept, so places in it are its own.
                offset = position
                position += spool.write(content)
            self._add(hour, offset, len(content), row.cells[self.header.metric])
            self._fill(row.cells)

    def _fill(self, cells: list[str]) -> None:
        metric = cells[self.header.metric]
        empty = self._empty.get(metric)
        if empty is None:
            empty = [column for column, name in enumerate(self.header.names) if name in self.header.labels]
        if empty or metric not in self._empty:
            self._empty[metric] = [column for column in empty if not cells[column]]

    def _add(self, hour: int, offset: int, length: int, metric: str) -> None:
        stretches = self._stretches.get(hour)
        if stretches is None:
            stretches = self._stretches[hour] = array("Q")
            self._metrics[hour] = frozenset()
        if stretches and stretches[-1] == offset:
            stretches[-1] = offset + length
        else:
            stretches.extend((offset, offset + length))
            self._allowance -= 1
            if self._allowance < 0:
                raise Invalid(f"{self._path}: jumps between hours too often to be read piece by piece",
                              hint="sort the rows by begin")
        metrics = self._metrics[hour]
        if metric not in metrics:
            if len(metrics) >= MAX_METRICS:
                raise Invalid(f"{self._path}: more than {MAX_METRICS} metrics: is the column 'metric' right?")
            # Few different sets, shared by many hours.
            metrics = metrics | {metric}
            self._metrics[hour] = self._sets.setdefault(metrics, metrics)

    def _cells(self, hour: int) -> Iterator[list[str]]:
        stretches = self._stretches[hour]
        for place in range(0, len(stretches), 2):
            begin, end = stretches[place], stretches[place + 1]
            with io.BufferedReader(_Stretch(self._text, begin, end), min(BUFFER, end - begin)) as text:
                for record in usage_file.framed(text, self._path):
                    yield self._checked(usage_file.cells_of(record.content, self.header.separator))

    def _checked(self, cells: list[str]) -> list[str]:
        if len(cells) != len(self.header.names):
            raise Unavailable(f"{self._path} was changed while it was read")
        return cells


class _Stretch(io.RawIOBase):
    """Bytes ``begin`` to ``end`` of a file, read without moving anybody's place in it."""

    def __init__(self, descriptor: int, begin: int, end: int) -> None:
        super().__init__()
        self._descriptor, self._place, self._end = descriptor, begin, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = os.pread(self._descriptor, min(len(buffer), self._end - self._place), self._place)
        buffer[:len(content)] = content
        self._place += len(content)
        return len(content)


def _hour(when: datetime) -> int:
    return (when - EPOCH) // HOUR
