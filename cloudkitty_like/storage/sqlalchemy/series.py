"""From labels to the number of their series: what makes a stored point six integers.

A series is a scope, a metric, a unit and the labels, groupby and metadata
apart and in their order; its digest (BLAKE2b, 16 bytes, every text preceded by
its length) identifies it in the table ``series``.
"""
from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted
from sys import intern
from typing import NamedTuple

from sqlalchemy import Connection, Transaction

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.storage.sqlalchemy.bulk import BulkWriter
from cloudkitty_like.storage.sqlalchemy.bulk import SeriesRow as SeriesRow

SETTLED = 10_000            # numbers looked at again with one question

Cells = tuple[str, ...]
KnownCells = dict[Cells, int]


class SeriesTable(NamedTuple):
    """What all series of one frame have in common."""

    scope: str
    metric: str
    unit: str
    groupby: tuple[str, ...]
    metadata: tuple[str, ...]

    @classmethod
    def of(cls, scope: str, frame: Frame) -> SeriesTable:
        return cls(scope, frame.metric, frame.unit, tuple(frame.groupby), tuple(frame.metadata))

    def digests(self, rows: Iterable[Cells]) -> list[bytes]:
        state = blake2b(digest_size=16)
        counts = (str(len(self.groupby)), str(len(self.metadata)))
        state.update(_framed((*self[:3], *counts, *self.groupby, *self.metadata)))
        digests = []
        for cells in rows:
            hasher = state.copy()
            hasher.update(_framed(cells))
            digests.append(hasher.digest())
        return digests

    def series(self, new: Iterable[tuple[Cells, bytes]]) -> list[SeriesRow]:
        """Rows for the table ``series``; JSON in ASCII, which every database takes whatever the labels hold."""
        width = len(self.groupby)
        groupby, metadata = _template(self.groupby), _template(self.metadata)
        rows: list[SeriesRow] = []
        for cells, digest in new:
            texts = tuple(map(quoted, cells))
            rows.append((*self[:3], groupby % texts[:width], metadata % texts[width:], digest))
        return rows


@dataclass(frozen=True, slots=True)
class _MissingRows:
    """Rows of one frame that nobody remembers, and the answer to be completed."""

    table: SeriesTable
    known: KnownCells
    rows: list[Cells]
    answer: list[int | None]

    def fill(self, numbers: Iterable[int]) -> None:
        following = iter(numbers)
        self.answer[:] = [next(following) if number is None else number for number in self.answer]


class _UnconfirmedNumber(NamedTuple):
    """A number given in a transaction of which nobody knows yet whether it will be committed."""

    transaction: Transaction | None
    table: SeriesTable
    cells: Cells
    id: int


class SeriesInterner:
    """Finds and gives numbers, and remembers up to ``limit`` of them.

    A number found in a transaction that wrote it itself is remembered only once
    a later transaction has seen it: the first may be rolled back, and SQLite
    gives its numbers again.  Several threads may use it; the lock is never held
    while a database answers, which may be waiting for another of them.
    """

    def __init__(self, bulk: BulkWriter, limit: int = 500_000) -> None:
        self._bulk, self._limit = bulk, limit
        self._known: dict[SeriesTable, KnownCells] = {}
        self._unconfirmed: dict[bytes, _UnconfirmedNumber] = {}
        self._count = 0
        self._lock = threading.Lock()

    def ids(self, connection: Connection, frames: Sequence[tuple[str, Frame]]) -> list[list[int]]:
        """The series of every row of every one of these frames, each given with its scope."""
        self._settle(connection)
        if self._count > self._limit:
            self._known.clear()
            self._count = 0
        answers: list[list[int | None]] = []
        missing: list[_MissingRows] = []
        for scope, frame in frames:
            table = SeriesTable.of(scope, frame)
            numbers = self._known.setdefault(table, {})
            rows = cells_of(frame)
            answer: list[int | None] = list(map(numbers.get, rows))
            answers.append(answer)
            if None in answer:
                absent = [cells for cells, number in zip(rows, answer, strict=True)
                          if number is None]
                missing.append(_MissingRows(table, numbers, absent, answer))
        if missing:
            self._number(connection, missing)
        return answers          # type: ignore[return-value]    # every None has been replaced

    def _number(self, connection: Connection, missing: Sequence[_MissingRows]) -> None:
        digested = [(part, part.table.digests(part.rows)) for part in missing]
        numbers, unsure = self._numbers(connection, digested)
        transaction = connection.get_transaction()
        unconfirmed: dict[bytes, _UnconfirmedNumber] = {}
        for part, digests in digested:
            part_numbers = [numbers[digest] for digest in digests]
            part.fill(part_numbers)
            for row, digest, number in zip(part.rows, digests, part_numbers, strict=True):
                # Label values repeat from row to row, and every answer of a source brings new copies of them.
                cells = tuple(map(intern, row))
                if digest in unsure:
                    unconfirmed[digest] = _UnconfirmedNumber(transaction, part.table, cells, number)
                else:
                    self._remember(part.known, cells, number)
        with self._lock:
            self._unconfirmed.update(unconfirmed)

    def _numbers(self, connection: Connection,
                 digested: Sequence[tuple[_MissingRows, list[bytes]]],
                 ) -> tuple[dict[bytes, int], Container[bytes]]:
        """The number of every digest, and the digests that this transaction itself may have inserted."""
        numbers = self._bulk.ids(connection,
                                 [digest for _, digests in digested for digest in digests])
        with self._lock:
            unsure = self._unconfirmed.keys() & numbers.keys()
        new: dict[bytes, SeriesRow] = {}
        for part, digests in digested:
            absent = [pair for pair in zip(part.rows, digests, strict=True)
                      if pair[1] not in numbers]
            new.update({row[-1]: row for row in part.table.series(absent)})
        if new:
            numbers.update(self._bulk.add_series(connection, list(new.values())))
            numbers.update(self._bulk.ids(connection, [digest for digest in new if digest not in numbers]))
        return numbers, unsure | new.keys()

    def _settle(self, connection: Connection) -> None:
        """Remember what ended transactions have left behind."""
        with self._lock:
            ended = {digest: entry for digest, entry in self._unconfirmed.items()
                     if entry.transaction is None or not entry.transaction.is_active}
            for digest in ended:
                del self._unconfirmed[digest]
        # Some at a time, and forgotten as we go: the first period of many scopes leaves a great deal behind.
        for digests in chunks(list(ended), SETTLED):
            there = self._bulk.ids(connection, digests)
            for digest in digests:
                entry = ended.pop(digest)
                if there.get(digest) == entry.id:
                    self._remember(self._known.setdefault(entry.table, {}), entry.cells, entry.id)

    def _remember(self, numbers: KnownCells, cells: Cells, number: int) -> None:
        numbers[cells] = number
        self._count += 1


def cells_of(frame: Frame) -> list[Cells]:
    """The labels of every row: groupby cells, then metadata cells."""
    columns = (*frame.groupby.values(), *frame.metadata.values())
    return list(zip(*columns, strict=True)) if columns else [()] * len(frame)


def _framed(texts: Iterable[str]) -> bytes:
    return "".join([f"{len(text)}:{text}" for text in texts]).encode("utf-8", "surrogatepass")


def _template(names: Iterable[str]) -> str:
    """A JSON object with a ``%s`` for every value."""
    return "{" + ", ".join([f"{quoted(name)}: ".replace("%", "%%") + "%s" for name in names]) + "}"
