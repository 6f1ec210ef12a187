"""The hashmap rating module: rules from the state database, compiled to a tariff."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from cloudkitty_like.db import rules
from cloudkitty_like.db.engine import Database
from cloudkitty_like.ports import Site
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff


class HashmapModule:
    """Prices by mappings and thresholds; how, is in :mod:`cloudkitty_like.rating.hashmap.tariff`."""

    OPTS: ClassVar[Sequence[Any]] = ()
    description: ClassVar[str] = "Prices by rules on metrics and their labels."
    enabled_by_default: ClassVar[bool] = True
    hot_config: ClassVar[bool] = True

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def from_conf(cls, group: Any, site: Site) -> Self:
        return cls(site.database)

    def tariff(self, change: int) -> HashmapTariff:
        """All rules as recorded at this change, of every scope and time, by one query."""
        with self._database.read() as tx:
            return HashmapTariff(rules.stored(tx, change).values())
