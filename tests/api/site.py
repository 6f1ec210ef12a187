"""The whole application over a small ledger, asked as a client asks it, by callers of several kinds.

What was used, hour by hour, and what it cost: USED, in scopes ``alice`` and ``bob``; ``carol`` has used nothing.
"""
from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import bcrypt
from webtest import TestApp, TestResponse

from cloudkitty_like.api import options
from cloudkitty_like.api.application import AUTHOR, make
from cloudkitty_like.app import read_configuration
from cloudkitty_like.app.use_cases import UseCases
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period, parse_instant
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.rating.hashmap.module import HashmapModule
from cloudkitty_like.rating.noop import NoopModule
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.service.ledger.writer import Ledger, RatedPeriod, establish
from cloudkitty_like.service.metrics import definitions as metrics
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.pricing.tariffs import Pricing, Tariffs
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from tests.compiling import compiles

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
DUE = datetime(2026, 11, 20, 10, tzinfo=UTC)       # so far everything is rated
HOUR = timedelta(hours=1)
METRICS = """\
metrics:
  instance:
    alt_name: vcpu
    unit: h
    groupby: [flavor, address]
    metadata: [host, image]
    factor: 1.50
    mutate: MAP
    mutate_map: {"1.0": 8, "2": 10}
  disk: {unit: GiB, groupby: [flavor]}
"""
USERS = """\
root: {project: admins, roles: [admin]}
alice: {project: alice, roles: [reader]}
bob: {project: bob, roles: [reader, member]}
guest: {project: alice, roles: [guest]}
nobody: {roles: [reader]}
"""
IPV6 = "2001:db8::1"
USED: Sequence[tuple[str, str, str, str, tuple[tuple[str, str, str, str | None], ...]]] = (
    # begin, scope, metric, unit, then flavor, address, quantity, price
    ("2025-11-10T05", "alice", "vcpu", "h", (("small", "", "1", "0.5"),)),
    ("2026-10-31T23", "alice", "vcpu", "h", (("small", "", "2", "1"),)),
    ("2026-11-01T00", "alice", "vcpu", "h", (("small", "", "3", "1.5"), ("large", IPV6, "1", "2.25"))),
    ("2026-11-01T00", "alice", "disk", "GiB", (("small", "", "10", "0.000000000001"),)),
    ("2026-11-01T00", "bob", "vcpu", "h", (("small", "10.0.0.1", "7", "3.5"),)),
    ("2026-11-02T09", "bob", "vcpu", "h", (("large", "", "2", "4.5"),)),
    ("2026-11-05T10", "alice", "vcpu", "h", (("huge", "", "4", None),)),
)
UNUSED = object()


class AnyArguments:
    """As a collector to metrics.yml, whose extra_args say nothing to it."""

    def parse_args(self, extra_args: Mapping[str, Any]) -> Any:
        return dict(extra_args)


