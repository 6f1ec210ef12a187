"""A row of a health report."""
from __future__ import annotations

from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.service.operation.check import HealthCheck, checked


def refuse():
    raise Unavailable("nobody is there", hint="start it")


def test_a_part_that_answers_is_ok_with_its_answer():
    assert checked("storage", lambda: "on its own") == HealthCheck("storage", "ok", "on its own")


def test_a_part_that_fails_is_an_error_in_the_words_of_the_report():
    assert checked("storage", refuse) == HealthCheck("storage", "error", "nobody is there")
    assert checked("storage", refuse, lambda error: error.hint).text == "start it"
