from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.tables import worker
from cloudkitty_like.domain.schema_version import NEEDED
from tests.cli.small import Site
from tests.commands import Here, Ran


@pytest.fixture
def dbsync(tmp_path, capsys):
    """The command, for an installation whose database is not there yet."""
    (tmp_path / "rating.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/new.sqlite\n")
    here = Here(capsys)
    return lambda *argv: here("--config-file", tmp_path / "rating.conf", "dbsync", *argv)


def test_a_new_database_is_brought_to_this_release_and_stays_there(dbsync):
    ran = dbsync("version")
    assert (ran.code, f"schema none, this release needs {NEEDED}" in ran.out) == (1, True)
    assert f"schema {NEEDED}, was empty" in dbsync("upgrade").out
    ran = dbsync("upgrade")
    assert (ran.code, f"schema {NEEDED}, as before" in ran.out) == (0, True)
    assert dbsync("version").code == 0


def test_an_upgrade_may_stop_at_a_revision(dbsync):
    assert dbsync("upgrade", "--revision", "0001").code == 0
    assert "schema 0001" in dbsync("version").out


def test_to_ask_for_the_version_makes_no_database(tmp_path, capsys):
    here = Here(capsys)
    (tmp_path / "rating.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/state/rating.sqlite\n")
    ran = here("--config-file", tmp_path / "rating.conf", "dbsync", "version")
    assert (ran.code, ran.err) == (1, "")
    assert "schema none, this release needs" in ran.out
    assert not (tmp_path / "state").exists()


def downgraded(site: Site, *options: str):
    return site.here("dbsync", "downgrade", "--revision", "0003", *options)


def test_i8_small_a_downgrade_names_what_would_be_lost_and_waits_for_a_yes(site: Site) -> None:
    site.rated()
    site.here.ok("scopes", "reset", "--to", "2026-03-01T01:00", "alpha")
    ran = downgraded(site, "--dry-run")
    assert (ran.code, ran.out.endswith("nothing was changed: a dry run.\n")) == (0, True)
    assert "scope_reset: 3 rows, for which the schema 0003 has no place" in ran.err
    assert "reprocess_total" not in ran.err                # it is empty
    ran = downgraded(site)
    assert (ran.code, "say --yes to lose it" in ran.err, "backup" in ran.err) == (1, True, True)
    assert f"schema {NEEDED}, this release" in site.here("dbsync", "version").out
    before = site.here.json("report")
    ran = downgraded(site, "--yes")
    assert (ran.code, ran.out.endswith(f"schema 0003, was {NEEDED}\n")) == (0, True)
    assert "schema 0003, this release needs" in site.here("report").err + site.here("dbsync", "version").out
    with Database(f"sqlite:///{site.path}/state.sqlite").read() as tx:
        assert tx.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    site.here.ok("dbsync", "upgrade")
    assert site.here.json("report") == before
    assert site.here.json("status", "--verify")[-1]["state"] == "ok"


def test_i8_small_a_downgrade_that_loses_nothing_needs_no_yes(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    assert downgraded(site) == Ran(0, f"sqlite:///{site.path}/state.sqlite: schema 0003, was {NEEDED}\n", "")


@pytest.mark.parametrize(("revision", "said"), [
    ("0099", "there is no schema 0099"), ("base", "there is no schema base"),
    (NEEDED, f"has the schema {NEEDED}, which is not later than {NEEDED}")])
def test_i8_small_a_downgrade_to_no_older_schema_is_refused(site: Site, revision: str, said: str) -> None:
    site.here.ok("dbsync", "upgrade")
    ran = site.here("dbsync", "downgrade", "--revision", revision)
    assert (ran.code, said in ran.err) == (1, True), ran


def test_i8_small_no_downgrade_beside_a_worker_nor_of_a_database_that_is_not_there(site: Site) -> None:
    assert "there is no database at" in downgraded(site).err
    assert not (site.path / "state.sqlite").exists()
    site.prepared()
    with Database(f"sqlite:///{site.path}/state.sqlite").write() as tx:
        now = datetime.now(UTC)
        tx.execute(insert(worker).values(id="a", host="h", pid=1, started_at=now, seen_at=now, doing="rating",
                                         since=now, periods=0, points=0, requests=0, stages="{}", failures=0))
    ran = downgraded(site, "--yes")
    assert (ran.code, "1 worker at work in" in ran.err) == (1, True), ran
