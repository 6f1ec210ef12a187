"""A hashmap under a clock that the test moves, and what else tests of it need."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import event

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff
from cloudkitty_like.service.hashmap.request import MAPPING, THRESHOLD, RuleRequest
from cloudkitty_like.service.hashmap.rules import Hashmap

NOW = datetime(2026, 11, 10, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Desk:
    """Where rules are worked on, with the service ``instance`` and its field ``flavor``; time stands until told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.hashmap = Hashmap(database, lambda: self.now)
        self.service = self.hashmap.add_service("instance", "ann")
        self.field = self.hashmap.add_field(self.service.id, "flavor", "ann")

    def wait(self, time: timedelta = HOUR) -> None:
        self.now += time

    def mapping(self, author: str = "ann", force: bool = False, **values: Any) -> Any:
        return self._add(MAPPING, author, force, values)

    def threshold(self, author: str = "ann", force: bool = False, **values: Any) -> Any:
        return self._add(THRESHOLD, author, force, {"level": Decimal(10), "service_id": self.service.id, **values})

    def _add(self, kind: Any, author: str, force: bool, values: dict[str, Any]) -> Any:
        given = {"cost": Decimal(1), **values}
        if not {"service_id", "field_id"} & given.keys():
            given |= {"field_id": self.field.id, "value": given.get("value", "m1")}
        return self.hashmap.add_rule(kind, RuleRequest(**given), author, force)

    def change(self, identity: str, author: str = "bob", **values: Any) -> None:
        self.hashmap.update_rule(MAPPING, identity, RuleRequest(**values), author)

    def change_threshold(self, identity: str, author: str = "bob", **values: Any) -> None:
        self.hashmap.update_rule(THRESHOLD, identity, RuleRequest(**values), author)

    def get(self, identity: str) -> Any:
        return self.hashmap.rule(MAPPING, identity)

    def get_threshold(self, identity: str) -> Any:
        return self.hashmap.rule(THRESHOLD, identity)

    def stored(self) -> list[Rule]:
        """What prices."""
        with self.database.read() as tx:
            return list(rules.stored(tx).values())

    def changes(self) -> int:
        with self.database.read() as tx:
            return rules.latest(tx)

    def price(self, when: datetime, qty: int = 100, scope: str = "p") -> Decimal | None:
        """Of one row of an m1 instance in a period that begins then."""
        period = Period.starting(when, HOUR)
        usage = Frame.of_usage("instance", "h", period, [Decimal(qty)], {"project_id": [scope], "flavor": ["m1"]})
        return HashmapTariff(self.stored()).rate(scope, period, [usage])[0].price[0]


@contextmanager
def selects(database: Database) -> Iterator[list[str]]:
    """The SELECT statements that are sent meanwhile."""
    found: list[str] = []

    def note(*args: Any) -> None:
        if str(args[2]).startswith("SELECT"):
            found.append(args[2])

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)
