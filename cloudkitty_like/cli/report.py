"""``report``: what was used and what it costs, as a table, CSV or JSON."""
from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window, grouping, moment
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import DAY as DAY_LENGTH
from cloudkitty_like.domain.period import EPOCH, LATEST, Period
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Row, Sum

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", type=grouping, default=["scope", "metric"], metavar="NAMES",
                        help="group by these, separated by commas: scope, metric, day, time or any label "
                             "(default: scope,metric); '' for one line")
    add_window(parser, required=False)
    parser.add_argument("--as-of", metavar="TIME|N",
                        help="as the ledger was at an instant, or after its change number N")
    parser.add_argument("--scope", action="append", metavar="ID", help="only this scope; may be repeated")
    parser.add_argument("--metric", action="append", metavar="NAME", help="only this metric; may be repeated")
    parser.add_argument("--filter", action="append", default=[], metavar="LABEL=VALUE",
                        help="only points with this label; may be repeated, values of one label are alternatives")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--json", action="store_true", help="print JSON, amounts as strings")


def run(args: argparse.Namespace, app: App) -> int:
    query = Query(
        period=_window(args.begin, args.end),
        scopes=frozenset(args.scope) if args.scope else None,
        metrics=frozenset(args.metric) if args.metric else None,
        filters=_filters(args.filter),
        groupby=tuple(args.by),
        as_of=_change(args.as_of, app),
    )
    _check_scopes(args.scope or (), app)
    rows = app.summary.rows(query)
    show(query, rows, "csv" if args.csv else "json" if args.json else "table")
    for label in _absent(query, rows):
        print(f"cloudkitty-like: warning: --by {label}: no point in this answer has such a label", file=sys.stderr)
    return 0


def _check_scopes(wanted: Sequence[str], app: App) -> None:
    """NotFound for a scope that does not exist: that is not the same as one without usage."""
    known = {state.identifier for state in app.scopes.states()} if wanted else set()
    unknown = [f"no scope is called {scope!r}" for scope in wanted if scope not in known]
    if unknown:
        raise NotFound("\n".join(unknown), hint="'cloudkitty-like scopes list' shows them all")


def _absent(query: Query, rows: Sequence[Row]) -> list[str]:
    return [name for number, name in enumerate(query.groupby)
            if name not in (SCOPE, METRIC, DAY, TIME) and rows and not any(row.key[number] for row in rows)]


def _window(begin: datetime | None, end: datetime | None) -> Period | None:
    if begin is None and end is None:
        return None
    if begin is not None and end is not None and begin >= end:
        raise Invalid("--end: it is not after --begin")
    end = min(end or LATEST, LATEST)
    return Period(min(begin or EPOCH, end - DAY_LENGTH), end)


def _filters(texts: Sequence[str]) -> dict[str, frozenset[str]]:
    wanted: dict[str, set[str]] = {}
    for text in texts:
        label, equals, value = text.partition("=")
        if not label or not equals:
            raise Invalid(f"--filter: {text!r} is not LABEL=VALUE")
        wanted.setdefault(label, set()).add(value)
    return {label: frozenset(values) for label, values in wanted.items()}


def _change(text: str | None, app: App) -> int | None:
    if text is None:
        return None
    if text.isdecimal():
        last = app.summary.last_change()
        if not 1 <= int(text) <= last:
            raise NotFound(f"--as-of: the ledger has no change {text}; it has those from 1 to {last}" if last else
                           "--as-of: the ledger has no change yet")
        return int(text)
    try:
        when = moment(text)
    except argparse.ArgumentTypeError as error:
        raise Invalid(f"--as-of: {error}") from None
    change: int = app.summary.change_at(when)
    return change


def show(query: Query, rows: Sequence[Row], form: str) -> None:
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
        print(f"\n{total.unpriced} of {total.points} points have no price: no rule met them.")


def _entry(query: Query, row: Row, by_metric: bool) -> dict[str, object]:
    amounts = {"unit": row.unit, "qty": plain(row.sum.qty)} if by_metric else {}
    return {
        "key": dict(zip(query.groupby, row.key, strict=True)), **amounts, "price": plain(row.sum.price),
        "points": row.sum.points, "unpriced": row.sum.unpriced,
    }
