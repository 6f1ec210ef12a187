"""``metrics``: what is measured; whether a file of definitions is right, and those that hold for all workers."""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import name_warnings
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="read a metrics.yml as a whole, and compare its names with the source's")
    check.add_argument("file", nargs="?", metavar="FILE", type=Path,
                       help="the file; that of the configuration if not given")
    accept = actions.add_parser("accept", help="let the definitions of a file hold for all workers from now on")
    accept.add_argument("file", metavar="FILE", type=Path, help="a metrics.yml; it is checked as a whole")
    accept.add_argument("--reason", required=True, help="why; kept with the change")
    accept.add_argument("--dry-run", action="store_true", help="print the difference and change nothing")
    actions.add_parser("show", help="print the metrics.yml that holds, as it was written")


def run(args: argparse.Namespace, app: App) -> int:
    if args.action != "check":
        app.check("schema", "ledger")
    match args.action:
        case "check":
            _check(args, app)
        case "accept":
            _accept(args, app)
        case "show":
            _show(app)
    return 0


def _check(args: argparse.Namespace, app: App) -> None:
    """Say that the file is right, and print what is odd about its names beside the source's and the rules'."""
    file = app.metrics if args.file is None else app.definitions(args.file)
    texts = name_warnings.of_source(app, file.metrics)
    if app.database.exists:
        app.check("schema")
        texts += name_warnings.check_of(app).of_stored_rules(file.metrics)
    print(f"{counted(len(file.metrics), 'metric')}: nothing is wrong"
          + (f", but {counted(len(texts), 'name')} may be." if texts else "."))
    name_warnings.show(texts)


def _accept(args: argparse.Namespace, app: App) -> None:
    file = app.definitions(args.file)
    if args.dry_run:
        change = app.use_cases.acceptances.differs(file)
        print("These definitions hold already." if change is None else f"{change}\nNothing was changed.")
        return
    change = app.use_cases.acceptances.accept(file, args.reason)
    if change is None:
        print("These definitions hold already.")
        return
    print(change)
    print("They hold for all workers from the next period on.")
    standing = app.use_cases.acceptances.standing()
    if standing is not None and standing.differing:
        places = ", ".join(beat.place for beat in standing.differing)
        print(f"Until their metrics.yml is this one, these workers wait: {places}. They read it again by themselves.")


def _show(app: App) -> None:
    from cloudkitty_like.domain.errors import NotFound

    text = app.use_cases.acceptances.text()
    if text is None:
        raise NotFound("no metric definitions were accepted yet",
                       hint="the first worker accepts its own; before that: cloudkitty-like metrics accept FILE")
    print(text, end="" if text.endswith("\n") else "\n")
