"""What a controller knows of a request: who asks, what is asked, and how numbers are to be written."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cloudkitty_like.domain.money import plain
from cloudkitty_like.service.access import Caller

CSV, JSON, XML = "text/csv", "application/json", "application/xml"


@dataclass(frozen=True)
class Context:
    """One request.  ``authorize(rule, target)`` raises Forbidden."""

    caller: Caller
    authorize: Callable[[str, Mapping[str, str | None]], None]
    url: str                           # of this service, without a slash at its end
    path: str                          # of the request, as it was asked for
    query: str
    accepts: str                       # CSV, JSON or XML
    exact: bool                        # numbers as text, every digit of them
    now: datetime
    request_id: str

    @property
    def author(self) -> str:
        """Under whose name a change is recorded."""
        return self.caller.user_id or "api"

    def number(self, value: Decimal) -> str | float:
        """A number as this client wants it: a float, or on request every digit as text."""
        return plain(value) if self.exact else float(value)


@dataclass(frozen=True)
class RouteAnswer:
    """What a controller answers where it is not just an object of JSON: ``body`` may be an iterator of bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] | None = None
    content_type: str = JSON
