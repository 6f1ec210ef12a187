"""Asking for periods to be rated again.  The requests wait in a queue."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import ledger as index
from cloudkitty_like.db import reprocessing as rows
from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.reprocessing import Task
from cloudkitty_like.db.scopes import ScopeState
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import Period, instant

ALL = "ALL"


@dataclass(frozen=True)
class Reprocessing:
    """``length`` is that of the ledger's periods."""

    database: Database
    clock: Callable[[], datetime]
    length: timedelta

    def tasks(self, identifiers: Collection[str] | None = None) -> list[Task]:
        """All requests, or those about some scopes, in the order in which they were made."""
        with self.database.read() as tx:
            return rows.everything(tx, identifiers)

    def ask(self, identifiers: Sequence[str], first: datetime, last: datetime, *, author: str, reason: str) -> None:
        """One request for each scope, or none; ``ALL`` alone is every active scope.

        About the rating periods from the one that begins ``first`` to the one
        that begins ``last``.  Invalid, with every reason, where there are none
        such or they are not rated yet, a scope is unknown or switched off, or a
        request about some of it is waiting already.
        """
        problems = list(self._wrong(identifiers, first, last, reason))
        if problems:
            raise Invalid(*problems)
        period = Period(first, Period.starting(last, self.length).end)

        def work(tx: Connection) -> None:
            index.serialise(tx)        # one after the other, so that two cannot overlook each other
            states = self._states(tx, identifiers)
            waiting = [f"scope {task.scope!r} is waiting already to be rated again, in {task.period}"
                       for task in rows.everything(tx, [state.identifier for state in states])
                       if task.ended_at is None and task.period.overlaps(period)]
            late = [f"scope {state.identifier!r} is not rated up to {instant(period.end)}: it is up to "
                    f"{instant(state.due) if state.due is not None else 'nothing'}"
                    for state in states if state.due is None or state.due < period.end]
            if waiting or late:
                raise Invalid(*waiting, *late)
            rows.add(tx, [state.id for state in states], period, reason=reason, author=author, at=self.clock())

        self.database.transact(work)

    def _wrong(self, identifiers: Sequence[str], first: datetime, last: datetime, reason: str) -> Iterator[str]:
        if not identifiers:
            yield "scope_ids: is empty"
        if ALL in identifiers and len(identifiers) > 1:
            yield f"scope_ids: either {ALL} or ids, not both"
        if not reason.strip():
            yield "reason: is empty"
        if last < first:
            yield f"end_reprocess_time: {instant(last)} is before start_reprocess_time, {instant(first)}"
        for name, when in (("start_reprocess_time", first), ("end_reprocess_time", last)):
            nearest = Period.containing(when, self.length).begin
            if nearest != when:
                yield f"{name}: {instant(when)} is not the begin of a rating period; {instant(nearest)} is"

    def _states(self, tx: Connection, identifiers: Sequence[str]) -> list[ScopeState]:
        known = {state.identifier: state for state in scopes.everything(tx) if state.active}
        if list(identifiers) == [ALL]:
            if not known:
                raise Invalid("scope_ids: no scope is active")
            return list(known.values())
        unknown = [name for name in identifiers if name not in known]
        if unknown:
            raise Invalid(*(f"scope_ids: no active scope is called {name!r}" for name in unknown))
        return [known[name] for name in identifiers]
