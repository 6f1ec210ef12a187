"""What an operator, or the orchestrator for a fetcher, does to scopes."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, writes
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.hole import SKIPPED, Stretch, together
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.scope import Scope, check_identifier
from cloudkitty_like.domain.scope_state import POSTED_ONLY, SOURCE, ScopeState

SHOWN = 20
SKIP = "skip"
"""The cause of a change that takes scopes forward."""


@dataclass(frozen=True, slots=True)
class ScopeFilter:
    """Scopes by what is known of them; an empty set of names is any."""

    identifiers: Collection[str] = ()
    keys: Collection[str] = ()
    fetchers: Collection[str] = ()
    collectors: Collection[str] = ()
    active: bool | None = None

    def fits(self, state: ScopeState) -> bool:
        scope = state.scope
        return (self.active in (None, state.active)
                and all(not choices or name in choices for choices, name in (
                    (self.identifiers, scope.identifier), (self.keys, scope.key),
                    (self.fetchers, scope.fetcher), (self.collectors, scope.collector))))


@dataclass(frozen=True, slots=True)
class ResetResult:
    """What a reset did to scopes, as they were before it.

    ``back``: rated again from ``begin`` on.  ``forward``: taken there over the
    holes ``skipped``.  ``starting``: those that had not started, and will there.
    """

    begin: datetime
    back: Sequence[ScopeState]
    forward: Sequence[ScopeState]
    starting: Sequence[ScopeState]
    skipped: Sequence[Stretch] = ()


class Scopes:
    """The scopes of one ledger, whose periods have ``length``.

    Periods are complete ``wait_periods`` after their end.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], length: timedelta,
                 wait_periods: int = 0) -> None:
        self._database, self._clock = database, clock
        self._length, self._wait_periods = length, wait_periods

    def states(self) -> list[ScopeState]:
        """All of them, by id."""
        with self._database.read() as tx:
            return scopes.everything(tx)

    def register(self, identifiers: Iterable[str], *, key: str, fetcher: str, collector: str) -> list[str]:
        """Add those that no fetcher has found yet; their ids.  Invalid where one cannot be; the others are added."""
        candidates: list[Scope] = []
        problems: list[str] = []
        for identifier in identifiers:
            try:
                candidates.append(Scope(check_identifier(identifier), key, fetcher, collector))
            except Invalid as error:
                problems.extend(error.problems)
        with self._database.read() as tx:
            fetchers = scopes.fetchers(tx)
        new = [scope for scope in candidates
               if fetchers.get(scope.identifier) in (None, POSTED_ONLY)]
        added: list[str] = []
        if new:
            with suppress(Conflict):       # where another worker adds them at this moment
                added = self._database.transact(lambda tx: scopes.register(tx, new, self._clock()))
        if problems:
            raise Invalid(*problems)
        return added

    def reset(self, identifiers: Collection[str], to: datetime, *, author: str, reason: str) -> ResetResult:
        """Rate from the period that holds ``to`` on; superseded frames are kept.

        A scope that is rated further goes back.  One that is not goes forward,
        and what lies between and is not rated is a hole, skipped by the author.
        Invalid for a time beyond the last period that is complete.
        """
        begin = Period.containing(to, self._length).begin
        if not identifiers:
            return ResetResult(begin, (), (), ())

        def work(tx: Connection) -> ResetResult:
            # Nobody else changes the ledger from here on, so what is read of the scopes' progress stays true.
            writes.serialise(tx)
            states = scopes.named(tx, identifiers)
            moved = self._moved(states, begin)
            skipped = self._skip(tx, moved, author, reason)
            self._take_back(tx, moved, author, reason)
            scopes.clear(tx, [state.id for state in states])
            return replace(moved, skipped=skipped)

        return self._database.transact(work)

    def preview(self, identifiers: Collection[str], to: datetime) -> ResetResult:
        """Work out what :meth:`reset` would do, and do nothing.  Invalid and NotFound as there."""
        begin = Period.containing(to, self._length).begin
        with self._database.read() as tx:
            moved = self._moved(scopes.named(tx, identifiers), begin)
            return replace(moved, skipped=_told(moved, _skipped(tx, moved)))

    def _moved(self, states: Sequence[ScopeState], begin: datetime) -> ResetResult:
        latest = self.complete_to()
        if begin > latest:
            raise Invalid(f"{instant(begin)} is beyond the last period that is complete, which "
                          f"ends at {instant(latest)}: it can only be reset to then or earlier")
        started = [(state, state.due) for state in states if state.due is not None]
        return ResetResult(begin, [state for state, due in started if due >= begin],
                           [state for state, due in started if due < begin],
                           [state for state in states if state.due is None])

    def complete_to(self) -> datetime:
        """The end of the last period that is over and that the source had its time to complete."""
        latest = self._clock() - self._wait_periods * self._length
        return Period.containing(latest, self._length).begin

    def _skip(self, tx: Connection, moved: ResetResult, author: str, reason: str) -> list[Stretch]:
        """Take scopes forward; the holes left.  What is rated there already stays, and is none."""
        if not moved.forward:
            return []
        if not reason.strip():
            names = _named([state.identifier for state in moved.forward])
            raise Invalid(f"reason: {names} would not be rated up to {instant(moved.begin)}: say why")
        change = self._change(tx, moved.forward, moved.begin, author, SKIP, reason)
        left = _skipped(tx, moved)
        holes.leave(tx, change, SKIPPED, left)
        scopes.set_due(tx, [state.id for state in moved.forward], moved.begin)
        return _told(moved, left)

    def _take_back(self, tx: Connection, moved: ResetResult, author: str, reason: str) -> None:
        """Take scopes back, over their holes too, which are due again; new ones start there."""
        states = (*moved.back, *moved.starting)
        if not states:
            return
        change = self._change(tx, states, moved.begin, author, "reset", reason)
        holes.close(tx, change, [(state.id, Period(moved.begin, state.due)) for state in moved.back
                                 if state.due is not None and state.due > moved.begin])
        scopes.set_due(tx, [state.id for state in moved.back], moved.begin)
        scopes.set_start(tx, [state.id for state in moved.starting], moved.begin)

    def _change(self, tx: Connection, states: Sequence[ScopeState], begin: datetime, author: str,
                cause: str, reason: str) -> int:
        names = _named([state.identifier for state in states])
        change = writes.open_tx(tx, at=self._clock(), author=author, cause=cause,
                                reason=f"{names} to {instant(begin)}: {reason}")
        scopes.record_reset(tx, change, states, begin)
        return change

    def begin(self, identifiers: Collection[str], at: datetime, *, author: str, reason: str) -> None:
        """Let rating of scopes that have not started begin with the period that holds ``at``; others stay."""
        begin = Period.containing(at, self._length).begin

        def work(tx: Connection) -> None:
            writes.serialise(tx)
            states = [state for state in scopes.named(tx, identifiers) if state.due is None]
            if not states:
                return
            change = writes.open_tx(tx, at=self._clock(), author=author, cause="start", reason=(
                f"{_named([state.identifier for state in states])} from {instant(begin)} on: {reason}"))
            scopes.record_reset(tx, change, states, begin)
            scopes.clear(tx, [state.id for state in states])
            scopes.set_start(tx, [state.id for state in states], begin)

        self._database.transact(work)

    def activate(self, identifiers: Collection[str], active: bool) -> list[ScopeState]:
        """Rate these scopes again, or leave them alone from now on; those that it changes, as they were before."""
        def work(tx: Connection) -> list[ScopeState]:
            changed = [state for state in scopes.named(tx, identifiers) if state.active != active]
            scopes.set_active(tx, [state.id for state in changed], active, self._clock())
            return changed

        return self._database.transact(work)

    def selected(self, which: ScopeFilter) -> list[ScopeState]:
        """Those that fit, by id."""
        return [state for state in self.states() if which.fits(state)]

    def change(self, identifier: str, *, active: bool | None = None, **names: str) -> ScopeState:
        """Switch a scope, or change its ``scope_key``, ``fetcher`` or ``collector``; as it is then.  NotFound."""
        def work(tx: Connection) -> ScopeState:
            ids = [state.id for state in scopes.named(tx, [identifier])]
            scopes.set_source(tx, ids, names)
            if active is not None:
                scopes.set_active(tx, ids, active, self._clock())
            return scopes.named(tx, [identifier])[0]

        return self._database.transact(work)

    def create(self, new: Scope, last: datetime, *, active: bool) -> ScopeState:
        """A scope whose last rated period is the one that holds ``last``; Conflict where there is one of its id."""
        check_identifier(new.identifier)
        due = Period.containing(last, self._length).end

        def work(tx: Connection) -> ScopeState:
            scopes.add(tx, new, due, active=active, at=self._clock())
            return scopes.named(tx, [new.identifier])[0]

        return self._database.transact(work)

    def retry(self, identifiers: Collection[str] | None) -> list[str]:
        """Forget what is wrong with these scopes (None: with all), so that they are tried at once; their ids."""
        def work(tx: Connection) -> list[str]:
            states = scopes.everything(tx) if identifiers is None else scopes.named(tx, identifiers)
            failed = [state for state in states if state.error is not None]
            scopes.clear(tx, [state.id for state in failed])
            holes.hasten(tx, [state.id for state in states])
            return [state.identifier for state in failed]

        return self._database.transact(work)

    def accept_empty(self, period: Period, identifiers: Collection[str] | None, *, author: str, reason: str) -> None:
        """Say that an empty answer about ``period`` is true, for these scopes or (None) for all."""
        if not reason.strip():
            raise Invalid("--reason: say why no data means no usage")

        def work(tx: Connection) -> None:
            writes.serialise(tx)
            states = scopes.everything(tx) if identifiers is None else scopes.named(tx, identifiers)
            change = writes.open_tx(tx, at=self._clock(), author=author, cause="accept-empty",
                                    reason=f"{period}: {reason}")
            holes.accept(tx, change, period, None if identifiers is None else [state.id for state in states])
            scopes.clear(tx, [state.id for state in states if state.error_kind == SOURCE])
            # What was left behind is rated as empty now.
            holes.hasten(tx, [state.id for state in states])

        self._database.transact(work)


def _skipped(tx: Connection, moved: ResetResult) -> list[tuple[int, Period]]:
    """What stays unrated where scopes are taken forward, by the row of the scope."""
    return holes.unrated(tx, [
        (state.id, Period(state.due, moved.begin)) for state in moved.forward if state.due is not None])


def _told(moved: ResetResult, skipped: Iterable[tuple[int, Period]]) -> list[Stretch]:
    names = {state.id: state.identifier for state in moved.forward}
    return together((names[scope_id], period, SKIPPED) for scope_id, period in skipped)


def _named(identifiers: Collection[str]) -> str:
    """The scopes of a change, as its reason names them."""
    first = ", ".join(sorted(identifiers)[:SHOWN])
    return first if len(identifiers) <= SHOWN else f"{first} and {len(identifiers) - SHOWN} more scopes"
