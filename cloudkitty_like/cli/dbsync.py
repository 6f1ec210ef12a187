"""``dbsync upgrade|downgrade|version``: the schema of the state database."""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.schema_version import NEEDED
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="upgrade|downgrade|version")
    upgrade = commands.add_parser("upgrade", help="bring the schema to what this release needs; safe to repeat")
    upgrade.add_argument("--revision", default="head", help="stop at this revision (default: the newest)")
    downgrade = commands.add_parser(
        "downgrade", help="take the schema back to what an older release needs, before that one is installed")
    downgrade.add_argument("--revision", required=True, metavar="REVISION",
                           help="the schema that the older release needs; its 'dbsync version' says which")
    downgrade.add_argument("--dry-run", action="store_true", help="say what would be lost, and change nothing")
    downgrade.add_argument("--yes", action="store_true", help="do it also where something is lost")
    commands.add_parser("version", help="print the schema that the database has and the one that is needed")


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "upgrade":
            return _upgrade(args, app)
        case "downgrade":
            return _downgrade(args, app)
    version = app.schema_version if app.database.exists else None      # to look must not make it
    print(f"{app.database}: schema {version or 'none'}, this release needs {NEEDED}")
    return 0 if version == NEEDED else 1


def _upgrade(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.operation import migration

    before = app.schema_version
    migration.upgrade(app.database, args.revision)
    after = app.schema_version
    print(f"{app.database}: schema {after}" + (", as before" if before == after else f", was {before or 'empty'}"))
    return 0


def _downgrade(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.operation import migration

    if not app.database.exists:
        raise Conflict(f"there is no database at {app.database}")
    lost = migration.losses(app.database, args.revision)
    before = app.schema_version
    for name, rows in lost:
        print(f"{name}: {counted(rows, 'row')}, for which the schema {args.revision} has no place", file=sys.stderr)
    if args.dry_run:
        print(f"{app.database}: schema {before}; nothing was changed: a dry run.")
        return 0
    _refuse_beside_workers(app, before)
    if lost and not args.yes:
        raise Invalid("what has no place in the older schema would be lost: say --yes to lose it",
                      hint="make a backup first, as only that brings it back")
    migration.downgrade(app.database, args.revision)
    print(f"{app.database}: schema {app.schema_version}, was {before}")
    return 0


def _refuse_beside_workers(app: App, version: str | None) -> None:
    """Conflict where a worker of this release is alive: it would go on writing as it is used to."""

    from cloudkitty_like.service.operation.workers import Workers

    if version != NEEDED:
        return                 # no worker of this release can be at work there
    alive = Workers(app.database, app.clock).alive()
    if alive:
        raise Conflict(f"{counted(alive, 'worker')} at work in {app.database}: stop every processor first")
