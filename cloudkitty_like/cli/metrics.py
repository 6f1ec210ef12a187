"""``metrics``: the metric definitions that hold for all workers of a ledger."""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    accept = actions.add_parser("accept", help="let the definitions of a file hold for all workers from now on")
    accept.add_argument("file", metavar="FILE", type=Path, help="a metrics.yml; it is checked as a whole")
    accept.add_argument("--reason", required=True, help="why; kept with the change")
    accept.add_argument("--dry-run", action="store_true", help="print the difference and change nothing")
    actions.add_parser("show", help="print the metrics.yml that holds, as it was written")


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "accept":
            _accept(args, app)
        case "show":
            _show(app)
    return 0


def _accept(args: argparse.Namespace, app: App) -> None:
    file = app.definitions(args.file)
    if args.dry_run:
        change = app.acceptances.differs(file)
        print("These definitions hold already." if change is None else f"{change}\nNothing was changed.")
        return
    change = app.acceptances.accept(file, args.reason)
    if change is None:
        print("These definitions hold already.")
        return
    print(change)
    print("They hold for all workers from the next period on.")
    standing = app.acceptances.standing()
    if standing is not None and standing.differing:
        places = ", ".join(beat.place for beat in standing.differing)
        print(f"Until their metrics.yml is this one, these workers wait: {places}. They read it again by themselves.")


def _show(app: App) -> None:
    from cloudkitty_like.domain.errors import NotFound

    text = app.acceptances.text()
    if text is None:
        raise NotFound("no metric definitions were accepted yet",
                       hint="the first worker accepts its own; before that: cloudkitty-like metrics accept FILE")
    print(text, end="" if text.endswith("\n") else "\n")
