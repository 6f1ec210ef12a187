"""Points in an SQL database: SQLite, PostgreSQL or MariaDB, by default the state database itself.

Labels are stored once, in ``series``; a point is six integers.  See
``doc/source/storage/sqlalchemy.rst`` for the tables and their sizes.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from operator import itemgetter
from typing import Any, ClassVar, Self

from oslo_config import cfg
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from cloudkitty_like.db import tables
from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.compaction import FileSizes, compact
from cloudkitty_like.db.engine import Database, conflict, failure
from cloudkitty_like.db.tables import appended, point
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import DAY, TIME, Query, SummaryRow
from cloudkitty_like.ports import Addition, LabelUse, PluginContext
from cloudkitty_like.storage.sqlalchemy import answers, label_use, selection
from cloudkitty_like.storage.sqlalchemy.bulk import BULK, PointRow
from cloudkitty_like.storage.sqlalchemy.labels import SeriesReader
from cloudkitty_like.storage.sqlalchemy.series import SeriesInterner
from cloudkitty_like.storage.sqlalchemy.usage import UsageLayout

ROWS = 20_000               # in memory at once on the way in
POINTS = 20_000             # and, roughly, on the way out
MOST = 1000                 # revisions read with one question
FASTER = 4                  # times as much is read with each further question: whoever stops early has read little
PURGED = 200                # revisions forgotten in one transaction


class SqlalchemyStorage:
    """The storage of a small and of a middle-sized installation.

    With a database of its own it writes in a transaction of its own and makes
    its tables at first use.  Thread-safe.
    """

    OPTS: ClassVar[Sequence[cfg.Opt]] = (
        cfg.StrOpt("connection", default="", secret=True,
                   help="Database for the points: sqlite:////path, postgresql://user@host/name or "
                        "mysql://user@host/name. Empty: the state database, in whose transactions points are "
                        "then written too."),
    )

    def __init__(self, database: Database, *, shares_transaction: bool = False) -> None:
        self.shares_transaction = shares_transaction
        self._database = database
        self._bulk = BULK[database.dialect]
        self._interner, self._labels = SeriesInterner(self._bulk), SeriesReader(self._bulk)
        self._prepared = shares_transaction

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        if group.connection:
            if context.database is None:
                return cls(Database(group.connection))
            return cls(context.database.beside(group.connection))
        if context.database is None:
            raise Invalid("[storage_sqlalchemy] connection is empty and there is no state database")
        return cls(context.database, shares_transaction=True)

    def append(self, additions: Sequence[Addition], transaction: Any = None) -> None:
        """Store these points; Conflict where a revision is stored already, Invalid where one holds a point twice."""
        if self.shares_transaction and transaction is not None:
            with _translated():
                self._append(transaction, additions)
        else:
            with _translated():
                self._ready().transact(lambda own: self._append(own, additions))

    def sums(self, query: Query, excluded: Collection[int] = (), max_revision: int | None = None) -> list[SummaryRow]:
        """See the port.  Quantities of several units, without ``metric`` in the grouping, are answered as zero."""
        with _translated(), self._ready().read() as tx:
            conditions = selection.revisions(self._bulk, query, excluded, max_revision)
            if TIME in query.groupby or DAY in query.groupby:
                labels = self._labels.of(tx, selection.present(tx, conditions))
                rows = selection.added(tx, conditions, 1 if TIME in query.groupby else 86400)
            else:
                series_sums = list(selection.added(tx, conditions, None))
                labels = self._labels.of(tx, [row[0] for row in series_sums])
                rows = iter(series_sums)
            summing = answers.SeriesSum(query, labels)
            summing.add(rows)
            return summing.rows()

    def frames(self, query: Query, excluded: Collection[int] = (),
               max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        """See the port; one frame for each revision, unit and set of label names.

        Reads ahead some 20,000 points, less at first, or one scope and period.
        Frames without rows have not been kept.
        """
        with _translated(), self._ready().read() as tx:
            take = 1
            for waiting in self._chosen(tx, query, frozenset(excluded), max_revision):
                while waiting:
                    revisions, waiting = selection.portion(waiting, take)
                    rows = selection.points(self._bulk, tx,
                                            [revision.revision for revision in revisions])
                    yield from self._frames(tx, revisions, rows, query)
                    take = max(1, min(MOST, take * FASTER,
                                      len(revisions) * POINTS // max(1, len(rows))))

    def labels_in_use(self, wanted: Mapping[str, Collection[str]]) -> Mapping[str, LabelUse]:
        """See the port."""
        with _translated(), self._ready().read() as tx:
            return label_use.read(tx, wanted)

    def usage(self, query: Query, excluded: Collection[int] = (),
              max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        """See the port; reads ahead as :meth:`frames` does."""
        with _translated(), self._ready().read() as tx:
            rated, take = UsageLayout(), 1
            for waiting in self._chosen(tx, query, frozenset(excluded), max_revision):
                while waiting:
                    revisions, waiting = selection.portion(waiting, take)
                    rows = selection.quantities(self._bulk, tx,
                                                [revision.rated for revision in revisions])
                    yield from rated.frames(revisions, rows,
                                            self._labels.of(tx, {row[1] for row in rows}))
                    take = max(1, min(MOST, take * FASTER,
                                      len(revisions) * POINTS // max(1, len(rows))))

    def collected(self, revision: int) -> list[Frame] | None:
        return self.all_collected([revision]).get(revision)

    def all_collected(self, revisions: Collection[int]) -> dict[int, list[Frame]]:
        collected: dict[int, list[Frame]] = {}
        with _translated(), self._ready().read() as tx:
            for numbers in chunks(sorted(revisions), MOST):
                query = select(appended).where(self._bulk.among_few(appended.c.revision, numbers),
                                               appended.c.collected == 1)
                kept = [selection.AppendedRevision(-row.revision, row.scope, Period(row.begin, row.end))
                        for row in tx.execute(query)]
                collected.update((-revision.revision, []) for revision in kept)
                for revision, rows in self._rows(tx, kept):
                    pairs = self._frames(tx, [revision], rows)
                    collected[-revision.revision] = [frame for _, frame in pairs]
        return collected

    def _rows(self, tx: Connection,
              revisions: Sequence[selection.AppendedRevision],
              ) -> Iterator[tuple[selection.AppendedRevision, Sequence[PointRow]]]:
        """The rows of these revisions, those of each together."""
        numbers = [revision.revision for revision in revisions]
        rows = selection.points(self._bulk, tx, numbers) if numbers else []
        by_revision: dict[int, list[PointRow]] = {revision.revision: [] for revision in revisions}
        for row in rows:
            by_revision[row[0]].append(row)
        return ((revision, by_revision[revision.revision]) for revision in revisions)

    def purge(self, revisions: Collection[int]) -> None:
        """Forget these revisions, some at a time; series stay, they will be used again."""
        database = self._ready()
        for numbers in chunks(sorted(revisions), PURGED):
            with _translated():
                database.transact(partial(self._purge, numbers))

    def compact(self) -> FileSizes | None:
        """See the port; where the points are in the state database, that is made smaller by whoever owns it."""
        return None if self.shares_transaction else compact(self._ready())

    def _chosen(self, tx: Connection, query: Query, invisible: Collection[int],
                max_revision: int | None) -> Iterator[list[selection.AppendedRevision]]:
        """The revisions to be read, in their order, those of a few periods at a time."""
        # Asked for again and again: nothing long may be in it.
        conditions = selection.revisions(self._bulk, query, (), max_revision)
        if query.after is not None:
            conditions.append(appended.c.begin >= query.after[0])
        begins, take = selection.begins(tx, conditions), 1
        while begins:
            instants, begins = begins[:take], begins[take:]
            revisions = selection.beginning(tx, conditions, instants[0], instants[-1])
            yield [revision for revision in revisions
                   if revision.revision not in invisible
                   and (query.after is None or revision.place >= query.after)]
            take = max(1, min(take * FASTER, len(instants) * MOST // max(1, len(revisions))))

    def _ready(self) -> Database:
        if not self._prepared:
            own = [tables.series, appended, point]
            self._database.transact(lambda tx: tables.metadata.create_all(tx, tables=own))
            self._prepared = True
        return self._database

    def _purge(self, revisions: Sequence[int], tx: Connection) -> None:
        both = [*revisions, *(-revision for revision in revisions)]
        tx.execute(delete(point).where(self._bulk.among_few(point.c.revision, both)))
        tx.execute(delete(appended).where(self._bulk.among_few(appended.c.revision, revisions)))

    def _append(self, connection: Connection, additions: Sequence[Addition]) -> None:
        if not additions:
            return
        connection.execute(insert(appended), [
            {"revision": addition.revision, "scope": addition.scope,
             "begin": addition.period.begin, "end": addition.period.end,
             "collected": int(addition.collected is not None)} for addition in additions])
        sets = [(addition.revision, addition.scope, addition.frames) for addition in additions]
        sets += [(-addition.revision, addition.scope, addition.collected)
                 for addition in additions if addition.collected]
        ids = iter(self._interner.ids(connection, [(scope, frame) for _, scope, frames in sets for frame in frames]))
        rows: list[PointRow] = []
        for revision, _, frames in sets:
            rows += _rows(revision, frames, [next(ids) for _ in frames])
            if len(rows) >= ROWS:
                self._bulk.add_points(connection, rows)
                rows = []
        if rows:
            self._bulk.add_points(connection, rows)

    def _frames(self, connection: Connection, revisions: Sequence[selection.AppendedRevision], rows: Sequence[PointRow],
                query: Query | None = None) -> Iterator[tuple[str, Frame]]:
        labels = self._labels.of(connection, {row[1] for row in rows})
        periods = {revision.revision: revision.period for revision in revisions}
        pairs = answers.frames(rows, labels, periods, query)
        scopes = {revision.revision: revision.scope for revision in revisions}
        ordered = sorted(((frame.period.begin, scopes[number], frame.metric, frame.unit,
                           abs(number), tuple(frame.groupby), tuple(frame.metadata), frame)
                          for number, frame in pairs),
                         key=itemgetter(slice(7)))
        return ((item[1], item[-1]) for item in ordered)


def _rows(revision: int, frames: Sequence[Frame], ids: Sequence[Sequence[int]]) -> list[PointRow]:
    """The rows of one revision in the order of the key, so that they are laid down side by side."""
    rows: list[PointRow] = []
    for frame, series in zip(frames, ids, strict=True):
        whole: Sequence[int | None]
        part: Sequence[int | None]
        whole, part = frame.fixed_price
        if revision < 0:
            whole = part = [None] * len(frame)
        elif frame.unpriced:
            whole = [None if price is None else cell for cell, price in zip(whole, frame.price, strict=True)]
            part = [None if price is None else cell for cell, price in zip(part, frame.price, strict=True)]
        rows += zip(repeat(revision), series, *frame.fixed_qty, whole, part, strict=False)
    rows.sort(key=itemgetter(1))
    if len(set(map(itemgetter(1), rows))) != len(rows):
        raise Invalid(f"revision {abs(revision)} holds two points with the same metric, unit and labels")
    return rows


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise conflict(error) from error
    except DataError as error:
        raise Invalid(f"the database refuses the data: {error.orig}") from error
    except DBAPIError as error:
        raise failure("the storage", error.orig) from error
