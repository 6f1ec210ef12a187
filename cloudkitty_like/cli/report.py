"""``report``: what was used and what it costs, as a table, CSV or JSON."""
from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import grouping
from cloudkitty_like.cli.query_options import add_choice, add_form, chosen
from cloudkitty_like.domain.hole import sentences
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Sum, SummaryRow
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", type=grouping, default=["scope", "metric"], metavar="NAMES",
                        help="group by these, separated by commas: scope, metric, day, time or any label "
                             "(default: scope,metric); '' for one line")
    add_choice(parser)
    add_form(parser)


def run(args: argparse.Namespace, app: App) -> int:
    query = chosen(args, app, args.by)
    rows = app.use_cases.summary.rows(query)
    form = "csv" if args.csv else "json" if args.json else "table"
    show(query, rows, form)
    _tell_missing(sentences(app.use_cases.holes.of_query(query)), form)
    for label in _absent(query, rows):
        print(f"cloudkitty-like: warning: --by {label}: no point in this answer has such a label", file=sys.stderr)
    return 0


def _tell_missing(lines: Sequence[str], form: str) -> None:
    """What is not in the figures: below a table, else beside them."""
    if form == "table":
        if lines:
            print("\nNot in these figures (see 'cloudkitty-like scopes holes'):")
        for line in lines:
            print(f"  {output.printable(line)}")
        return
    for line in lines:
        print(f"cloudkitty-like: warning: not in these figures: {output.printable(line)}", file=sys.stderr)


def _absent(query: Query, rows: Sequence[SummaryRow]) -> list[str]:
    return [name for number, name in enumerate(query.groupby)
            if name not in (SCOPE, METRIC, DAY, TIME) and rows and not any(row.key[number] for row in rows)]


def show(query: Query, rows: Sequence[SummaryRow], form: str) -> None:
    """Print the rows of an answer, and the total where people read it."""
    by_metric = METRIC in query.groupby
    if form == "json":
        output.json([_entry(query, row, by_metric) for row in rows])
        return
    headers = [*query.groupby, *(["unit", "quantity"] if by_metric else []), "price", "points", "unpriced"]
    lines = [
        [*row.key, *([row.unit, plain(row.sum.qty)] if by_metric else []), plain(row.sum.price),
         str(row.sum.points), str(row.sum.unpriced)]
        for row in rows
    ]
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([headers, *lines])
        return
    if not rows:
        print("Nothing is recorded of that.")
        return
    total = sum((row.sum for row in rows), Sum())
    if query.groupby:
        blanks = [""] * (len(headers) - 4)
        lines.append(["total", *blanks, plain(total.price), str(total.points), str(total.unpriced)])
    output.table(headers, lines, right={"quantity", "price", "points", "unpriced"})
    if total.unpriced:
        has, them = ("has", "it") if total.unpriced == 1 else ("have", "them")
        print(f"\n{total.unpriced} of {counted(total.points, 'point')} {has} no price: no rule met {them}.")


def _entry(query: Query, row: SummaryRow, by_metric: bool) -> dict[str, object]:
    amounts = {"unit": row.unit, "qty": plain(row.sum.qty)} if by_metric else {}
    return {
        "key": dict(zip(query.groupby, row.key, strict=True)), **amounts, "price": plain(row.sum.price),
        "points": row.sum.points, "unpriced": row.sum.unpriced,
    }
