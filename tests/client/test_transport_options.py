"""Options of TLS and time-outs: what is wrong with them, and what they say."""
from __future__ import annotations

from typing import Any

import pytest

from cloudkitty_like.client import transport_options


class Group(dict[str, Any]):
    """A group of options, by attribute and by name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cafile=None, insecure=False, certfile=None, keyfile=None, timeout=60.0)
        self.update(options)

    def __getattr__(self, name: str) -> Any:
        return self[name]


def test_each_problem_names_its_option(tmp_path):
    (tmp_path / "text").write_text("no certificate")
    wrong = Group(keyfile=str(tmp_path / "gone"), cafile=str(tmp_path / "text"), timeout=0.0)
    checks = (transport_options.timeout_problems, transport_options.key_problems,
              transport_options.authority_problems,
              lambda group: transport_options.unreadable(group, ("certfile", "keyfile")))
    assert [check(Group()) for check in checks] == [[], [], [], []]
    assert [problem.partition(":")[0] for check in checks for problem in check(wrong)] == [
        "timeout", "keyfile", "cafile", "keyfile"]


@pytest.mark.parametrize(("options", "expected"), [
    ({}, True), ({"insecure": True}, False), ({"insecure": True, "cafile": "ca"}, "ca")])
def test_cafile_wins_over_insecure(options, expected):
    assert transport_options.verification(Group(**options)) == expected


@pytest.mark.parametrize(("options", "expected"), [
    ({}, None), ({"certfile": "c"}, "c"), ({"certfile": "c", "keyfile": "k"}, ("c", "k"))])
def test_a_certificate_is_one_file_or_two(options, expected):
    assert transport_options.certificate(Group(**options)) == expected
