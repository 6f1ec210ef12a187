"""Usage from a CSV file, for import, backfill and trying out."""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from oslo_config import cfg

from cloudkitty_like.client.usage_file import UsageHeader
from cloudkitty_like.client.usage_index import FileSignature, UsageIndex, signature
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import EPOCH, Period
from cloudkitty_like.ports import CollectorAnswer, PluginContext, SourceNames

KEPT_PERIODS = 2

QuantityCells = tuple[list[str], list[tuple[str, ...]]]
"""Of one metric and scope: the quantities as written, and the cells of all columns but the fixed three."""

FileUsage = Mapping[str, Mapping[str, QuantityCells]]
"""By metric and scope."""


class FileCollector:
    """Reads the rows of a period once for all its metrics; the whole file only to check and index it.

    The file says all there is: what it does not mention before its last row
    was not used.  After its last row nothing is known.
    """

    OPTS: ClassVar[Sequence[Any]] = [
        cfg.StrOpt("path", help="CSV file, plain or gzip, with the columns begin, metric, quantity and labels; "
                                "the scope key is one of them."),
    ]

    def __init__(self, path: Path, scope_key: str = "project_id") -> None:
        self._path = path
        self._scope_key = scope_key
        self._lock = threading.Lock()
        self._signature: FileSignature | None = None
        self._index: UsageIndex | None = None
        self._error: Invalid | None = None
        self._usage: OrderedDict[Period, FileUsage] = OrderedDict()

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        if not group.path:
            raise Invalid("[collector_file] path: is not set")
        path = Path(group.path)
        if not path.is_file():
            raise Invalid(f"[collector_file] path: {path}: there is no such file")
        return cls(path, context.scope_key)

    def check_file(self) -> None:
        """Invalid, with up to 20 problems, where anything in the file is wrong."""
        with self._lock:
            self._current()

    def parse_args(self, extra_args: Mapping[str, Any]) -> Any:
        if extra_args:
            raise Invalid(*(f"{key!r} is unknown: a file needs no extra_args" for key in extra_args))
        return None

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        with self._lock:
            index = self._current()
            usage = self._of(index, period).get(metric.name, {})
        frames: dict[str, Frame] = {}
        failed: dict[str, Invalid] = {}
        for scope in scopes:
            if scope in usage:
                try:
                    frames[scope] = _frame(metric, period, index.header, usage[scope])
                except Invalid as error:
                    failed[scope] = Invalid(f"{metric.name} in {self._path}: {error}")
        return CollectorAnswer(frames, failed, proven=index.last is not None and period.begin <= index.last)

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        with self._lock:
            return self._current().begins({metric.name for metric in metrics}, period)

    def ends(self) -> datetime:
        """The begin of the last row: of what is later the file, as it is, will never say anything."""
        with self._lock:
            return self._current().last or EPOCH

    def names(self, metrics: Sequence[Metric], labels: bool) -> SourceNames:
        """See the port: all that the file has, without another pass."""
        with self._lock:
            index = self._current()
        return SourceNames(frozenset(index.labels), index.labels, usage_only=True)

    def _current(self) -> UsageIndex:
        """The index of the file as it is now: made again, and the file checked again, when that has changed."""
        now = signature(self._path)
        if now != self._signature:
            self._usage.clear()
            self._index = self._error = self._signature = None
            try:
                self._index = UsageIndex(self._path, self._scope_key)
            except Invalid as error:
                self._error = error
            self._unchanged(now)
            self._signature = now
        if self._index is None:
            raise self._error or Unavailable(f"{self._path} was not read")
        return self._index

    def _of(self, index: UsageIndex, period: Period) -> FileUsage:
        if period not in self._usage:
            while len(self._usage) >= KEPT_PERIODS:
                self._usage.popitem(last=False)
            try:
                self._usage[period] = _usage(index, period)
            finally:
                # What was read from a file while it was being overwritten is nonsense, whatever it looks like.
                self._unchanged(self._signature)
        return self._usage[period]

    def _unchanged(self, before: FileSignature | None) -> None:
        if signature(self._path) != before:
            self._signature = None
            raise Unavailable(f"{self._path} was changed while it was read",
                              hint="write another file and rename it over this one")


def _usage(index: UsageIndex, period: Period) -> FileUsage:
    header = index.header
    labels = [place for place in range(len(header.names))
              if place not in (header.begin, header.metric, header.quantity)]
    usage: dict[str, dict[str, QuantityCells]] = {}
    # A label value is there in many rows: keep one of each.
    once: dict[Any, Any] = {}
    keep = once.setdefault
    for cells in index.rows(period):
        scopes = usage.setdefault(cells[header.metric], {})
        quantities, rows = scopes.setdefault(keep(cells[header.scope], cells[header.scope]), ([], []))
        row = tuple([keep(cell, cell) for cell in map(cells.__getitem__, labels)])
        quantities.append(cells[header.quantity])
        rows.append(keep(row, row))
    return usage


def _frame(metric: Metric, period: Period, header: UsageHeader, usage: QuantityCells) -> Frame:
    quantities, rows = usage
    columns = dict(zip(header.labels, zip(*rows, strict=True), strict=True))
    blank = ("",) * len(rows)
    return Frame.of_usage(
        metric.alt_name, metric.unit, period, metric.quantities(quantities),
        {name: columns.get(name, blank) for name in metric.groupby},
        {name: columns.get(name, blank) for name in metric.metadata},
    )
