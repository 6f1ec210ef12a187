"""What the API answers while its database cannot be reached, or is not one that it can use."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from webob import Response

from cloudkitty_like.api import errors, render
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.service.operation.timed_call import TimedCall

LOG = logging.getLogger(__name__)
SECONDS = 3.0           # that a request waits for the check
HEALTH = "/healthcheck"


class Readiness:
    """The application behind a check that has to pass once: until then every request is a 503.

    So a server starts whether its database is there or not, and serves when it comes.  The log
    says each reason once.
    """

    def __init__(self, application: Any, check: Callable[[], None], seconds: float = SECONDS) -> None:
        self._application, self._check = application, TimedCall(check, seconds)
        self._ready = False
        self._said = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self._ready:
            try:
                self._check()
            except Error as error:
                answer: Iterable[bytes] = self._refusal(error, environ)(environ, start_response)
                return answer
            self._ready = True
            if self._said:
                LOG.info("requests are answered now")
        passed: Iterable[bytes] = self._application(environ, start_response)
        return passed

    def _refusal(self, error: Error, environ: dict[str, Any]) -> Response:
        if str(error) != self._said:
            self._said = str(error)
            LOG.error("no request can be answered: %s", error)
        if environ.get("PATH_INFO") == HEALTH:
            body: Any = {"status": "failing"}
        else:
            body = errors.shaped(errors.NO_ANSWER, 503, fault=environ.get("PATH_INFO", "").startswith("/v1/"))
        return Response(status=503, body=render.json_bytes(body), content_type="application/json")
