"""The answer to those who do not get past the door, in the form that OpenStack's services give it."""
from __future__ import annotations

import json
from http import HTTPStatus
from wsgiref.types import StartResponse


def refuse(start_response: StartResponse, status: HTTPStatus, message: str, *headers: tuple[str, str]) -> list[bytes]:
    """A WSGI answer of that status: ``{"error": {"code": ..., "title": ..., "message": ...}}``."""
    error = {"code": status.value, "title": status.phrase, "message": message}
    body = json.dumps({"error": error}).encode()
    start_response(f"{status.value} {status.phrase}", [
        ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]
