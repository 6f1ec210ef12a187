"""What controllers work with: the use cases of one installation, wired by :mod:`cloudkitty_like.app`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.pyscripts.scripts import Check
from cloudkitty_like.service.reports.summary import Summary


@dataclass(frozen=True)
class Services:
    """``rating()`` is the rule-set version of now and what rates by it; ``document()`` is the metrics.yml, parsed.

    ``script_check`` is given the name and the text of a script: Invalid, with line and message, where it does not
    compile.
    """

    database: Database
    storage: Storage
    summary: Summary
    scopes: Scopes
    metrics: Callable[[], Sequence[Metric]]
    document: Callable[[], Any]
    rating: Callable[[], tuple[int, Any]]
    script_check: Check
    clock: Callable[[], datetime]
    period: timedelta
    wait_periods: int
    scope_key: str
    collector: str                     # names of the plugins in use
    fetcher: str
    tariffs: Tariffs
    definitions: Callable[[], MetricsFile]         # metrics.yml as it is in use
    simulation_points: int = 1_000_000             # that one simulation may be about
