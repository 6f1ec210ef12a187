"""The state of a scope: how far it is rated, and what keeps it from being rated."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloudkitty_like.domain.scope import Scope

SOURCE, RATING = "source", "rating"
"""What failed: the source did not answer, or rating the answer went wrong."""
POSTED_ONLY = ""                       # the fetcher of a scope that no fetcher has found


@dataclass(frozen=True, slots=True)
class ScopeState:
    """A scope as the state database knows it."""

    id: int
    scope: Scope
    active: bool
    starts_at: datetime | None
    first: datetime | None             # begin of the first period; None: not started yet
    due: datetime | None               # begin of the next period; None: not started yet
    failures: int
    error: str | None
    error_kind: str | None             # SOURCE or RATING
    error_at: datetime | None
    retry_at: datetime | None
    parked_ruleset: int | None
    shard_hash: int
    seen_at: datetime                  # when the fetcher first found it
    toggled_at: datetime | None = None # when it was last switched on or off; None: never

    @property
    def identifier(self) -> str:
        """The id that the source knows it by."""
        return self.scope.identifier

    @property
    def found(self) -> bool:
        """Whether a fetcher has found it; a scope that was only posted about is not rated."""
        return self.scope.fetcher != POSTED_ONLY

    @property
    def rated(self) -> bool:
        """Whether any of its periods is."""
        return self.first is not None and self.due is not None and self.due > self.first


@dataclass(frozen=True, slots=True)
class ScopeFailure:
    """What went wrong with one scope; recorded in its state."""

    scope_id: int
    due: datetime | None               # begin of the period that failed; None: not started yet
    kind: str                          # SOURCE or RATING
    message: str
    retry_at: datetime | None
    parked_ruleset: int | None = None
