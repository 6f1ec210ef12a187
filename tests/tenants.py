"""An installation with usage of three scopes, to be asked over its API as whoever one likes.

What only one scope has is recognised wherever it turns up: its id, its labels
and their values, a metric of its own, prices and quantities of many digits.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain, combinations
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cloudkitty_like.app import App, read_configuration
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import METRIC, SCOPE, Query
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.service.hashmap import apply as rules
from cloudkitty_like.service.hashmap.file import parse
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.operation.migration import upgrade
from tests.commands import write_configuration
from tests.databases import new_database

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 11, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOURS = 2
METRICS = """\
metrics:
  instance:
    unit: h
    groupby: [flavor]
    metadata: [image]
"""


@dataclass(frozen=True)
class Tenant:
    """A scope; ``word`` is in every name and label of it, ``price`` and ``qty`` are of each of its points."""

    id: str
    word: str
    price: Decimal
    qty: Decimal

    def frames(self, period: Period) -> tuple[Frame, ...]:
        """An hour's usage: a metric that everybody has, and one, with a label of its own, that nobody else has."""
        shared = Frame.of_usage("instance", "h", period, [self.qty], {"flavor": [f"{self.word}-flavor"]},
                                {"image": [f"{self.word}-image"]})
        only = Frame.of_usage(f"{self.word}-metric", "h", period, [self.qty], {f"{self.word}_label": ["1"]})
        return tuple(frame.with_price([self.price]) for frame in (shared, only))

    @property
    def total(self) -> Decimal:
        return 2 * HOURS * self.price


def tenants(own: str, foreign: str, third: str) -> dict[str, Tenant]:
    """Three of them, by the names of the arguments."""
    return {"own": Tenant(own, "plum", Decimal("1.258713"), Decimal("0.517193")),
            "foreign": Tenant(foreign, "quince", Decimal("7.131719"), Decimal("0.911371")),
            "third": Tenant(third, "medlar", Decimal("3.577931"), Decimal("0.733991"))}


@dataclass(frozen=True)
class Site:
    """An installation: ``config`` is its file, ``settings`` what is in there beside the usual."""

    directory: Path
    connection: str
    who: Mapping[str, Tenant]
    scope_key: str = "project_id"
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    raw: str = ""

    @cached_property
    def config(self) -> Path:
        metrics, usage = self.directory / "metrics.yml", self.directory / "usage.csv"
        metrics.write_text(METRICS)
        usage.write_text(f"begin,metric,quantity,{self.scope_key},flavor,image\n")
        path = write_configuration(self.directory / "site.conf", {
            "DEFAULT": {"auth_strategy": "noauth"}, **self.settings,
            "database": {"connection": self.connection},
            "collect": {"collector": "file", "metrics_conf": metrics, "scope_key": self.scope_key},
            "fetcher": {"backend": "file"}, "collector_file": {"path": usage}, "fetcher_file": {"path": usage}})
        path.write_text(path.read_text() + self.raw)
        return path

    @cached_property
    def app(self) -> App:
        """It, at the instant NOW."""
        return App(read_configuration([str(self.config)], logs=True), lambda: NOW)

    def fill(self) -> None:
        """Rules, scopes and usage of every tenant."""
        upgrade(self.app.database)
        rules.apply(self.app.database, parse(self._rules()), rules.RuleApplication(NOW, retroactive=True),
                    Change(NOW, "tester", "apply"))
        change, _ = self.app.use_cases.rating()
        for tenant in self.who.values():
            with self.app.database.write() as tx:
                rows.register(tx, [Scope(tenant.id, self.scope_key, "file", "file")], BEGIN)
                rows.start(tx, {BEGIN: [rows.named(tx, [tenant.id])[0].id]})
            for hour in range(HOURS):
                period = Period.starting(BEGIN + hour * HOUR, HOUR)
                with self.app.database.read() as tx:
                    state = rows.named(tx, [tenant.id])[0]
                self.app.use_cases.ledger.record([RatedPeriod(state, period, tenant.frames(period))], change)

    def _rules(self) -> str:
        return "services:\n  instance:\n" + "".join(
            f"  - {{field: flavor, value: {one.word}-flavor, cost: {one.price}, scope: '{one.id}'}}\n"
            for one in self.who.values())

    def traces(self, *names: str) -> set[str]:
        """Whatever nobody would see who may see nothing of these tenants: their words, prices, and sums with them."""
        hidden = [self.who[name] for name in names]
        found = set(chain.from_iterable((one.id, one.word) for one in hidden))
        everybody = list(self.who.values())
        for number in range(1, len(everybody) + 1):
            for some in combinations(everybody, number):
                if set(some) & set(hidden):
                    for points in (1, HOURS, 2 * HOURS):
                        found |= {plain(points * sum(one.price for one in some)),
                                  plain(points * sum(one.qty for one in some))}
        return found

    def sums(self) -> list[Any]:
        """Every total of the ledger there is."""
        query = Query(scopes=None, groupby=(SCOPE, METRIC))
        return [(row.key, row.sum) for row in self.app.use_cases.summary.rows(query)]


@contextmanager
def site(directory: Path, kind: str, who: Mapping[str, Tenant], **more: Any) -> Iterator[Site]:
    """A filled installation on a database of this kind."""
    with new_database(kind, create=False) as database:
        made = Site(directory, _url(database), who, **more)
        made.fill()
        made.app.close()        # what is asked from here on has the limits of the API
        try:
            yield made
        finally:
            made.app.close()


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The URL of an application of this process, over HTTP."""
    with make_server("127.0.0.1", 0, application, _Server, _Silent) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
