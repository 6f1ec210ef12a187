"""The hashmap rating module: rules from the state database, compiled to a tariff."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import history, rules
from cloudkitty_like.domain.explanation import Provenance
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.rating.hashmap.groups import MODULE, kind_of
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff


class HashmapModule:
    """Prices by mappings and thresholds; how, is in :mod:`cloudkitty_like.rating.hashmap.tariff`."""

    OPTS: ClassVar[Sequence[Any]] = ()
    description: ClassVar[str] = "HashMap rating module."
    enabled_by_default: ClassVar[bool] = True
    hot_config: ClassVar[bool] = True

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls(context.database)

    def tariff(self, change: int) -> HashmapTariff:
        """All rules as recorded at this change, of every scope and time, by one query."""
        with self._database.read() as tx:
            return HashmapTariff(rules.stored(tx, change))

    def candidate(self, document: Iterable[Rule]) -> HashmapTariff:
        """These rules, which are recorded nowhere."""
        return HashmapTariff(document)

    def provenance(self, change: int, ids: Collection[str]) -> Mapping[str, Provenance]:
        """Where these rules come from, as they were known at a change."""
        with self._database.read() as tx:
            records = history.recorded_rules(tx, change, ids)
        return {
            record.id: Provenance(
                module=MODULE, id=record.id, kind=kind_of(record.rule), version=record.version,
                change=record.since, author=record.author, recorded=record.at,
                name=record.rule.name, reason=record.reason, valid=record.rule.valid)
            for record in records}
