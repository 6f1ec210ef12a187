"""The databases of an installation, and their copies."""
from __future__ import annotations

import pytest

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.schema_version import NEEDED
from cloudkitty_like.service.operation.migration import upgrade
from cloudkitty_like.service.operation.state_databases import (
    counts,
    schemas_of_copies,
    state_databases,
)

NAMES = ("ledger.sqlite", "points.sqlite")


def test_the_ledger_comes_first_and_points_where_they_are_apart(sqlite):
    assert [state.name for state in state_databases(NAMES, sqlite, None)] == ["ledger.sqlite"]
    both = state_databases(NAMES, sqlite, "sqlite://")
    assert [(state.name, state.in_file) for state in both] == [(name, True) for name in NAMES]


def test_a_copy_has_the_schema_and_the_counts_of_the_ledger(tmp_path):
    told = []
    database = Database(f"sqlite:///{tmp_path}/live.sqlite")
    upgrade(database)
    ledger = state_databases(NAMES, database, None)
    assert ledger[0].copy(tmp_path, lambda done, pages: told.append((done, pages))) == (
        tmp_path / "ledger.sqlite")
    assert told[-1][0] == told[-1][1]
    assert counts(ledger, tmp_path)["scopes"] == 0
    assert schemas_of_copies(tmp_path, ["ledger.sqlite"]) == {"ledger.sqlite": NEEDED}


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(Invalid, match=r"ledger\.sqlite"):
        schemas_of_copies(tmp_path, ["ledger.sqlite"])
