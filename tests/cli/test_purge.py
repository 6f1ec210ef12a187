"""Forgetting points from the command line."""
from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.small import Site
from tests.commands import Here, Ran

OLD = ("purge", "--rated-before", "2026-03-02")


def test_a_dry_run_says_what_would_go_and_leaves_it(site: Site) -> None:
    site.rated()
    out = site.here.ok(*OLD, "--dry-run")
    assert out == ("48 revisions, 48 of them current, with 5 points of 2 scopes, in periods from 2026-03-01T00:00:00Z "
                   "to 2026-03-02T00:00:00Z.\nNothing was forgotten: a dry run.\n")
    assert len(site.here.json("report", "--by", "flavor")) == 3


def test_totals_stay_and_points_are_refused(site: Site) -> None:
    site.rated()
    before = [site.here.json("report", "--by", by) for by in ("scope,metric", "day", "time")]
    assert "--yes" in site.here(*OLD).err
    assert site.here.ok(*OLD, "--yes").endswith("The points of 48 revisions are forgotten; their totals are kept.\n")
    assert [site.here.json("report", "--by", by) for by in ("scope,metric", "day", "time")] == before
    ran = site.here("report", "--by", "flavor")
    assert (ran.code, "points of periods up to 2026-03-02T00:00:00Z are no longer kept" in ran.err) == (1, True)
    assert len(site.here.json("report", "--by", "flavor", "--begin", "2026-03-02")) == 1
    assert site.here.json("status", "--verify")[-1]["state"] == "ok"
    assert site.here.json("history", "--ledger")[-1]["reason"] == "points rated before 2026-03-02T00:00:00Z"
    assert site.here.ok(*OLD, "--yes").startswith("0 revisions, 0 of them current, with 0 points of 0 scopes.\n")


def test_what_is_wrong_is_said(site: Site) -> None:
    site.rated()
    assert "--superseded-before or --rated-before" in site.here("purge", "--yes").err
    assert "--rated-before: 2036-01-01T00:00:00Z is in the future" in site.here(
        "purge", "--rated-before", "2036-01-01", "--yes").err


def test_i8_small_one_revision_is_one_revision(site: Site) -> None:
    site.rated()
    before = site.here.ok("purge", "--rated-before", "2026-03-01T00:00", "--dry-run")
    assert before.startswith("0 revisions, 0 of them current, with 0 points of 0 scopes")
    site.here.ok("scopes", "activate", "--off", "beta")
    out = site.here.ok("purge", "--rated-before", "2026-03-01T01:00", "--yes")
    assert out.startswith("2 revisions, 2 of them current, with 3 points of 2 scopes,")


def test_i8_small_the_database_file_shrinks(sample: tuple[Path, Ran], tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    shutil.copytree(sample[0], state)
    here, file = Here(capsys, "--state", state), state / "cloudkitty-like.sqlite"
    before, totals = file.stat().st_size, here.json("report", "--by", "scope,metric")
    assert "shrunk" not in here.ok("purge", "--rated-before", "2026-10-02", "--yes", "--keep-file-size")
    said = here.ok("purge", "--rated-before", "2026-11-01", "--yes")
    after = file.stat().st_size
    assert f"The database file has shrunk from {before / 1e6:.1f} MB to {after / 1e6:.1f} MB.\n" in said
    assert after < before * 0.75              # what is left are the frames and their totals
    assert here.json("report", "--by", "scope,metric") == totals
    assert here.json("status", "--verify")[-1]["state"] == "ok"


def test_i8_small_a_report_that_needs_forgotten_points_names_the_time_it_can_begin_at(site: Site) -> None:
    site.rated()
    site.here.ok(*OLD, "--yes")
    ran = site.here("report", "--by", "scope,flavor")
    assert "points of periods up to 2026-03-02T00:00:00Z are no longer kept; from then on they are" in ran.err
    (offer,) = re.findall(r"--begin [^\s,]+", ran.err)
    assert len(site.here.json("report", "--by", "scope,flavor", *offer.split())) == 1
    gone = site.here("report", "--by", "flavor", "--end", "2026-03-01T05:00")
    assert (gone.code, "--begin" in gone.err, "totals by scope, metric, day and time" in gone.err) == (1, False, True)
