"""A ledger to fill and to question, for tests of what is built on it."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.service.ledger.writer import Ledger, establish
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage

HOUR = timedelta(hours=1)
# the end of a day, two hours before the end of a month's last day
BEGIN = datetime(2026, 10, 30, 22, tzinfo=UTC)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Books:
    """A ledger with all that is needed to fill and question it."""

    def __init__(self, database):
        self.database = database
        self.now = NOW
        self.storage = SqlalchemyStorage(database, shares_transaction=True)
        establish(database, period_seconds=3600, scope_key="project_id")
        self.ledger = Ledger(database, self.storage, lambda: self.now, "tester")
        self.summary = Summary(database, self.storage)

    def scope(self, name="alice", due=BEGIN):
        with self.database.write() as tx:
            rows.register(tx, [Scope(name, fetcher="tests", collector="tests")], NOW)
            state = rows.named(tx, [name])[0]
            rows.start(tx, {due: [state.id]})
        return self.state(name)

    def state(self, name):
        with self.database.read() as tx:
            return rows.named(tx, [name])[0]

    def back_to(self, state, due):
        with self.database.write() as tx:
            rows.set_due(tx, [state.id], due)

    def changes(self):
        with self.database.read() as tx:
            return index.last_tx(tx)


def usage(period, *points, metric="vcpu", unit="h"):
    """A rated frame of (flavor, quantity, price) rows."""
    frame = Frame.of_usage(metric, unit, period, [Decimal(qty) for _, qty, _ in points],
                           {"flavor": [flavor for flavor, _, _ in points]})
    prices = {flavor: None if price is None else Decimal(price).quantize(Decimal("1e-12"))
              for flavor, _, price in points}
    return frame.with_price([prices[flavor] for flavor in frame.groupby["flavor"]])


def at(number):
    return Period.starting(BEGIN + number * HOUR, HOUR)


def answer(books, *groupby, **query):
    return {row.key: (row.sum.price, row.sum.points, row.sum.unpriced)
            for row in books.summary.rows(Query(groupby=groupby, **{"scopes": None, **query}))}
