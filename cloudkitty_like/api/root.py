"""Every URL on one page: method, URL, what answers it, the policy rule that has to allow it."""
from __future__ import annotations

from typing import Any

import pecan
from webob import Response

from cloudkitty_like.api.routes import Dispatcher, Route
from cloudkitty_like.api.services import Services
from cloudkitty_like.api.v2 import asking, summary
from cloudkitty_like.api.versions import Versions
from cloudkitty_like.service.grouping import Groups


def routes(services: Services) -> list[Route]:
    """The table.  ``[...]`` at the end of a URL may be missing."""
    versions = Versions()
    asked = asking.Asking(services.scope_key, services.summary.change_at, services.summary.last_change)
    summaries = summary.Summaries(asked, Groups(services.summary), services.period)
    return [
        Route("GET", "/", versions.get_all, ""),
        Route("GET", "/v2/summary", summaries.get_all, "summary:get_summary"),
    ]


class Root:
    """Where Pecan enters; the table does the rest."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    @pecan.expose()  # type: ignore[untyped-decorator]
    def _route(self, args: list[str], request: Any) -> tuple[Any, list[str]]:
        return self.answer, []

    @pecan.expose()  # type: ignore[untyped-decorator]
    def answer(self, **_: Any) -> Response:
        """The answer to Pecan's current request."""
        return self._dispatcher(pecan.request)
