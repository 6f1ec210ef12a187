"""Recording a change of rules or modules: alone among all writers, or from the beginning again."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database, TransactionAborted
from cloudkitty_like.db.rules import rules
from cloudkitty_like.db.rules.rules import StaleChange
from cloudkitty_like.domain.change import Change

T = TypeVar("T")
ATTEMPTS = 20


class NothingToRecord(Exception):
    """Raised within :func:`recorded` where there is nothing to record after all."""


def recorded(database: Database, change: Change, work: Callable[[Connection, int], T]) -> T:
    """``work(tx, change id)`` in one transaction with the change that it records.

    What ``work`` reads is what the change rests on: should somebody else record
    a change in between, all is undone and ``work`` is called again.  Raises
    StaleChange where that happens many times in a row, and what ``work`` raises,
    with nothing recorded.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with database.write() as tx:
                return work(tx, rules.record(tx, change))
        except (StaleChange, TransactionAborted):
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")
