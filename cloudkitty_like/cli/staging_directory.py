"""A directory beside a target, in which that is made and checked before it is put into place."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import state_directory
from cloudkitty_like.domain.errors import Conflict, Invalid

POINTS = "points.sqlite"
"""The member that holds the points, where they have a database of their own."""

VARIABLES = (
    "OS_DATABASE__CONNECTION",
    "OS_STORAGE_SQLALCHEMY__CONNECTION",
    "OS_DEFAULT__STATE_PATH",
)
"""What in the environment would win over a configuration that was restored."""

if TYPE_CHECKING:
    from cloudkitty_like.service.operation.archive import Archive, Manifest


@contextmanager
def aside(target: Path, purpose: str) -> Iterator[Path]:
    """A directory beside the target, empty at first, gone at the end.

    What a killed command has left in it goes.

    :raises Conflict: when another command is at work for the same target.
    """
    directory = target.with_name(f".{target.name}.{purpose}")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What is in it is about to be removed: it must not be a link that somebody has laid.
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise Invalid(f"{directory}: it belongs to somebody else")
        os.fchmod(descriptor, 0o700)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{target}: another {purpose} is under way") from None
        for left in directory.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(descriptor)


def extract(archive: Archive, staged: Path) -> None:
    """Write and check all members; each database has to be one, of the manifest's schema."""
    from cloudkitty_like.service.operation.state_databases import schemas_of_copies

    manifest = archive.manifest
    archive.extract(staged)
    for name, held in schemas_of_copies(staged, manifest.databases).items():
        if name == state_directory.DATABASE and held != manifest.schema:
            raise Invalid(f"{name}: it has the schema {held}, the manifest says {manifest.schema}")
    _check_places(staged, manifest)


def _check_places(staged: Path, manifest: Manifest) -> None:
    """Refuse a configuration that names another database than its own: it may be a live one."""
    from oslo_config import cfg

    sections: dict[str, dict[str, list[str]]] = {}
    try:
        cfg.ConfigParser(str(staged / state_directory.CONFIG), sections).parse()
    except (cfg.ParseError, UnicodeDecodeError) as error:
        raise Invalid(f"{state_directory.CONFIG}: {error}".replace("\n", " ")) from error
    for name, group in ((state_directory.DATABASE, "database"), (POINTS, "storage_sqlalchemy")):
        own_url = f"sqlite:///{state_directory.HERE}/{name}"
        connection = sections.get(group, {}).get("connection", [""])[-1]
        if (name in manifest.databases) != (connection == own_url):
            raise Invalid(
                f"{state_directory.CONFIG}: [{group}] connection: it does not name the archive's database"
                if name in manifest.databases
                else f"{state_directory.CONFIG}: [{group}] connection: it names {name}, which is not there"
            )
    if "state_path" in sections.get("DEFAULT", {}):
        raise Invalid(
            f"{state_directory.CONFIG}: state_path: it names another directory than the one that is made"
        )


def verify(staged: Path, manifest: Manifest) -> None:
    """Compare all totals with the points, as ``status --verify`` does."""
    from cloudkitty_like.app import App, read_configuration
    from cloudkitty_like.service.operation.migration import upgrade
    from cloudkitty_like.service.operation.verification import differences

    if named := [name for name in VARIABLES if name in os.environ]:
        raise Invalid(
            *(
                f"{name}: it is set, and would name another database than the one to be verified"
                for name in named
            ),
            hint="unset it for this command",
        )
    app = App(read_configuration([str(staged / state_directory.CONFIG)]))
    try:
        if manifest.databases:
            upgrade(app.database)  # to what this release can read; the next start would do the same
        app.check("schema")
        problems = differences(app.database, app.use_cases.summary)
    finally:
        app.close()
    if problems:
        raise Invalid(*problems[:20], hint="nothing was restored")


def verified(file: Path, directory: Path) -> None:
    """Restore an archive into a new directory, and compare its totals with its points.

    :raises Invalid: when they differ, or the archive is damaged.
    """
    from cloudkitty_like.service.operation.archive import Archive

    directory.mkdir(mode=0o700)
    with Archive(file) as archive:
        extract(archive, directory)
        verify(directory, archive.manifest)
    shutil.rmtree(directory)
