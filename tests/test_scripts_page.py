"""What the page on scripts shows is what happens."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.commands import spawn
from tests.pages import PAGES, follow


@pytest.mark.slow
def test_each_command_does_what_the_page_says(tmp_path: Path) -> None:
    followed = follow("scripts.rst", tmp_path)
    tried = followed.printed("scripts test night.py --scope website")
    assert "printed by night:\n    4 metrics at night\n" in tried
    assert "pyscripts  script night: 1 at 0.021 became 1 at 0.0189" in tried
    assert re.search(r"^total .* -\d", followed.printed("whatif"), re.MULTILINE)
    assert followed.printed("modules enable").startswith(" pyscripts\npyscripts is enabled now.\n")
    assert "night " in followed.printed("scripts list")

    failed = followed.printed("reprocess start")
    text = re.search(r"task \.\.\.(, scope 'shop'(?:.*\n)+?.*KeyError: .*)\n",
                     (PAGES / "scripts.rst").read_text())
    assert text is not None
    assert re.sub(r"^    ", "", text[1], flags=re.MULTILINE) in failed
    listed = followed.printed("reprocess list")
    assert listed.count("parked") == 1
    assert listed.count("24/24  done") == 3
    assert "1 to correct the past, 1 with an error" in followed.printed("status")

    after = followed.out.partition("$ cloudkitty-like rate ")[2]
    assert after.count("24/24  done") >= 4
    assert "parked" not in after
    assert "('night', version 3 by " in followed.printed("explain")
    assert followed.printed("scripts show").count("withdrawn") == 2
    assert "undo" in spawn("history", cwd=tmp_path).out
    assert json.loads(spawn("scripts", "list", "--json", cwd=tmp_path).out) == []
    assert "equal to the last digit" in spawn("status", "--verify", cwd=tmp_path).out
