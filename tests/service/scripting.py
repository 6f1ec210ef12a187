"""Where scripts are worked on, under a clock that the test moves."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.db.rules import scripts as rows
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.script import ScriptVersion, in_force
from cloudkitty_like.domain.script_diff import ScriptDiff
from cloudkitty_like.service.pyscripts.request import ScriptRelease, ScriptRequest
from cloudkitty_like.service.pyscripts.scripts import Scripts, StoredScript
from cloudkitty_like.service.rule_changes.validity import ValidityFilter
from tests.compiling import compiles

NOW = datetime(2026, 11, 10, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Workshop:
    """Scripts of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.scripts = Scripts(database, compiles)

    def wait(self, time: timedelta = HOUR) -> None:
        self.now += time

    def by(self, author: str = "ann") -> Change:
        return Change(self.now, author, "tests", "why")

    def add(self, name: str = "one", data: str = "a = 0", author: str = "ann", force: bool = False,
            **values: Any) -> StoredScript:
        return self.scripts.add(ScriptRequest(name=name, data=data, **values), self.by(author),
                                force)

    def change(self, identity: str, author: str = "bob", **values: Any) -> StoredScript:
        return self.scripts.update(identity, ScriptRequest(**values), self.by(author))

    def remove(self, identity: str, author: str = "eve") -> None:
        self.scripts.remove(identity, self.by(author))

    def get(self, identity: str) -> StoredScript:
        return self.scripts.script(identity, self.now)

    def names(self, **which: Any) -> list[str]:
        return [one.version.name
                for one in self.scripts.scripts(self.now, ValidityFilter(**which), texts=False)]

    def release(self, text: str, name: str = "one", author: str = "bob", dry_run: bool = False,
                **values: Any) -> ScriptDiff:
        return self.scripts.release(ScriptRelease(name=name, text=text, **values), self.by(author),
                                    dry_run=dry_run)

    def end(self, name: str = "one", at: datetime | None = None, author: str = "bob") -> ScriptDiff:
        return self.scripts.end(name, at or self.now, self.by(author))

    def held(self, when: datetime, change: int | None = None) -> list[str]:
        """The texts that run on what begins then, in their order, as known at a change."""
        with self.database.read() as tx:
            return [one.text for one in in_force(rows.stored(tx, change).values(), when)]

    def provenance(self, when: datetime, change: int | None = None) -> list[ScriptVersion]:
        """Whose those are."""
        with self.database.read() as tx:
            stored, whose = rows.stored(tx, change), rows.provenance(tx, change)
        assert stored.keys() == whose.keys()
        return [whose[key] for key, one in stored.items() if when in one.valid]

    def changes(self) -> int:
        with self.database.read() as tx:
            return rules.latest(tx)
