"""Which metric definitions the ledger is rated by, and who has accepted them."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloudkitty_like.domain.errors import Conflict


class ReplacedDefinitions(Conflict):
    """Other metric definitions were accepted meanwhile, so what was measured must not count."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The definitions with this digest hold from the acceptance on."""

    id: int
    digest: str
    skip: str                          # the skip expression of metrics that have none of their own
    at: datetime
    author: str
    explicit: bool                     # by ``metrics accept``, not by a worker that was alone
    reason: str
