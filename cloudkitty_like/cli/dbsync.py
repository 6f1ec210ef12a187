"""``dbsync upgrade|version``: the schema of the state database."""
from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="upgrade|version")
    upgrade = commands.add_parser("upgrade", help="bring the schema to what this release needs; safe to repeat")
    upgrade.add_argument("--revision", default="head", help="stop at this revision (default: the newest)")
    commands.add_parser("version", help="print the schema that the database has and the one that is needed")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.db import schema

    if args.action == "upgrade":
        from cloudkitty_like.service import migration

        before = schema.version(app.database)
        migration.upgrade(app.database, args.revision)
        after = schema.version(app.database)
        print(f"{app.database}: schema {after}" + (", as before" if before == after else f", was {before or 'empty'}"))
        return 0
    found = schema.version(app.database) if app.database.exists else None       # to look must not make it
    print(f"{app.database}: schema {found or 'none'}, this release needs {schema.NEEDED}")
    return 0 if found == schema.NEEDED else 1
