"""The databases that hold the state of an installation: their copies for a backup, and a look at copies."""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudkitty_like.db import snapshot
from cloudkitty_like.db.engine import Database


@dataclass(frozen=True, slots=True)
class StateDatabase:
    """A database of the installation; ``name`` is that of its copy in a state directory."""

    name: str
    database: Database

    @property
    def in_file(self) -> bool:
        """Whether it is a file, and no server's."""
        return self.database.dialect == "sqlite"

    def copy(self, directory: Path, progressed: Callable[[int, int], None]) -> Path:
        """Copy the file, as it is at this instant, into the directory; see :func:`snapshot.copy`."""
        target = directory / self.name
        snapshot.copy(Path(str(self.database.url.database)), target, progressed)
        return target


def state_databases(names: tuple[str, str], ledger: Database,
                    points: str | None) -> list[StateDatabase]:
    """The databases of an installation, the ledger first.

    ``names``: those of the copies of the ledger and of the points.  ``points``: the
    connection of the database that holds the points; None: the ledger holds them.
    """
    databases = [StateDatabase(names[0], ledger)]
    if points is not None:
        databases.append(StateDatabase(names[1], Database(points)))
    return databases


def url_of(connection: str) -> str:
    """The URL, with password and driver, of the database that an option's value names."""
    return Database(connection).url.render_as_string(hide_password=False)


def counts(databases: Sequence[StateDatabase], directory: Path) -> dict[str, int]:
    """The counts of :func:`snapshot.counts`: of the ledger's copy in the directory, else of the ledger."""
    ledger = databases[0]
    if not ledger.in_file:
        return snapshot.counts(ledger.database)
    copy = Database(f"sqlite:///{directory / ledger.name}")
    try:
        return snapshot.counts(copy)
    finally:
        copy.close()


def schemas_of_copies(directory: Path, names: Collection[str]) -> dict[str, str | None]:
    """The schema of each of these copies in a directory, by name; None where it has none.

    :raises Invalid: when one is damaged, or holds what no database of ours does.
    """
    return {name: snapshot.check(directory / name) for name in names}
