"""Rating a stretch of the past on demand: where each scope has to begin, and what was left over."""
from __future__ import annotations

from datetime import datetime

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.service.scopes import Scopes


def prepare(database: Database, scopes: Scopes, begin: datetime, *, author: str) -> None:
    """Let every scope that is rated begin at ``begin`` or before.

    New ones start there, those that started later go back to it.
    """
    with database.read() as tx:
        states = [state for state in rows.everything(tx) if state.active and state.found]
    late = [state.identifier for state in states if state.first is None or state.first > begin]
    if late:
        scopes.reset(late, begin, author=author, reason="rating of the past was asked for")


def failures(database: Database, end: datetime) -> list[tuple[str, str]]:
    """The scopes that are not rated up to ``end`` and what is wrong with each."""
    with database.read() as tx:
        states = [state for state in rows.everything(tx) if state.active and state.found]
    return [
        (state.identifier, (state.error or "not rated yet: another worker may be at it").replace("\n", "; "))
        for state in states if state.due is None or state.due < end
    ]
