"""Totals of days and months, kept beside the frames they add up; and the frames' own totals.

Only current frames are in a rollup.  It changes in the transaction that
publishes, by the difference between the new frame and the one it supersedes.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Connection, Table, case, literal_column, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from cloudkitty_like.db.bulk_statement import BulkStatement
from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.tables import day_total, month_total, reprocess_total, total
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain import money
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.period import Period

INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert, "mysql": mysql.insert}

# Written out in the statement: a parameter after the values keeps PyMySQL from sending many rows at once.
_SCALE, _ONE, _ZERO = (literal_column(str(number), BigInteger) for number in (money.SCALE, 1, 0))




def read_totals(tx: Connection, revisions: Collection[int]) -> dict[int, dict[tuple[str, str], Amounts]]:
    """The totals of some revisions, by revision, then by metric and unit."""
    totals: dict[int, dict[tuple[str, str], Amounts]] = {}
    for numbers in chunks(list(revisions)):
        query = select(total).where(total.c.revision.in_(numbers))
        for row in tx.execute(query):
            amounts = Amounts(row.qty_whole, row.qty_part, row.price_whole, row.price_part, row.points, row.unpriced)
            totals.setdefault(row.revision, {})[row.metric, row.unit] = amounts
    return totals


def add_to_rollups(tx: Connection, changes: Iterable[tuple[int, datetime, tuple[str, str], Amounts]]) -> None:
    """Add amounts to the day and the month of each (scope id, a frame's begin, (metric, unit), amounts)."""
    days: dict[tuple[datetime, int, str, str], Amounts] = {}
    months: dict[tuple[datetime, int, str, str], Amounts] = {}
    starts: dict[datetime, tuple[datetime, datetime]] = {}
    for scope_id, begin, (metric, unit), amounts in changes:
        if begin not in starts:
            starts[begin] = Period.day_of(begin).begin, Period.month_of(begin).begin
        for sums, start in zip((days, months), starts[begin], strict=True):
            key = (start, scope_id, metric, unit)
            subtotal = sums.get(key)
            sums[key] = amounts if subtotal is None else subtotal.plus(amounts)
    for table, sums in ((day_total, days), (month_total, months)):
        # In the order of the key, so that two writers can never wait for each other in a ring.
        UPSERTS[table].run(tx, [
            (seconds(start), *key, *amounts) for (start, *key), amounts in sorted(sums.items(), key=itemgetter(0))
        ])


def _upsert(table: Table, dialect: str) -> Any:
    """INSERT, or add to what is there: both parts are below 10^12, so the carry is 0 or 1."""
    statement = INSERT[dialect](table)
    new = statement.inserted if dialect == "mysql" else statement.excluded
    values: dict[str, Any] = {}
    for name in ("qty", "price"):
        # The whole comes first: MariaDB assigns from left to right and reads what it has assigned.
        part = table.c[f"{name}_part"] + new[f"{name}_part"]
        full = part >= _SCALE
        values[f"{name}_whole"] = table.c[f"{name}_whole"] + new[f"{name}_whole"] + case((full, _ONE), else_=_ZERO)
        values[f"{name}_part"] = part - case((full, _SCALE), else_=_ZERO)
    values |= {name: table.c[name] + new[name] for name in ("points", "unpriced")}
    if dialect == "mysql":
        return statement.on_duplicate_key_update(list(values.items()))
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)


UPSERTS = {table: BulkStatement((*(column.name for column in table.primary_key), *Amounts._fields),
                                partial(_upsert, table))
           for table in (day_total, month_total, reprocess_total)}
