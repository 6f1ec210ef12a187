"""What went wrong with a scope, kept in its state, and when it is tried again."""
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.scopes import RATING, Failure, ScopeState
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.schedule import back_off

LOG = logging.getLogger(__name__)


class Failures:
    """A source's failure is retried after ``first``, then twice as long and so on up to ``most``.

    One of rating parks the scope until its rules change or an operator says so.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], first: timedelta, most: timedelta) -> None:
        self._database, self._clock, self._first, self._most = database, clock, first, most

    def keep(self, failed: Sequence[tuple[ScopeState, str, Error]], ruleset: int) -> None:
        """Record each scope's error; the kind is SOURCE or RATING."""
        if not failed:
            return
        now = self._clock()
        kept = []
        for state, kind, error in failed:
            LOG.warning("scope %r: %s", state.identifier, error)
            message = f"{error}\n{error.hint}" if error.hint else str(error)
            if kind == RATING:
                kept.append(Failure(state.id, state.due, kind, message, None, ruleset))
            else:
                wait = back_off(state.failures + 1, first=self._first, most=self._most)
                kept.append(Failure(state.id, state.due, kind, message, now + wait))
        self._database.transact(lambda tx: rows.fail(tx, kept, now))
