"""The only place where errors meet HTTP."""
from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse

from cloudkitty_like.domain.errors import Conflict, Error, Forbidden, Invalid, NotFound, Unavailable, Unloadable

LOG = logging.getLogger(__name__)
STATUS: Mapping[type[Error], int] = {
    Unloadable: 503, Invalid: 400, Forbidden: 403, NotFound: 404, Conflict: 409, Unavailable: 503}

# Not what the driver said: it may hold addresses.
NO_ANSWER = "a part of the service does not answer, or not in time; try again, or ask for less"


class UnknownMethod(Error):
    """The URL exists, and answers other methods: ``allowed``."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(f"this URL answers {', '.join(allowed) or 'no method'}")
        self.allowed = allowed


class TooLarge(Error):
    """The body is larger than is accepted."""


class UnsupportedMedia(Error):
    """The body is not of a type that is understood."""


HTTP: Mapping[type[Error], int] = {**STATUS, UnknownMethod: 405, TooLarge: 413, UnsupportedMedia: 415}


def status(error: BaseException) -> int:
    """500 for what is none of our errors: a bug."""
    return next((code for kind, code in HTTP.items() if isinstance(error, kind)), 500)


def body(error: BaseException, *, fault: bool, request_id: str) -> dict[str, Any]:
    """The answer's object: a WSME fault in v1, ``message`` elsewhere; nothing of a bug is told but where to look."""
    code = status(error)
    if code == 500:
        LOG.error("request %s failed", request_id, exc_info=error)
        text = f"internal error; the log of the service has it under {request_id}"
    elif code == 503 and not isinstance(error, Unloadable):
        LOG.warning("request %s: %s", request_id, error)
        text = NO_ANSWER
    else:
        text = str(error) + (f" ({error.hint})" if isinstance(error, Error) and error.hint else "")
        text = text.encode("utf-8", "backslashreplace").decode()       # it may quote what is no text
    return shaped(text, code, fault=fault)


def shaped(text: str, code: int, *, fault: bool) -> dict[str, Any]:
    """The object that says ``text`` with this status."""
    if fault:
        return {"faultcode": "Client" if code < 500 else "Server", "faultstring": text, "debuginfo": None}
    return {"message": text}


def refuse(start_response: StartResponse, status: HTTPStatus, message: str,
           *headers: tuple[str, str]) -> list[bytes]:
    """Answer a request that is not let in, in the form that OpenStack's services use.

    The body is ``{"error": {"code": ..., "title": ..., "message": ...}}``.
    """
    error = {"code": status.value, "title": status.phrase, "message": message}
    content = json.dumps({"error": error}).encode()
    start_response(f"{status.value} {status.phrase}", [
        ("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers])
    return [content]
