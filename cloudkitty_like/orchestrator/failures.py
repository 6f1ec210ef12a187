"""What went wrong with a scope or a task, kept in its state, and when it is tried again."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import tasks
from cloudkitty_like.db.ledger.tasks import Task
from cloudkitty_like.db.scopes import RATING, Failure, ScopeState
from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.schedule import back_off
from cloudkitty_like.orchestrator.outages import Outages, cause

LOG = logging.getLogger(__name__)
SHOWN = 5
SCOPES, TASKS = "scopes", "tasks"


class Failures:
    """A source's failure is retried after ``first``, then twice as long and so on up to ``most``.

    One of rating parks the scope until its rules change or an operator says so.

    The log has a line when a cause begins and one when it is over.  Whether it
    stands is read from the states: many workers share the scopes.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], first: timedelta, most: timedelta,
                 outages: Outages | None = None) -> None:
        self._database, self._clock, self._first, self._most = database, clock, first, most
        self.outages = outages or Outages(clock)

    def keep(self, failed: Sequence[tuple[ScopeState, str, Error]], ruleset: int) -> None:
        """Record each scope's error; the kind is SOURCE or RATING."""
        if not failed:
            return
        kept = [self._failure(state.id, state.due, state.failures, (kind, error), ruleset)
                for state, kind, error in failed]
        self._said(SCOPES, [(repr(state.identifier), kind, error) for state, kind, error in failed])
        self._database.transact(lambda tx: rows.fail(tx, kept, self._clock()))

    def keep_of_tasks(self, failed: Sequence[tuple[Task, str, Error]], ruleset: int) -> None:
        """The same of tasks that correct the past."""
        if not failed:
            return
        kept = [self._failure(task.id, task.next, task.failures, (kind, error), ruleset)
                for task, kind, error in failed]
        self._said(TASKS, [(f"{task.id} of scope {task.scope!r}", kind, error) for task, kind, error in failed])
        self._database.transact(lambda tx: tasks.fail(tx, kept, self._clock()))

    def over(self, recorded: Iterable[ScopeState]) -> None:
        """These scopes, as they were before, were rated: say so of what nobody suffers from any more."""
        self._passed(SCOPES, {cause(state.error) for state in recorded if state.error is not None})

    def over_of_tasks(self, recorded: Iterable[Task]) -> None:
        """The same of tasks."""
        self._passed(TASKS, {cause(task.error) for task in recorded if task.error is not None})

    def _said(self, whose: str, failed: Sequence[tuple[str, str, Error]]) -> None:
        """One line for each cause that none of the states has already."""
        standing = self._standing(whose)
        causes: dict[str, list[tuple[str, str, Error]]] = {}
        for name, kind, error in failed:
            causes.setdefault(cause(error), []).append((name, kind, error))
        for key, sufferers in causes.items():
            names = [name for name, _, _ in sufferers]
            _, kind, error = sufferers[0]
            if key in standing:
                LOG.debug("%s: %s", _named(whose, names), error)
                continue
            # Another worker may have seen the end of what this one has seen the beginning of.
            self.outages.forget((whose, key))
            then = "until the rules change" if kind == RATING else "tried again, later and later"
            self.outages.begin((whose, key), f"{_named(whose, names)} cannot be rated, {then}", error, logging.WARNING)

    def _passed(self, whose: str, causes: set[str]) -> None:
        if not causes:
            return
        for key in causes - self._standing(whose):
            if not self.outages.end((whose, key)):
                LOG.info("over: %s: %s", whose, key)       # it began before this worker did, or with another one

    def _standing(self, whose: str) -> set[str]:
        with self._database.read() as tx:
            errors = rows.errors(tx) if whose == SCOPES else [
                task.error for task in tasks.everything(tx, waiting=True) if task.error is not None]
        return {cause(error) for error in errors}

    def _failure(self, number: int, due: datetime | None, before: int, what: tuple[str, Error],
                 ruleset: int) -> Failure:
        kind, error = what
        message = f"{error}\n{error.hint}" if error.hint else str(error)
        if kind == RATING:
            return Failure(number, due, kind, message, None, ruleset)
        wait = back_off(before + 1, first=self._first, most=self._most)
        return Failure(number, due, kind, message, self._clock() + wait)


def _named(whose: str, names: Sequence[str]) -> str:
    """``scope 'a'``, ``7 scopes ('a', 'b' and 5 more)``."""
    if len(names) == 1:
        return f"{whose[:-1]} {names[0]}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {whose} ({', '.join(names[:SHOWN])}{more})"
