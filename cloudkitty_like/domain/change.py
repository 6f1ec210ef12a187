"""Changes of rules, scripts and modules: who made them, and the version that they lead to."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes rules or modules, when and why."""

    at: datetime
    author: str
    cause: str                         # apply, modules, api ...
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditInfo:
    """Who made, changed and deleted a rule or a script, and when."""

    created_at: datetime
    created_by: str
    updated_by: str | None = None      # None: nobody has changed it
    deleted_at: datetime | None = None
    deleted_by: str | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A rule-set version, and all that a price of this version depends on."""

    version: int
    change: int                        # rule_change.id; 0: before the first
    metrics: str                       # digest of the metrics.yml
    software: str
