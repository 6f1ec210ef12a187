"""Before its database can be used the API says 503, quickly, and why only to its own log."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from webob import Request, Response
from webtest import TestApp

from cloudkitty_like.api.readiness import Readiness
from cloudkitty_like.domain.errors import Conflict, Unavailable


def behind(check: Callable[[], None], seconds: float = 3.0) -> TestApp:
    def application(environ: dict[str, object], start_response: object) -> object:
        return Response(f"asked for {Request(environ).path}")(environ, start_response)

    return TestApp(Readiness(application, check, seconds))


def test_i8_b9_requests_pass_as_soon_as_the_check_has_passed_and_it_is_made_once() -> None:
    failures = [Unavailable("the database at 10.0.0.1 is down")] * 2
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if failures:
            raise failures.pop()

    app = behind(check)
    first = app.get("/v1/report/total", status=503)
    assert (first.json["faultcode"], "10.0.0.1" in first.text) == ("Server", False)
    assert app.get("/healthcheck", status=503).json == {"status": "failing"}
    for _ in range(3):
        assert app.get("/v2/scope").text == "asked for /v2/scope"
    assert len(checks) == 3


@pytest.mark.parametrize("error", [Unavailable("down"), Conflict("another schema")])
def test_i8_b9_the_log_says_each_reason_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def check() -> None:
        raise error

    app = behind(check)
    for _ in range(5):
        assert app.get("/v2/scope", status=503).json["message"].startswith("a part of the service")
    assert [record.getMessage() for record in caplog.records] == [f"no request can be answered: {error}"]


def test_i8_b4_a_check_that_hangs_is_not_waited_for() -> None:
    goes_on = threading.Event()
    app = behind(lambda: goes_on.wait(30) and None, 0.2)
    began = time.monotonic()
    for _ in range(3):
        app.get("/healthcheck", status=503)
    assert time.monotonic() - began < 3
    goes_on.set()
