"""A state database that may be read and not written still answers whoever only asks."""
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from cloudkitty_like.db.engine import Database
from tests.cli.conftest import site as site
from tests.cli.small import Site
from tests.commands import PATIENCE, Ran, command

CAPABILITIES = "-dac_override,-dac_read_search"
OBEYING = ["setpriv", f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}"]
"""What makes root obey the permissions of files, as everybody else does."""

ASKING = ("report --by scope,flavor", "scopes list", "history", "reprocess list",
          "explain --begin 2026-03-01 --end 2026-03-02")


def obeying(site: Site, words: str) -> Ran:
    """The command by somebody whom the permissions of files bind."""
    ran = subprocess.run([*([] if os.geteuid() else OBEYING), *command("--config-file", site.conf, *words.split())],
                         capture_output=True, text=True, timeout=PATIENCE, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def locked(site: Site) -> Iterator[Site]:
    """A ledger in a directory that nobody may write."""
    if not os.geteuid() and not shutil.which("setpriv"):
        pytest.skip("root may write everything, and setpriv is not installed")
    (site.path / "state").mkdir()
    site.configure(database={"connection": f"sqlite:///{site.path}/state/state.sqlite"})
    site.rated()
    for path in (site.path / "state" / "state.sqlite", site.path / "state"):
        path.chmod(path.stat().st_mode & ~0o222)
    yield site
    (site.path / "state").chmod(0o755)


@pytest.mark.slow
def test_i8_small_a_read_only_database_answers_and_is_left_as_it_is(locked: Site) -> None:
    expected = {words: locked.here.ok(*words.split()) for words in ASKING}
    before = sorted(path.name for path in (locked.path / "state").iterdir())
    for words in ASKING:
        ran = obeying(locked, words)
        assert (ran.code, ran.err, ran.out) == (0, "", expected[words])
    assert sorted(path.name for path in (locked.path / "state").iterdir()) == before
    checks = obeying(locked, "status --verify").out
    assert "sums of points, totals of frames, days and months are equal" in checks


def test_i8_small_what_would_write_into_it_is_told_why_it_cannot(locked: Site) -> None:
    for words in ("modules enable noop", "scopes retry --all", "dbsync upgrade --revision 0001",
                  "purge --rated-before 2026-03-02 --yes"):
        ran = obeying(locked, words)
        assert (ran.code, len(ran.err.splitlines())) == (1, 1), ran
        assert "can only be read: this user may not write the file, or not into its directory" in ran.err


def test_i8_small_it_is_read_while_its_owner_writes(locked: Site) -> None:
    """By the files that the owner's connection has made; what is committed is seen."""
    database = Database(f"sqlite:///{locked.path}/state/state.sqlite")
    os.chmod(locked.path / "state", 0o755)
    os.chmod(locked.path / "state" / "state.sqlite", 0o644)
    try:
        with database.write() as tx:
            tx.exec_driver_sql("UPDATE scope SET identifier = 'gamma' WHERE identifier = 'beta'")
        for path in (*(locked.path / "state").iterdir(), locked.path / "state"):
            path.chmod(path.stat().st_mode & ~0o222)
        ran = obeying(locked, "scopes list")
        assert (ran.code, ran.err) == (0, "")
        assert "gamma" in ran.out
    finally:
        os.chmod(locked.path / "state", 0o755)
        database.close()
