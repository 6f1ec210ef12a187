"""What the page on explanations shows is what happens, on the sample month."""
from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.conftest import sample as sample  # the fixture
from tests.commands import Here, Ran

TEXT = (Path(__file__).parents[1] / "doc" / "source" / "explaining.rst").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    lines = TEXT.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("    cloudkitty-like ")]


def test_every_command_on_it_runs_and_says_what_the_page_says(sample: tuple[Path, Ran], capsys, tmp_path: Path) -> None:
    files = {"state": str(sample[0]), "new.yml": str(tmp_path / "new.yml")}
    asked = commands()
    assert [words[0] for words in asked] == ["explain", "explain", "quote", "quote", "rules", "whatif", "whatif"]
    printed = []
    for words in asked:
        words = [files.get(word, word) for word in words]
        if ">" in words:
            words, target = words[:words.index(">")], words[-1]
            Path(target).write_text(Here(capsys).ok(*words), encoding="utf-8")
            continue
        printed.append(Here(capsys).ok(*words))
    for line in re.search(r"text\n\n((?:    .*\n)+)", TEXT)[1].splitlines():
        pattern = ".*".join(re.escape(piece) for piece in line[4:].split("..."))
        assert re.search(f"^{pattern}", printed[0], re.MULTILINE), (line, printed[0])
    assert "64.8" in printed[3]
    assert {line.split()[-4] for line in printed[4].splitlines()[2:]} == {"0"}
    assert printed[5].splitlines()[0].startswith("scope,metric,unit,stored,candidate,difference,")
