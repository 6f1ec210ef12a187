"""From the number of a series back to its labels."""
from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from sys import intern

from sqlalchemy import Connection, select

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.tables import series
from cloudkitty_like.storage.sqlalchemy.bulk import BulkWriter

SERIES = 10_000                        # read with one question


@dataclass(frozen=True, slots=True)
class Series:
    """What the points of one series have in common; ``cells`` are of the groupby labels, then of the metadata."""

    scope: str
    metric: str
    unit: str
    groupby: tuple[str, ...]
    metadata: tuple[str, ...]
    cells: tuple[str, ...]

    def label(self, name: str) -> str:
        """The label's value, '' where the series has none; a groupby label hides a metadata label of its name."""
        if name in self.groupby:
            return self.cells[self.groupby.index(name)]
        if name in self.metadata:
            return self.cells[len(self.groupby) + self.metadata.index(name)]
        return ""

    def matches(self, metrics: Collection[str] | None, filters: Mapping[str, Collection[str]]) -> bool:
        return ((metrics is None or self.metric in metrics)
                and all(self.label(name) in values for name, values in filters.items()))


class SeriesReader:
    """Reads series by number, only those asked for, and remembers up to ``limit`` of them."""

    def __init__(self, bulk: BulkWriter, limit: int = 200_000) -> None:
        self._bulk, self._limit = bulk, limit
        self._known: dict[int, Series] = {}

    def of(self, connection: Connection, ids: Collection[int]) -> Mapping[int, Series]:
        """These series by number."""
        cache = self._known
        missing = [number for number in ids if number not in cache]
        if not missing:
            return cache
        if len(cache) + len(missing) > self._limit:
            # What has been answered stays with those who asked; here it begins anew.
            cache = {number: cache[number] for number in ids if number in cache}
            self._known = cache if len(ids) <= self._limit else {}
        columns = (series.c.id, series.c.scope, series.c.metric, series.c.unit, series.c.groupby, series.c.metadata)
        for chunk in chunks(missing, SERIES):
            for row in connection.execute(select(*columns).where(self._bulk.among(series.c.id, chunk))):
                cache[row[0]] = _series(*row[1:])
        return cache


def _series(scope: str, metric: str, unit: str, groupby: str, metadata: str) -> Series:
    split, described = json.loads(groupby), json.loads(metadata)
    return Series(
        intern(scope), intern(metric), intern(unit), tuple(map(intern, split)), tuple(map(intern, described)),
        tuple(map(intern, (*split.values(), *described.values()))),
    )
