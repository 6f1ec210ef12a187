"""Reports on a filled ledger, timed in the process that makes them: ``python -m benchmarks.reports`` prints JSON.

The ledger is filled through the service that the processor writes with, without a source.
"""
from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.shapes import FILLED, Filled
from benchmarks.synthetic import Catalogue
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain import money
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, Query
from cloudkitty_like.service.ledger.writer import Ledger, RatedPeriod, establish
from cloudkitty_like.service.operation.migration import upgrade
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage

GROUPBY, METADATA = ("project_id", "id", "region"), ("flavor", "vcpus")
CALLS = 7


def fill(database: Database, filled: Filled) -> None:
    """A ledger of so many points, all current, at a price of 0.0123 each."""
    upgrade(database)
    catalogue = Catalogue.of(filled.scopes, series=filled.series, periods=filled.periods)
    establish(database, period_seconds=catalogue.length // timedelta(seconds=1), scope_key=catalogue.scope_key)

    def clock() -> datetime:
        return catalogue.end

    Scopes(database, clock, catalogue.length).register(catalogue.scopes, key=catalogue.scope_key, fetcher="none",
                                                       collector="none")
    with database.write() as tx:
        states = rows.everything(tx)
        rows.start(tx, {catalogue.begin: [state.id for state in states]})
    ledger = Ledger(database, SqlalchemyStorage(database, shares_transaction=True), clock, "benchmarks")
    templates = {state.identifier: _frames(catalogue, state.identifier) for state in states}
    for number in range(filled.periods):
        period = Period.starting(catalogue.begin + number * catalogue.length, catalogue.length)
        ledger.record([
            RatedPeriod(state, period, tuple(_usage(templates[state.identifier], period, number))) for state in states
        ], ruleset=1)


def _frames(catalogue: Catalogue, scope: str) -> list[Frame]:
    labels = [catalogue.labels(scope, number) for number in range(catalogue.series)]
    period = Period.starting(catalogue.begin, catalogue.length)
    return [
        Frame.of_usage(
            metric, "unit", period, map(money.number, range(catalogue.series)),
            {name: [one[name] for one in labels] for name in GROUPBY},
            {name: [one[name] for one in labels] for name in METADATA},
        ) for metric in catalogue.metrics
    ]


def _usage(frames: Sequence[Frame], period: Period, number: int) -> Iterator[Frame]:
    price = Decimal("0.0123")
    for frame in frames:
        more = Decimal(number % 97) / 64
        yield replace(frame, period=period, qty=tuple([qty + more for qty in frame.qty]), price=(price,) * len(frame))


def questions(database: Database, filled: Filled) -> dict[str, Query]:
    """What is asked, by its name."""
    with database.read() as tx:
        begin = rows.everything(tx)[0].first
    assert begin is not None
    middle = Period(begin + timedelta(hours=5), begin + timedelta(hours=filled.periods // 2 + 7))
    return {
        "by scope, metric": Query(scopes=None, groupby=(SCOPE, METRIC)),
        "by region": Query(scopes=None, groupby=("region",)),
        "by flavor": Query(scopes=None, groupby=("flavor",)),
        "by id": Query(scopes=None, groupby=("id",)),
        "by scope, metric, flavor": Query(scopes=None, groupby=(SCOPE, METRIC, "flavor")),
        "one scope by flavor": Query(groupby=("flavor",), scopes=frozenset({"scope-0001"})),
        "by day": Query(scopes=None, groupby=(DAY,)),
        "by scope, metric, odd window": Query(scopes=None, groupby=(SCOPE, METRIC), period=middle),
        "by scope, metric, as of half": Query(scopes=None, groupby=(SCOPE, METRIC), as_of=filled.periods // 2),
        "by region, as of half": Query(scopes=None, groupby=("region",), as_of=filled.periods // 2),
    }


def measure(connection: str, filled: Filled) -> dict[str, Any]:
    """Seconds of CPU and of wall clock of every question: asked first, and the median of later times."""
    found: dict[str, Any] = {}
    database = Database(connection)
    asked = questions(database, filled)
    database.close()
    for name, query in asked.items():
        database = Database(connection)
        summary = Summary(database, SqlalchemyStorage(database, shares_transaction=True))
        spent = []
        for _ in range(CALLS):
            cpu, wall = process_time(), perf_counter()
            answer = summary.rows(query)
            spent.append((process_time() - cpu, perf_counter() - wall))
        later = [median(column) for column in zip(*spent[1:], strict=True)]
        found[name] = {"first": spent[0], "later": later, "rows": len(answer),
                       "points": sum(row.sum.points for row in answer)}
        database.close()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        connection = f"sqlite:///{Path(directory) / 'ledger.sqlite'}"
        database = Database(connection)
        fill(database, FILLED)
        database.close()
        json.dump(measure(connection, FILLED), sys.stdout)


if __name__ == "__main__":
    main()
