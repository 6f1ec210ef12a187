"""``backup``: the ledger, its configuration and the files that this names, in one archive."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like import __version__
from cloudkitty_like.cli import state_directory
from cloudkitty_like.cli.config import list_opts
from cloudkitty_like.cli.staging_directory import POINTS, aside, verified
from cloudkitty_like.cli.state_directory import PROGRAM
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.app.export import ConfigExport
    from cloudkitty_like.service.operation.archive import Manifest
    from cloudkitty_like.service.operation.state_databases import StateDatabase


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="the archive to write, for instance rating.tar.gz"
    )
    parser.add_argument(
        "--with-secrets",
        action="store_true",
        help="keep passwords, tokens and the files that hold them; they are left out otherwise",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the archive, if there is one"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="restore the archive once, aside, and work every total out again from its points",
    )


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.app.export import config_export

    target: Path = args.file.absolute()
    if target.is_dir() or not target.parent.is_dir():
        raise Invalid(f"{args.file}: name a file in a directory that is there")
    if target.exists() and not args.overwrite:
        raise Conflict(
            f"{args.file}: it is there already", hint="name another file, or say --overwrite"
        )
    databases = _databases(app)
    places = _places(app, databases)
    export = config_export(app.conf, places, list_opts(), secrets=args.with_secrets)
    with aside(target, "backup") as directory:
        manifest = _written(app, args, databases, export, directory)
        if args.verify:
            verified(directory / "archive", directory / "verified")
        (directory / "archive").replace(target)
    _report(args, manifest, databases, export)
    return 0


def _databases(app: App) -> list[StateDatabase]:
    """The databases that hold the state."""
    from cloudkitty_like.service.operation.state_databases import state_databases

    apart = app.conf.storage.backend == "sqlalchemy" and not app.storage.shares_transaction
    points = app.conf.storage_sqlalchemy.connection if apart else None
    return state_databases((state_directory.DATABASE, POINTS), app.database, points)


def _places(app: App, databases: list[StateDatabase]) -> dict[tuple[str, str], str]:
    """What options say where a restored state directory keeps what this one keeps elsewhere."""
    places = {}
    files = {database.name for database in databases if database.in_file}
    for (group, name), file in (
        (("database", "connection"), state_directory.DATABASE),
        (("storage_sqlalchemy", "connection"), POINTS),
    ):
        if file in files:
            places[group, name] = f"sqlite:///{state_directory.HERE}/{file}"
    if app.conf.orchestrator.coordination_url.startswith("file://"):
        places["orchestrator", "coordination_url"] = f"file://{state_directory.HERE}/{state_directory.LOCKS}"
    return places


def _written(
    app: App,
    args: argparse.Namespace,
    databases: list[StateDatabase],
    export: ConfigExport,
    directory: Path,
) -> Manifest:
    """Make the archive in the directory."""
    from cloudkitty_like.service.operation import archive

    copies, counts = _copied(databases, directory)
    manifest = archive.Manifest(
        format=archive.FORMAT,
        software=__version__,
        schema=app.schema,
        created_at=instant(app.clock()),
        database=app.database.dialect,
        secrets=args.with_secrets,
        counts=counts,
        databases=list(copies),
        dumps=[
            _dump_name(args.file, database)
            for database in databases
            if database.name not in copies
        ],
        left_out=[*export.left_out, *export.without],
    )
    target = directory / "archive"
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, state_directory.SECRET_MODE))
    # What makes a directory one of ours comes last.
    content = {**copies, **export.files, state_directory.CONFIG: export.text.encode()}
    return archive.write(target, manifest, content)


def _copied(
    databases: list[StateDatabase], directory: Path
) -> tuple[dict[str, Path | bytes], dict[str, int]]:
    """Copies of the databases that are files, by name, and how much the ledger holds."""
    from cloudkitty_like.service.operation.state_databases import counts

    copies: dict[str, Path | bytes] = {}
    # The ledger first: no frame counts the points that are appended meanwhile.
    for database in databases:
        if database.in_file:
            copies[database.name] = database.copy(directory, _progressed)
    return copies, counts(databases, directory)


def _dump_name(file: Path, state: StateDatabase) -> str:
    """The file beside the archive that the dump of a server's database is to be written into."""
    from cloudkitty_like.service.operation.dump_commands import ENDINGS

    stem = file.name.removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")
    return f"{stem}{'.points' if state.name == POINTS else ''}.{ENDINGS[state.database.dialect]}"


def _progressed(done: int, pages: int) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{done * 100 // max(pages, 1)} %",
            end="\n" if done == pages else "",
            file=sys.stderr,
            flush=True,
        )


def _report(
    args: argparse.Namespace, manifest: Manifest, databases: list[StateDatabase], export: ConfigExport
) -> None:
    size = args.file.stat().st_size
    counts = manifest.counts
    what = "the ledger, its configuration" if manifest.databases else "the configuration"
    print(
        f"{args.file}: {what} and {counted(len(export.files), 'file')} that it names, {size} bytes"
        + (
            f"; {counted(counts['scopes'], 'scope')}, {counted(counts['points'], 'point')}, "
            f"up to change {counts['ledger_changes']} of the ledger."
            if manifest.databases
            else "."
        )
    )
    if args.verify and manifest.databases:
        print("It was restored aside, and every total is the sum of its points.")
    for text in export.without:
        print(
            f"Without the secret {text}"
            + ("" if args.with_secrets else " (--with-secrets keeps it)")
        )
    for text in export.left_out:
        print(f"Not in it, back it up on its own: {text}")
    servers = [
        (state, _dump_name(args.file, state))
        for state in databases
        if state.name not in manifest.databases
    ]
    if servers:
        _report_servers(args, servers)
    else:
        print(f"Bring it back with: {PROGRAM} restore {args.file} --state DIR")


def _report_servers(args: argparse.Namespace, servers: list[tuple[StateDatabase, str]]) -> None:
    """Print the commands that save and bring back what is in databases of servers."""
    from cloudkitty_like.service.operation import dump_commands

    print(
        "\nThe ledger itself is in a server's database. Save it, at any time and while anything "
        "runs, with (behind 'umask 077', so that nobody else can read it):\n"
    )
    for state, file in servers:
        print(f"  {dump_commands.dump(state.database, str(args.file.with_name(file)))}")
    passwords = " and ".join(
        sorted({dump_commands.PASSWORDS[state.database.dialect] for state, _ in servers})
    )
    print(
        f"\nIts password, if it asks for one, is read from {passwords}. "
        "Bring it back into an empty database with:\n"
    )
    for state, file in servers:
        for command in dump_commands.load(state.database, str(args.file.with_name(file))):
            print(f"  {command}")
    print(f"\nand the rest with: {PROGRAM} restore {args.file} --state DIR")
