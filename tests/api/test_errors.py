"""Errors as HTTP answers."""
from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from cloudkitty_like.api import errors
from cloudkitty_like.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
    Unloadable,
)


@pytest.mark.parametrize(("error", "status"), [
    (Invalid("x"), 400), (Forbidden("x"), 403), (NotFound("x"), 404),
    (errors.UnknownMethod(["GET"]), 405), (Conflict("x"), 409), (errors.TooLarge("x"), 413),
    (errors.UnsupportedMedia("x"), 415), (ValueError("x"), 500), (Unavailable("x"), 503),
    (Unloadable("x"), 503)])
def test_every_error_has_its_status(error, status):
    assert errors.status(error) == status


def test_what_a_driver_or_a_bug_says_is_not_told():
    for error in (Unavailable("10.0.0.1"), ValueError("10.0.0.1")):
        assert "10.0.0.1" not in str(errors.body(error, fault=False, request_id="req-1"))


def test_a_refusal_has_the_form_of_openstacks_services():
    said = []
    challenge = ("WWW-Authenticate", "Basic")

    def start(status, headers):
        said.append((status, headers))

    (content,) = errors.refuse(start, HTTPStatus.UNAUTHORIZED, "no", challenge)
    assert json.loads(content) == {"error": {"code": 401, "title": "Unauthorized", "message": "no"}}
    assert said == [("401 Unauthorized", [
        ("Content-Type", "application/json"), ("Content-Length", str(len(content))), challenge])]
