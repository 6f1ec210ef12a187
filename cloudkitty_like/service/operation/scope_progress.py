"""The progress of scopes, as workers move it: what is due, where each starts, what failed, where the source ends."""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudkitty_like.db import scopes, settings
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.scope_state import ScopeFailure, ScopeState


@dataclass(frozen=True, slots=True)
class DueScopes:
    """The scopes that are due at one instant, and the ids of all scopes there are."""

    due: Sequence[ScopeState]
    identifiers: Sequence[str]


@dataclass(frozen=True)
class ScopeProgress:
    """``length`` is that of a period, which is complete ``wait_periods`` after its end."""

    database: Database
    clock: Callable[[], datetime]
    length: timedelta
    wait_periods: int

    def due(self, ruleset: int) -> DueScopes:
        """The active scopes with a period that can be rated now, those not started among them.

        A scope that was parked under the rule-set version ``ruleset`` is not among them.
        """
        with self.database.read() as tx:
            states = scopes.due(tx, self.clock(), length=self.length,
                                wait_periods=self.wait_periods, ruleset=ruleset)
            return DueScopes(states, scopes.identifiers(tx))

    def identifiers(self) -> list[str]:
        """The ids of all scopes."""
        with self.database.read() as tx:
            return scopes.identifiers(tx)

    def start(self, starts: Mapping[datetime, Collection[int]]) -> None:
        """Start scopes, given by the begin of their first period; started ones stay as they are."""
        self.database.transact(lambda tx: scopes.start(tx, starts))

    def fail(self, failures: Sequence[ScopeFailure]) -> None:
        """Record what went wrong with scopes; their progress stays where it is."""
        self.database.transact(lambda tx: scopes.fail(tx, failures, self.clock()))

    def errors(self) -> list[str]:
        """The errors of active scopes, each once."""
        with self.database.read() as tx:
            return scopes.errors(tx)

    def source_ends(self) -> datetime | None:
        """The last instant that the source will ever know of, as recorded; None: it goes on."""
        with self.database.read() as tx:
            return settings.source_ends(tx)

    def record_source_ends(self, ends: datetime | None) -> None:
        """Record where the source ends; None: it goes on."""
        self.database.transact(lambda tx: settings.set_source_ends(tx, ends))
