"""Fixtures for every test: a state database of each kind.  And the order: what takes long comes first."""
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cloudkitty_like.db.engine import Database
from cloudkitty_like.testing.databases import KINDS
from tests.databases import drop_kept, new_database
from tests.process_state import ProcessState

# Readline, which pytest imports, sets it behind Python's back for the programs that a test starts, and the workers
# of xdist have it: tables would be as narrow as a screen.
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")

LONGEST = ("test_hell", "test_ledger_model", "test_silence", "test_contract", "test_injection", "test_crash",
           "test_crash_corrections", "test_faults", "test_rights", "test_status_page", "test_scripts_page",
           "test_corrections", "test_ledger", "test_application", "test_readme", "test_openstack")
"""The modules with tests of half a minute.  Where several processes share the tests, none waits for one of these."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that take long first; all others stay in their order.  An order by chance stays as it is."""
    if config.getoption("random_order_enabled", default=False):
        return
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_sessionfinish() -> None:
    """Leave no database behind."""
    drop_kept()


@pytest.fixture(autouse=True)
def process_state() -> Iterator[None]:
    """Fail a test that leaves logging, signals, the environment or the directory changed: others run after it."""
    before = ProcessState.now()
    yield
    changes = before.changes(ProcessState.now())
    assert not changes, "the test leaves this process changed:\n" + "\n".join(changes)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty state database with all tables; the test runs once on each kind."""
    with new_database(request.param) as made:
        yield made


@pytest.fixture
def sqlite() -> Iterator[Database]:
    """An empty state database with all tables, on SQLite alone."""
    with new_database("sqlite") as made:
        yield made
