"""Rules and scripts over HTTP: asked through the table of routes, everybody allowed, the clock in the test's hand."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from webob import Request, Response

from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.routes import Dispatcher, RequestLimits, Route
from cloudkitty_like.api.v1 import hashmap, hashmap_routes, pyscripts
from cloudkitty_like.db.engine import Database
from cloudkitty_like.service.hashmap.rules import Hashmap
from cloudkitty_like.service.pyscripts.scripts import Scripts
from tests.compiling import compiles

NOW = datetime(2026, 11, 10, 12, 30, 15, 123456, tzinfo=UTC)


class Everybody:
    """A policy that allows everything."""

    def authorize(self, rule: str, context: Any, target: Mapping[str, str | None]) -> None:
        assert rule == "rating:module_config"

    def is_admin(self, context: Any) -> bool:
        return True


class Http:
    """Answers as ``(status, JSON)``; ``headers`` are those of the last one."""

    def __init__(self, url: str, table: Callable[[Callable[[], datetime]], Sequence[Route]]) -> None:
        self.now = NOW
        self.headers: Mapping[str, str] = {}
        self._url = url
        self._dispatcher = Dispatcher(table(lambda: self.now), Everybody(), "noauth", lambda: self.now, RequestLimits(),
                                      Counters())

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def __call__(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        request = Request.blank(self._url + url, method=method)
        if body is not None:
            request.body, request.content_type = json.dumps(body).encode(), "application/json"
        response: Response = self._dispatcher(request)
        self.headers = response.headers
        return response.status_int, json.loads(response.body) if response.body else None

    def ok(self, method: str, url: str, body: Any = None) -> Any:
        """The JSON of an answer that is not an error."""
        status, found = self(method, url, body)
        assert status < 400, found
        return found

    def refused(self, method: str, url: str, body: Any = None) -> tuple[int, str]:
        """Status and faultstring of an answer that is one."""
        status, found = self(method, url, body)
        assert found.keys() == {"faultcode", "faultstring", "debuginfo"}
        return status, found["faultstring"]


@pytest.fixture
def http(sqlite: Database) -> Http:
    return Http(hashmap.URL, lambda clock: hashmap_routes.routes(Hashmap(sqlite, clock)))


@pytest.fixture
def scripts(sqlite: Database) -> Http:
    return Http(pyscripts.URL, lambda clock: pyscripts.routes(Scripts(sqlite, compiles)))
