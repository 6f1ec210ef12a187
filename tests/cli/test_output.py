"""Tables that line up whatever stands in them."""
from __future__ import annotations

import json

from cloudkitty_like.cli import output


def test_columns_are_as_wide_as_their_content_on_a_terminal(capsys) -> None:
    output.table(("name", "n"), [("東京", "1"), ("x", "1000")], right={"n"})
    assert capsys.readouterr().out == "name     n\n----  ----\n東京     1\nx     1000\n"


def test_no_control_character_reaches_the_terminal(capsys) -> None:
    output.table(("name",), [("\x1b[2Jgone\nnew",)])
    assert capsys.readouterr().out == "name\n----------------\n\\x1b[2Jgone\\nnew\n"


def test_json_is_one_document_of_its_own_letters(capsys) -> None:
    output.json([{"scope": "東京"}])
    out = capsys.readouterr().out
    assert "東京" in out
    assert json.loads(out) == [{"scope": "東京"}]
