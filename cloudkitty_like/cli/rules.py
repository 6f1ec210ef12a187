"""``rules``: make the stored rules those of a file, write that file, look at them."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import name_warnings, output
from cloudkitty_like.cli.arguments import moment
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.rule import Rule
    from cloudkitty_like.domain.rule_diff import RuleDiff

MAX_BYTES = 4_000_000


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    apply = actions.add_parser("apply", help="make the stored rules equal to a file, and print the difference")
    apply.add_argument("file", metavar="FILE", help="file of rules; - reads the standard input")
    apply.add_argument("--dry-run", action="store_true", help="print the difference and record nothing")
    when = apply.add_mutually_exclusive_group()
    when.add_argument("--effective", type=moment, metavar="TIME",
                      help="when changed costs start and removed rules end; now if not given")
    when.add_argument("--retroactive", action="store_true",
                      help="let changes hold over the whole validity of the rules that they change")
    apply.add_argument("--move-changes", action="store_true",
                       help="let changes that are recorded for later come at the effective time")
    apply.add_argument("--reason", default="", help="why; kept with the change")
    export = actions.add_parser("export", help="print the rules as a file for 'rules apply'")
    listing = actions.add_parser("list", help="print the rules as a table")
    for action in (export, listing):
        action.add_argument("--all", action="store_true", help="also rules that have ended")
        action.add_argument("--known-at", type=moment, metavar="TIME", help="as they were recorded at that instant")
    listing.add_argument("--at", type=moment, metavar="TIME", help="only rules that hold at that instant")
    listing.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "apply":
            _apply(args, app)
        case "export":
            _export(args, app)
        case "list":
            _list(args, app)
    return 0


def _apply(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.domain.change import Change
    from cloudkitty_like.service.hashmap import apply as rules

    now = app.clock()
    how = rules.RuleApplication(args.effective or now, args.retroactive, args.dry_run, args.move_changes)
    change = Change(now, app.author, "apply", args.reason)
    file_rules = wanted_rules(args.file, app)
    try:
        amendment = rules.apply(app.database, file_rules, how, change)
    except rules.RetroactiveMove as refusal:
        _print(refusal.amendment)
        raise
    _print(amendment)              # after the work: what becomes of the output must not decide what is recorded
    if amendment:
        print("Nothing was recorded: a dry run." if args.dry_run else "Recorded.")
    name_warnings.show_of_rules(app, file_rules)


def _print(amendment: RuleDiff) -> None:
    for line in amendment.lines():
        print(line)
    if amendment:
        print(f"{len(amendment.added)} added, {len(amendment.changed)} changed, "
              f"{len(amendment.withdrawn)} withdrawn, {amendment.unchanged} unchanged.")
    else:
        print(f"No change: {counted(amendment.unchanged, 'rule')} "
              f"{'is as it' if amendment.unchanged == 1 else 'are as they'} should be.")


def wanted_rules(file: str, app: App) -> Sequence[Rule]:
    """Return the rules of a file (``-``: of the standard input), with a warning where they are for another period."""
    from cloudkitty_like.service.hashmap import file as rules_file

    name = "standard input" if file == "-" else file
    document = rules_file.read(read(file), name)
    if doubt := document.doubt(app.conf.collect.period):
        name_warnings.show([f"{name}: period: {doubt}"])
    return document.rules


def read(name: str) -> str:
    """Return the text of a file (``-``: the standard input); Invalid where it cannot be read."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Invalid(f"{name}: it is larger than {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise Invalid(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{name}: it is not a text in UTF-8") from None


def _export(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service.hashmap import apply as rules
    from cloudkitty_like.service.hashmap.file import export

    stored_rules = rules.stored(app.database, known_at=args.known_at)
    print(export(stored_rules, ended_by=None if args.all else args.known_at or app.clock(),
                 period=app.conf.collect.period), end="")


def _list(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.service.hashmap import apply as rules
    from cloudkitty_like.service.hashmap.file import place

    stored_rules = sorted(rules.stored(app.database, known_at=args.known_at), key=place)
    now = args.known_at or app.clock()
    if args.at is not None:
        stored_rules = [rule for rule in stored_rules if args.at in rule.valid]
    elif not args.all:
        stored_rules = [rule for rule in stored_rules if not rule.valid.is_over(now)]
    if args.json:
        output.json([_entry(rule) for rule in stored_rules])
        return
    output.table(
        ("metric", "field", "value or level", "type", "cost", "group", "scope", "from", "until", "name"),
        [(rule.service, rule.field or "", _met_by(rule), rule.type, money.plain(rule.cost), rule.group,
          "every scope" if rule.scope is None else rule.scope, instant(rule.valid.begin) if rule.valid.begin else "",
          instant(rule.valid.end) if rule.valid.end else "", rule.name) for rule in stored_rules],
        right={"cost"})


def _met_by(rule: Rule) -> str:
    return rule.value or "" if rule.level is None else f">= {money.plain(rule.level)}"


def _entry(rule: Rule) -> dict[str, object]:
    return {
        "service": rule.service, "field": rule.field, "value": rule.value,
        "level": None if rule.level is None else money.plain(rule.level),
        "type": rule.type, "cost": money.plain(rule.cost), "group": rule.group or None, "scope": rule.scope,
        "start": None if rule.valid.begin is None else instant(rule.valid.begin),
        "end": None if rule.valid.end is None else instant(rule.valid.end),
        "name": rule.name, "description": rule.description,
    }
