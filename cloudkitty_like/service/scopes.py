"""What an operator, or the orchestrator for a fetcher, does to scopes."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import holes
from cloudkitty_like.db import ledger as index
from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.scopes import ScopeState
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.scope import Scope, check_identifier

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Which:
    """Scopes by what is known of them; an empty set of names is any."""

    identifiers: Collection[str] = ()
    keys: Collection[str] = ()
    fetchers: Collection[str] = ()
    collectors: Collection[str] = ()
    active: bool | None = None

    def fits(self, state: ScopeState) -> bool:
        one = state.scope
        return (self.active in (None, state.active)
                and all(not wanted or name in wanted for wanted, name in (
                    (self.identifiers, one.identifier), (self.keys, one.key), (self.fetchers, one.fetcher),
                    (self.collectors, one.collector))))


class Scopes:
    """The scopes of one ledger, whose periods have ``length``."""

    def __init__(self, database: Database, clock: Callable[[], datetime], length: timedelta) -> None:
        self._database, self._clock, self._length = database, clock, length

    def states(self) -> list[ScopeState]:
        """All of them, by id."""
        with self._database.read() as tx:
            return rows.everything(tx)

    def register(self, identifiers: Iterable[str], *, key: str, fetcher: str, collector: str) -> list[str]:
        """Add those that no fetcher has found yet; their ids.  Invalid where one cannot be; the others are added."""
        found: list[Scope] = []
        problems: list[str] = []
        for identifier in identifiers:
            try:
                found.append(Scope(check_identifier(identifier), key, fetcher, collector))
            except Invalid as error:
                problems.extend(error.problems)
        with self._database.read() as tx:
            known = rows.fetchers(tx)
        new = [one for one in found if known.get(one.identifier) in (None, rows.POSTED_ONLY)]
        added: list[str] = []
        if new:
            with suppress(Conflict):       # where another worker adds them at this moment
                added = self._database.transact(lambda tx: rows.register(tx, new, self._clock()))
        if problems:
            raise Invalid(*problems)
        return added

    def reset(self, identifiers: Collection[str], to: datetime, *, author: str, reason: str) -> None:
        """Rate again from the period that holds ``to`` on; superseded frames are kept.

        Invalid for a date that is ahead of a scope's progress: what lies between would never be rated.
        """
        if not identifiers:
            return
        begin = Period.containing(to, self._length).begin

        def work(tx: Connection) -> None:
            # Nobody else changes the ledger from here on, so what is read of the scopes' progress stays true.
            index.serialise(tx)
            states = rows.named(tx, identifiers)
            ahead = [
                f"scope {state.identifier!r} is rated up to {instant(state.due)}: it can only be reset to before that"
                for state in states if state.due is not None and begin > state.due
            ]
            if ahead:
                raise Invalid(*ahead)
            change = index.open_tx(tx, at=self._clock(), author=author, cause="reset",
                                   reason=f"{_named(identifiers)} to {instant(begin)}: {reason}")
            rows.record_reset(tx, change, states, begin)
            started = [state.id for state in states if state.due is not None]
            rows.set_due(tx, started, begin)
            rows.clear(tx, [state.id for state in states])
            rows.set_start(tx, [state.id for state in states if state.due is None], begin)

        self._database.transact(work)

    def begin(self, identifiers: Collection[str], at: datetime, *, author: str, reason: str) -> None:
        """Let rating of scopes that have not started begin with the period that holds ``at``; others stay."""
        begin = Period.containing(at, self._length).begin

        def work(tx: Connection) -> None:
            index.serialise(tx)
            states = [state for state in rows.named(tx, identifiers) if state.due is None]
            if not states:
                return
            change = index.open_tx(tx, at=self._clock(), author=author, cause="start", reason=(
                f"{_named([state.identifier for state in states])} from {instant(begin)} on: {reason}"))
            rows.record_reset(tx, change, states, begin)
            rows.clear(tx, [state.id for state in states])
            rows.set_start(tx, [state.id for state in states], begin)

        self._database.transact(work)

    def activate(self, identifiers: Collection[str], active: bool) -> None:
        """Rate these scopes again, or leave them alone from now on."""
        self._database.transact(
            lambda tx: rows.set_active(tx, [state.id for state in rows.named(tx, identifiers)], active, self._clock()))

    def selected(self, which: Which) -> list[ScopeState]:
        """Those that fit, by id."""
        return [state for state in self.states() if which.fits(state)]

    def change(self, identifier: str, *, active: bool | None = None, **names: str) -> ScopeState:
        """Switch a scope, or change its ``scope_key``, ``fetcher`` or ``collector``; as it is then.  NotFound."""
        def work(tx: Connection) -> ScopeState:
            ids = [state.id for state in rows.named(tx, [identifier])]
            rows.set_source(tx, ids, names)
            if active is not None:
                rows.set_active(tx, ids, active, self._clock())
            return rows.named(tx, [identifier])[0]

        return self._database.transact(work)

    def create(self, new: Scope, last: datetime, *, active: bool) -> ScopeState:
        """A scope whose last rated period is the one that holds ``last``; Conflict where there is one of its id."""
        check_identifier(new.identifier)
        due = Period.containing(last, self._length).end

        def work(tx: Connection) -> ScopeState:
            rows.add(tx, new, due, active=active, at=self._clock())
            return rows.named(tx, [new.identifier])[0]

        return self._database.transact(work)

    def retry(self, identifiers: Collection[str] | None) -> list[str]:
        """Forget what is wrong with these scopes (None: with all), so that they are tried at once; their ids."""
        def work(tx: Connection) -> list[str]:
            states = rows.everything(tx) if identifiers is None else rows.named(tx, identifiers)
            failed = [state for state in states if state.error is not None]
            rows.clear(tx, [state.id for state in failed])
            return [state.identifier for state in failed]

        return self._database.transact(work)

    def accept_empty(self, period: Period, identifiers: Collection[str] | None, *, author: str, reason: str) -> None:
        """Say that an empty answer about ``period`` is true, for these scopes or (None) for all."""
        if not reason.strip():
            raise Invalid("--reason: say why no data means no usage")

        def work(tx: Connection) -> None:
            index.serialise(tx)
            states = rows.everything(tx) if identifiers is None else rows.named(tx, identifiers)
            change = index.open_tx(tx, at=self._clock(), author=author, cause="accept-empty",
                                   reason=f"{period}: {reason}")
            holes.accept(tx, change, period, None if identifiers is None else [state.id for state in states])
            rows.clear(tx, [state.id for state in states if state.error_kind == rows.SOURCE])

        self._database.transact(work)


def _named(identifiers: Collection[str]) -> str:
    """The scopes of a change, as its reason names them."""
    first = ", ".join(sorted(identifiers)[:SHOWN])
    return first if len(identifiers) <= SHOWN else f"{first} and {len(identifiers) - SHOWN} more scopes"
