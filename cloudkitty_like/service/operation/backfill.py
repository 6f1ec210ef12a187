"""Rating a stretch of the past on demand: where each scope has to begin, and what was left over."""
from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from cloudkitty_like.db import scopes as scope_rows
from cloudkitty_like.db import settings
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.service.operation.scopes import Scopes

ASKED = "rating of the past was asked for"


def prepare(database: Database, scopes: Scopes, begin: datetime, *, author: str) -> None:
    """Let every scope that is rated begin at ``begin`` or before.

    New ones start there, those that started later go back to it.
    """
    with database.read() as tx:
        states = [state for state in scope_rows.everything(tx) if state.active and state.found]
    new = [state.identifier for state in states if state.first is None]
    late = [state.identifier for state in states if state.first is not None and state.first > begin]
    if new:
        scopes.begin(new, begin, author=author, reason=ASKED)
    if late:
        scopes.reset(late, begin, author=author, reason=ASKED)


def failures(database: Database, end: datetime) -> list[tuple[str, str]]:
    """The scopes that are not rated up to ``end``, or to where the source ends, and what is wrong with each."""
    with database.read() as tx:
        states, ended = _rated(tx), settings.source_ends(tx)
    return [
        (state.identifier, (state.error or "not rated yet: another worker may be at it").replace("\n", "; "))
        for state in states if state.due is None or (state.due < end and (ended is None or state.due <= ended))
    ]


def idle(database: Database, begin: datetime, end: datetime) -> str:
    """Why there was nothing to rate between two instants."""
    with database.read() as tx:
        states, all_states, ended = _rated(tx), scope_rows.everything(tx), settings.source_ends(tx)
    if not all_states:
        return "there is no scope"
    if not states:
        return (f"none of {len(all_states)} scopes is rated: "
                "they are inactive, or no fetcher has found them")
    if ended is not None and ended < begin:
        return f"the source ends at {instant(ended)}"
    done = sum(state.due is not None and state.due >= end for state in states)
    if done == len(states):
        return f"all scopes ({done}) are rated up to {instant(end)} already, or further"
    return f"{done} of {len(states)} scopes are rated up to there already"


def ends(database: Database) -> datetime | None:
    """The last instant that the source will ever know of; None: it goes on."""
    with database.read() as tx:
        return settings.source_ends(tx)


def _rated(tx: Connection) -> list[ScopeState]:
    return [state for state in scope_rows.everything(tx) if state.active and state.found]
