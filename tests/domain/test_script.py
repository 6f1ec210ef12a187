from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import MAX_TEXT, Script, in_force

NOW = datetime(2026, 11, 10, tzinfo=UTC)


def test_the_checksum_is_the_sha_512_of_the_text():
    assert Script(name="n", text="a = 0").checksum.startswith("4c612e33c0e40b7bf53cf95fad47dbfb")
    assert Script(name="n", text="é").checksum == Script(name="m", text="é").checksum


def test_s19_everything_that_is_wrong_with_it_is_said_at_once():
    with pytest.raises(Invalid) as caught:
        Script(name="", text="x" * (MAX_TEXT + 1), order=2**31, description="d" * 4001)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["name", "description", "data", "order"]
    for text in ("", "a\0", "a\ud800"):
        with pytest.raises(Invalid, match="data: "):
            Script(name="n", text=text)


def test_those_in_force_run_by_their_order_then_by_name():
    def script(name, order, begin, end):
        return Script(name=name, text="a", order=order, valid=Validity(begin, end))

    scripts = [script("b", 1, None, None), script("a", 1, NOW, None), script("c", 0, None, NOW + timedelta(1)),
               script("past", 0, None, NOW), script("future", 0, NOW + timedelta(1), None)]
    assert [one.name for one in in_force(scripts, NOW)] == ["c", "a", "b"]
