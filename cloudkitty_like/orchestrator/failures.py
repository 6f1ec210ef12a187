"""What went wrong with a scope or a task, kept in its state, and when it is tried again."""
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cloudkitty_like.db import reprocessing
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.reprocessing import Task
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
        kept = [self._failure(state.id, state.due, state.failures, (kind, error), ruleset)
                for state, kind, error in failed]
        for state, _, error in failed:
            LOG.warning("scope %r: %s", state.identifier, error)
        self._database.transact(lambda tx: rows.fail(tx, kept, self._clock()))

    def keep_of_tasks(self, failed: Sequence[tuple[Task, str, Error]], ruleset: int) -> None:
        """The same of tasks that correct the past."""
        if not failed:
            return
        kept = [self._failure(task.id, task.next, task.failures, (kind, error), ruleset)
                for task, kind, error in failed]
        for task, _, error in failed:
            LOG.warning("task %d, scope %r: %s", task.id, task.scope, error)
        self._database.transact(lambda tx: reprocessing.fail(tx, kept, self._clock()))

    def _failure(self, number: int, due: datetime | None, before: int, what: tuple[str, Error],
                 ruleset: int) -> Failure:
        kind, error = what
        message = f"{error}\n{error.hint}" if error.hint else str(error)
        if kind == RATING:
            return Failure(number, due, kind, message, None, ruleset)
        wait = back_off(before + 1, first=self._first, most=self._most)
        return Failure(number, due, kind, message, self._clock() + wait)
