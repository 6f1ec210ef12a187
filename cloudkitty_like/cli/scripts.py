"""``scripts``: test, add, list, show, end and delete rating scripts."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output, script_trial
from cloudkitty_like.cli.arguments import moment
from cloudkitty_like.cli.rules import read
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.change import Change
    from cloudkitty_like.domain.script import ScriptVersion
    from cloudkitty_like.domain.script_diff import ScriptDiff

CAUSE = "scripts"
STDIN = "-"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_arguments(actions.add_parser("add", help="make a file a script, or the next version of the one of its name"))
    script_trial.arguments(actions.add_parser("test", help="show what a script would make of usage that is rated"))
    listing = actions.add_parser("list", help="print the scripts as a table, in the order in which they run")
    listing.add_argument("--all", action="store_true", help="also scripts that have ended or are deleted")
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = actions.add_parser("show", help="print the text of a script, or its versions")
    show.add_argument("name", metavar="NAME", help="name or id of the script")
    show.add_argument("--versions", action="store_true", help="a line for each version, with its author, in its place")
    show.add_argument("--json", action="store_true", help="print JSON")
    end = actions.add_parser("end", help="let a script hold no longer; what it has rated stays so")
    end.add_argument("--at", type=moment, metavar="TIME", help="when it ends; now if not given")
    delete = actions.add_parser("delete", help="end a script now and free its name; what it has rated stays so")
    for action in (end, delete):
        action.add_argument("name", metavar="NAME", help="name or id of the script")
        action.add_argument("--reason", default="", help="why; kept with the change")


def _add_arguments(add: argparse.ArgumentParser) -> None:
    add.add_argument("file", metavar="FILE", help="the script, in Python; - reads the standard input")
    add.add_argument("--name", help="name of the script; that of the file, without its ending, if not given")
    add.add_argument("--order", type=int, metavar="N", help="the lowest runs first, then by name; 0, or as it was")
    when = add.add_mutually_exclusive_group()
    when.add_argument("--start", "--effective", dest="begin", type=moment, metavar="TIME",
                      help="when it starts to hold, and the version before it ends; now if not given")
    when.add_argument("--retroactive", action="store_true",
                      help="let it hold over the whole validity of the version before it; a new script: always")
    add.add_argument("--end", type=moment, metavar="TIME", help="when it stops to hold; never if not given")
    add.add_argument("--description", help="what it is for")
    add.add_argument("--reason", default="", help="why; kept with the change")
    add.add_argument("--dry-run", action="store_true", help="print the difference and record nothing")


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "add":
            _add(args, app)
        case "test":
            script_trial.run(args, app)
        case "list":
            _list(args, app)
        case "show":
            _show(args, app)
        case "end":
            done = app.use_cases.scripts.end(args.name, args.at or app.clock(), _change(args, app))
            _recorded(done, dry_run=False)
        case "delete":
            gone = app.use_cases.scripts.delete(args.name, _change(args, app))
            print(f"Deleted {args.name}, {gone}.")
    return 0


def _change(args: argparse.Namespace, app: App) -> Change:
    from cloudkitty_like.domain.change import Change

    return Change(app.clock(), app.author, CAUSE, args.reason)


def _add(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service.pyscripts.request import ScriptRelease

    if args.name is None and args.file == STDIN:
        raise Invalid("--name: standard input has none; say how the script is to be called")
    name = Path(args.file).stem if args.name is None else args.name
    release = ScriptRelease(name=name, text=read(args.file), order=args.order, description=args.description,
                            begin=args.begin, end=args.end, retroactive=args.retroactive)
    with script_trial.complaints(args.file):
        done = app.use_cases.scripts.release(release, _change(args, app), dry_run=args.dry_run)
    _recorded(done, args.dry_run)


def _print(succession: ScriptDiff) -> None:
    for line in succession.lines():
        print(output.printable(line))
    if not succession:
        print("No change: the script is as it should be.")


def _recorded(succession: ScriptDiff, dry_run: bool) -> None:
    """Print what was done, after it was: what becomes of the output must not decide what is recorded."""
    _print(succession)
    if succession:
        print("Nothing was recorded: a dry run." if dry_run else "Recorded.")


def _list(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service.rule_changes.validity import ValidityFilter

    now = app.clock()
    scripts = app.use_cases.scripts.scripts(now, ValidityFilter(deleted=args.all), texts=False)
    if not args.all:
        scripts = [script for script in scripts if not script.version.valid.is_over(now)]
    scripts.sort(key=lambda script: (script.version.order, script.version.name))
    if args.json:
        output.json([_entry(script.version) for script in scripts])
        return
    output.table(
        ("script", "id", "order", "version", "from", "until", "author", "text", "deleted"),
        [(script.version.name, script.id, str(script.version.order), str(script.version.version),
          *_times(script.version), script.version.author, script.version.checksum[:12],
          "yes" if script.version.deleted else "") for script in scripts],
        right={"order", "version"})


def _show(args: argparse.Namespace, app: App) -> None:
    if args.versions:
        _versions(args, app.use_cases.scripts.versions(args.name))
        return
    shown = app.use_cases.scripts.named(args.name, app.clock())
    if args.json:
        output.json({**_entry(shown.version), "data": shown.text})
    elif sys.stdout.isatty():
        print("\n".join(output.printable(line.replace("\t", "    ")) for line in (shown.text or "").splitlines()))
    else:
        sys.stdout.write(shown.text or "")


def _versions(args: argparse.Namespace, versions: Sequence[ScriptVersion]) -> None:
    if args.json:
        output.json([_entry(version) for version in versions])
        return
    output.table(
        ("version", "script", "order", "from", "until", "author", "recorded", "text", "now"),
        [(str(version.version), version.name, str(version.order), *_times(version), version.author,
          instant(version.recorded_at), version.checksum[:12], _standing(version))
         for version in versions],
        right={"version", "order"})


def _standing(version: ScriptVersion) -> str:
    return "withdrawn" if not version.known else "deleted" if version.deleted else ""


def _times(version: ScriptVersion) -> tuple[str, str]:
    valid = version.valid
    return ("always" if valid.begin is None else instant(valid.begin)), "" if valid.end is None else instant(valid.end)


def _entry(version: ScriptVersion) -> dict[str, object]:
    return {
        "id": version.id, "name": version.name, "version": version.version, "order": version.order,
        "description": version.description, "checksum": version.checksum,
        "start": None if version.valid.begin is None else instant(version.valid.begin),
        "end": None if version.valid.end is None else instant(version.valid.end),
        "author": version.author, "recorded_at": instant(version.recorded_at),
        "withdrawn": not version.known, "deleted": version.deleted,
    }
