"""The protocol by which the use cases see the installation that they are wired for."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from cloudkitty_like.db.engine import Database
from cloudkitty_like.ports import RatingModule, Storage
from cloudkitty_like.service.metrics.definitions import MetricsFile


class Installation(Protocol):
    """What the use cases need of an installation.  :class:`~cloudkitty_like.app.App` is one."""

    clock: Callable[[], datetime]
    author: str
    period: timedelta
    wait_periods: int
    scope_key: str
    collector_name: str
    fetcher_name: str

    @property
    def database(self) -> Database:
        """The state database."""

    @property
    def storage(self) -> Storage:
        """The storage of points."""

    @property
    def metrics(self) -> MetricsFile:
        """metrics.yml as it is in use now; a worker may read it again."""

    @property
    def schema(self) -> str:
        """The version of the database's schema; NotFound or Conflict when it cannot be used."""

    def rating_module(self, name: str) -> RatingModule:
        """Return the rating module of this name; it is made once."""
