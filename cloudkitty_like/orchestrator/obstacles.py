"""What keeps a worker from rating anything, as its heartbeat tells it."""
from __future__ import annotations

from collections.abc import Collection

from cloudkitty_like.domain.acceptance import ReplacedDefinitions
from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.worker_state import METRICS, MODULES, SYSTEM
from cloudkitty_like.orchestrator.collection import CollectedUsage
from cloudkitty_like.service.metrics.acceptance import DefinitionsDiffer


def cause_of(error: Error) -> str | None:
    """One of :data:`cloudkitty_like.domain.worker_state.CAUSES`; None where the next look will do."""
    if isinstance(error, DefinitionsDiffer):
        return METRICS
    if isinstance(error, ReplacedDefinitions):
        return None
    return SYSTEM if isinstance(error, Unavailable) else MODULES


def unanswered(usage: CollectedUsage, scopes: Collection[str]) -> bool:
    """Whether the source has said nothing about any of these scopes, for a reason that is not theirs."""
    errors = [usage.failed.get(scope) for scope in scopes]
    return bool(errors) and all(isinstance(error, Unavailable) and not error.smaller for error in errors)
