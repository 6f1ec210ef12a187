"""``history``: who changed what, when and why."""
from __future__ import annotations

import argparse
import csv
import re
import sys
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.service.reports.history import HistoryEntry

COLUMNS = ("at", "kind", "first", "last", "author", "cause", "reason", "summary", "begin", "end",
           "scopes",
           "published", "superseded", "price")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_window(parser, required=False)
    parser.add_argument("--scope", action="append", metavar="ID",
                        help="only what concerns this scope; may be repeated")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--rules", action="store_true",
                      help="only changes of rules, scripts, modules and metric definitions")
    kind.add_argument("--ledger", action="store_true", help="only changes of the ledger")
    parser.add_argument("--all", action="store_true", help="also ordinary rating, period by period")
    parser.add_argument("--last", type=_count, metavar="N", help="only the newest N changes")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--json", action="store_true", help="print JSON, amounts as strings")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.reports.history import KINDS, LEDGER, METRICS, RULES, HistoryFilter

    if args.begin is not None and args.end is not None and args.begin >= args.end:
        raise Invalid("--end: it is not after --begin")
    kinds = (RULES, METRICS) if args.rules else (LEDGER,) if args.ledger else KINDS
    entries = app.use_cases.history.entries(
        HistoryFilter(args.begin, args.end, kinds, args.scope, args.all))
    if args.last is not None:
        entries = entries[-args.last:]
    if args.json:
        output.json([_entry(entry) for entry in entries])
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(["" if cell is None else cell for cell in _entry(entry).values()]
                         for entry in entries)
    elif not entries:
        print("Nothing was changed then.")
    else:
        output.table(("when", "who", "change", "cause", "what", "why"), [
            (instant(entry.at)[:19] + "Z", entry.author, _number(entry), entry.cause, entry.summary,
             entry.reason)
            for entry in entries], wrapped={"what", "why"})
    return 0


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of changes")
    return int(text)


def _number(entry: HistoryEntry) -> str:
    return f"{entry.kind} {entry.first}" + (f"-{entry.last}" if entry.last != entry.first else "")


def _entry(entry: HistoryEntry) -> dict[str, object]:
    return dict(zip(COLUMNS, (
        instant(entry.at), entry.kind, entry.first, entry.last, entry.author, entry.cause,
        entry.reason, entry.summary,
        None if entry.period is None else instant(entry.period.begin),
        None if entry.period is None else instant(entry.period.end),
        entry.scopes, entry.published, entry.superseded,
        None if entry.price is None else money.plain(entry.price),
    ), strict=True))
