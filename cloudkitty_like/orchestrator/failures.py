"""What went wrong with a scope or a task, kept in its state, and when it is tried again."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.schedule import back_off
from cloudkitty_like.domain.scope_state import RATING, ScopeFailure, ScopeState
from cloudkitty_like.domain.task import Task, TaskFailure
from cloudkitty_like.orchestrator.outages import Outages, cause
from cloudkitty_like.service.corrections.queue import TaskQueue
from cloudkitty_like.service.operation.scope_progress import ScopeProgress

LOG = logging.getLogger(__name__)
SHOWN = 5
SCOPES, TASKS = "scopes", "tasks"


class FailureLog:
    """A source's failure is retried after ``first``, then twice as long and so on up to ``most``.

    One of rating parks the scope until its rules change or an operator says so.

    The log has a line when a cause begins and one when it is over.  Whether it
    stands is read from the states: many workers share the scopes.
    """

    def __init__(self, progress: ScopeProgress, tasks: TaskQueue, clock: Callable[[], datetime],
                 pauses: tuple[timedelta, timedelta], outages: Outages | None = None) -> None:
        """``pauses``: the first and the longest one."""
        self._progress, self._tasks, self._clock = progress, tasks, clock
        self._first, self._most = pauses
        self.outages = outages or Outages(clock)

    def keep(self, failed: Sequence[tuple[ScopeState, str, Error]], ruleset: int) -> None:
        """Record each scope's error; the kind is SOURCE or RATING."""
        if not failed:
            return
        failures = [ScopeFailure(state.id, state.due, kind, *self._retry(kind, error, state.failures, ruleset))
                    for state, kind, error in failed]
        self._said(SCOPES, [(repr(state.identifier), kind, error) for state, kind, error in failed])
        self._progress.fail(failures)

    def keep_of_tasks(self, failed: Sequence[tuple[Task, str, Error]], ruleset: int) -> None:
        """The same of tasks that correct the past."""
        if not failed:
            return
        failures = [TaskFailure(task.id, task.next, kind, *self._retry(kind, error, task.failures, ruleset))
                    for task, kind, error in failed]
        self._said(TASKS, [(f"{task.id} of scope {task.scope!r}", kind, error) for task, kind, error in failed])
        self._tasks.fail(failures)

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
        errors = self._progress.errors() if whose == SCOPES else self._tasks.errors()
        return {cause(error) for error in errors}

    def _retry(self, kind: str, error: Error, before: int,
               ruleset: int) -> tuple[str, datetime | None, int | None]:
        """The message, when to try again, and the rule-set version to wait the end of."""
        message = f"{error}\n{error.hint}" if error.hint else str(error)
        if kind == RATING:
            return message, None, ruleset
        pause = back_off(before + 1, first=self._first, most=self._most)
        return message, self._clock() + pause, None


def _named(whose: str, names: Sequence[str]) -> str:
    """``scope 'a'``, ``7 scopes ('a', 'b' and 5 more)``."""
    if len(names) == 1:
        return f"{whose[:-1]} {names[0]}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {whose} ({', '.join(names[:SHOWN])}{more})"
