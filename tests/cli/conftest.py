"""Installations for tests of commands: the sample month, made once; and a small one for whoever changes it."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.small import METRICS, RULES, USAGE, Site
from tests.commands import Here, Ran, spawn


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """Two scopes, two days; nothing is rated and there is no database yet."""
    for name, text in (("usage.csv", USAGE), ("metrics.yml", METRICS), ("rules.yml", RULES)):
        (tmp_path / name).write_text(text)
    made = Site(tmp_path, Here(capsys, "--config-file", tmp_path / "rating.conf"))
    made.configure()
    return made


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The state directory of ``standalone --sample``, to be read only, and what that printed."""
    directory = tmp_path_factory.mktemp("sample")
    return directory / "state", spawn("standalone", "--sample", "--state", "state", cwd=directory)
