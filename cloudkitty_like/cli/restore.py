"""``restore``: a state directory from an archive of ``backup``, whole or not at all."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import state_directory
from cloudkitty_like.cli.staging_directory import aside, extract, verify
from cloudkitty_like.cli.state_directory import PROGRAM, STATE
from cloudkitty_like.domain.errors import Conflict, Invalid, Unavailable
from cloudkitty_like.domain.schema_version import KNOWN, NEEDED
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.service.operation.archive import Archive, Manifest

ROOM = 1.1  # of the size of the members: a file system needs some for itself


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="the archive that 'backup' has written"
    )
    parser.add_argument(
        "--connection",
        metavar="URL",
        help="the server's database that its dump was loaded into, if it is another one now",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="work every total out again from its points before it is put into place",
    )


def run(args: argparse.Namespace, app: None) -> int:
    from cloudkitty_like.service.operation.archive import Archive

    if args.config_file or args.config_dir:
        raise Invalid("restore makes a state directory: say --state DIR instead")
    target = (args.state or STATE).absolute()
    state_directory.check_name(target)
    _check_target(target)
    with Archive(args.file) as archive, aside(target, "restore") as directory:
        manifest, staged = archive.manifest, directory / "state"
        _check(archive, args, directory)
        staged.mkdir(mode=0o700)
        extract(archive, staged)
        if args.connection is not None:
            _connect(staged, args.connection)
        if args.verify:
            verify(staged, manifest)
        _put(staged, target)
    _report(args, manifest, target)
    return 0


def _check_target(target: Path) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if (target / state_directory.DATABASE).exists():
        raise Conflict(
            f"{target} holds a ledger: nothing was restored",
            hint="name another directory with --state, or move this one away first",
        )
    if not target.is_dir() or any(target.iterdir()):
        raise Conflict(
            f"{target} is not empty: nothing was restored",
            hint="name another directory with --state",
        )


def _check(archive: Archive, args: argparse.Namespace, directory: Path) -> None:
    """Check what the manifest says: the schema, the room it needs, a database to name."""

    manifest = archive.manifest
    if manifest.schema not in KNOWN:
        raise Conflict(
            f"{args.file}: its ledger has the schema {manifest.schema[:20]!r}, "
            f"which this release does not know; it knows up to {NEEDED}",
            hint="install the release that made it, or a newer one",
        )
    needed = int(sum(member.size for member in manifest.members) * ROOM)
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise Invalid(
            f"{args.file}: it needs {needed >> 20} MiB, "
            f"and {free >> 20} MiB are free at {directory.parent}"
        )
    if args.connection is not None and (manifest.databases or len(manifest.dumps) != 1):
        raise Invalid(
            "--connection: the ledger is in the archive itself, not in a server's database"
        )
    if state_directory.CONFIG not in {member.name for member in manifest.members}:
        raise Invalid(f"{args.file}: it holds no {state_directory.CONFIG}")


def _connect(staged: Path, connection: str) -> None:
    """Let the configuration name another database."""
    from cloudkitty_like.service.operation.state_databases import url_of

    after = state_directory.changed(
        state_directory.read(staged / state_directory.CONFIG),
        {"database": {"connection": state_directory.literal(url_of(connection))}},
    )
    if after is not None:
        state_directory.write(staged, after)


def _put(staged: Path, target: Path) -> None:
    """Move the directory into place, in one step."""
    try:
        for path in (*(child for child in staged.rglob("*") if child.is_dir()), staged):
            _sync(path)
        staged.rename(target)  # also over an empty directory
        _sync(target.parent)
    except OSError as error:
        raise Unavailable(
            f"{target}: {error.strerror}",
            hint="a directory that is mounted cannot be replaced: name a "
            "new one in it with --state",
        ) from None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _report(args: argparse.Namespace, manifest: Manifest, target: Path) -> None:
    from cloudkitty_like.service.operation.dump_commands import load

    shown = args.state or STATE
    counts = manifest.counts
    print(
        f"{shown}: restored from the backup of {manifest.created_at}, "
        f"{counted(counts.get('scopes', 0), 'scope')}, "
        f"{counted(counts.get('points', 0), 'point')}."
        + (" Every total is the sum of its points." if args.verify else "")
    )
    for text in manifest.left_out:
        print(f"Not in the backup: {text}")
    if manifest.dumps:
        from cloudkitty_like.app import App, read_configuration

        app = App(read_configuration([str(target / state_directory.CONFIG)]))
        print(
            f"\nIts ledger is in the database {app.database}. If that is to be restored as well:\n"
        )
        for dump in manifest.dumps[:1]:
            for command in load(app.database, str(args.file.with_name(dump))):
                print(f"  {command}")
        app.close()
        print()
    if manifest.schema != NEEDED and not args.verify:
        print(
            f"Its schema is {manifest.schema}: bring it up to date with "
            f"{PROGRAM} dbsync upgrade --state {shown}"
        )
    print(f"Look at it with: {PROGRAM} status --verify --state {shown}")
