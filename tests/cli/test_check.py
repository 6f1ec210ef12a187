"""A row of ``status`` that is wrong says on one line what to do."""
from __future__ import annotations

from cloudkitty_like.cli.check import tried
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.service.operation.check import HealthCheck


def refuse(error):
    raise error


def test_a_part_that_answers_is_ok_with_its_answer():
    assert tried("source", lambda: "data since May") == HealthCheck("source", "ok",
                                                                    "data since May")


def test_an_error_is_one_line_with_its_hint():
    error = Unavailable("nobody is there", hint="start it")
    assert tried("source", lambda: refuse(error)) == (
        HealthCheck("source", "error", "nobody is there (start it)"))
    assert tried("source", lambda: refuse(Invalid("a", "b"))).text == "a; b"
