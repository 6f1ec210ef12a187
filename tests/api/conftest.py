"""The application over a small ledger."""
from __future__ import annotations

from pathlib import Path

import pytest

from cloudkitty_like.db.engine import Database
from tests.api.site import Site


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    """A filled one; who may do what is as it is by default."""
    return Site(sqlite, tmp_path).filled()