class Site:
    """An installation without an App.

    ``ask`` by any caller, ``ok`` where the answer is no error; ``last`` is the whole of the last answer.
    """

    author, schema = "tester", "as needed"
    period, wait_periods = HOUR, 1
    collector_name, fetcher_name = "reader", "finder"

    def __init__(self, database: Database, directory: Path, policy: str = "", scope_key: str = "project_id",
                 strategy: str = "http_basic") -> None:
        self.now, self.last = NOW, TestResponse()
        self.database, self.scope_key = database, scope_key
        self.storage = SqlalchemyStorage(database, shares_transaction=True)
        establish(database, period_seconds=3600, scope_key=scope_key)
        self.ledger = Ledger(database, self.storage, self.clock, "tester")
        self.summary, self.scopes = Summary(database, self.storage), Scopes(database, self.clock, HOUR)
        self.tariffs = Tariffs(database, self.rating_module)
        self.metrics = metrics.load(METRICS, AnyArguments(), scope_key)
        self.strategy = strategy
        self.app = TestApp(self._application(directory, policy))

    def clock(self) -> datetime:
        return self.now

    def rating_module(self, name: str) -> Any:
        return HashmapModule(self.database) if name == "hashmap" else NoopModule()

    def rating(self) -> tuple[int, Pricing]:
        with self.database.read() as tx:
            return 1, self.tariffs.at(rules.latest(tx))

    def use_cases(self, **other: Any) -> UseCases:
        """Those of the API, but for some of them."""
        made = UseCases(self, AUTHOR)
        ours = {"scopes": self.scopes, "tariffs": self.tariffs, "rating": self.rating, "script_check": compiles}
        for name, member in {**ours, **other}.items():
            setattr(made, name, member)
        return made

    def _application(self, directory: Path, policy: str) -> Any:
        (directory / "htpasswd").write_text(passwords())
        (directory / "users.yaml").write_text(USERS)
        (directory / "policy.yaml").write_text(policy)
        path = directory / "api.conf"
        path.write_text(f"[DEFAULT]\nauth_strategy = {self.strategy}\n[http_basic]\n"
                        f"htpasswd_file = {directory}/htpasswd\nusers_file = {directory}/users.yaml\n"
                        f"[oslo_policy]\npolicy_file = {directory}/policy.yaml\n[api]\nmax_body_bytes = 200000\n")
        self.conf = read_configuration([str(path)])
        options.register(self.conf)
        return make(self.use_cases(), self.conf)

    def with_use_cases(self, **other: Any) -> Site:
        """The same, but for some of its use cases."""
        self.app = TestApp(make(self.use_cases(**other), self.conf))
        return self

    def with_storage(self, storage: Any) -> Site:
        """The same, but for its storage."""
        self.storage = storage
        return self.with_use_cases()

    # --- the ledger ------------------------------------------------------------------------------

    def filled(self) -> Site:
        """With what is USED, rated up to DUE."""
        for name in ("alice", "bob", "carol"):
            self.scope(name)
        hours: dict[tuple[str, str], list[Frame]] = {}
        for begin, scope, metric, unit, points in USED:
            hours.setdefault((begin, scope), []).append(used(begin, metric, unit, points))
        for (_, scope), frames in sorted(hours.items()):
            self.record(scope, *frames)
        with self.database.write() as tx:
            rows.set_due(tx, [state.id for state in rows.everything(tx)], DUE)
        return self

    def scope(self, name: str, due: datetime = DUE, fetcher: str = "finder") -> None:
        with self.database.write() as tx:
            rows.register(tx, [Scope(name, self.scope_key, fetcher, "reader")], NOW)
            rows.start(tx, {due: [rows.named(tx, [name])[0].id]})

    def record(self, scope: str, *frames: Frame) -> None:
        """What is used in a period and rated; whatever was before."""
        period = frames[0].period
        with self.database.write() as tx:
            state = rows.named(tx, [scope])[0]
            rows.set_due(tx, [state.id], period.begin)
            state = rows.named(tx, [scope])[0]
        self.ledger.record([RatedPeriod(state, period, frames)], 1)

    def state(self, name: str) -> ScopeState:
        with self.database.read() as tx:
            return rows.named(tx, [name])[0]

    def rules(self, *wanted: Rule) -> None:
        apply(self.database, list(wanted), RuleApplication(NOW, retroactive=True), Change(NOW, "tester", "apply"))

    # --- questions -------------------------------------------------------------------------------

    def ask(self, method: str, url: str, body: Any = UNUSED, user: str = "root", **headers: str) -> tuple[int, Any]:
        """Status and JSON (None where there is no body).  ``accept``, ``content_type`` … are headers."""
        given = {name.replace("_", "-").title(): value for name, value in headers.items()}
        given |= self.credentials(user)
        data = b""
        if body is not UNUSED:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        self.last = self.app.request(url, method=method, body=data, headers=given, expect_errors=True)
        text = self.last.body
        return self.last.status_int, json.loads(text) if text and "json" in self.last.content_type else None

    def credentials(self, user: str) -> dict[str, str]:
        """The header that says who asks; '' is nobody."""
        if self.strategy != "http_basic" or not user:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{user}-secret".encode()).decode()}

    def ok(self, method: str, url: str, body: Any = UNUSED, user: str = "root", **headers: str) -> Any:
        status, found = self.ask(method, url, body, user, **headers)
        assert status < 400, (status, found)
        return found

    def get(self, url: str, user: str = "root", **query: Any) -> Any:
        """What GET answers; lists are repeated arguments."""
        return self.ok("GET", f"{url}?{urlencode(query, doseq=True)}" if query else url, user=user)

    def wrong(self, method: str, url: str, body: Any = UNUSED, user: str = "root", status: int = 400,
              **headers: str) -> str:
        """The text of an error, in the form that the version has."""
        found, answer = self.ask(method, url, body, user, **headers)
        assert found == status, answer
        if url.startswith("/v1/"):
            assert answer.keys() == {"faultcode", "faultstring", "debuginfo"}
            assert answer["faultcode"] == ("Client" if status < 500 else "Server")
            return str(answer["faultstring"])
        assert answer.keys() == {"message"}
        return str(answer["message"])


@cache
def passwords() -> str:
    names = [line.split(":")[0] for line in USERS.splitlines()]
    return "".join(f"{name}:{bcrypt.hashpw(f'{name}-secret'.encode(), bcrypt.gensalt(4)).decode()}\n"
                   for name in names)


def used(begin: str, metric: str, unit: str, points: Sequence[tuple[str, str, str, str | None]]) -> Frame:
    """A rated frame of (flavor, address, quantity, price)."""
    period = Period.starting(parse_instant(f"{begin}:00"), HOUR)
    frame = Frame.of_usage(
        metric, unit, period, [Decimal(qty) for _, _, qty, _ in points],
        {"flavor": [one[0] for one in points], "address": [one[1] for one in points]}, {"host": ["h1"] * len(points)})
    prices = {one[:2]: None if one[3] is None else Decimal(one[3]).quantize(Decimal("1e-12")) for one in points}
    return frame.with_price([prices[key] for key in zip(frame.groupby["flavor"], frame.groupby["address"],
                                                        strict=True)])


def broken(error: Exception) -> Callable[..., Any]:
    """A part that always fails."""
    def fails(*_: Any, **__: Any) -> Any:
        raise error
    return fails


class BrokenStorage(SimpleNamespace):
    """A storage that answers nothing but an error."""

    shares_transaction = False
