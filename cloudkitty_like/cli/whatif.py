"""``whatif``: what the usage of some time would cost by other rules."""
from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window, window
from cloudkitty_like.cli.query_options import add_form, check_scopes
from cloudkitty_like.cli.rules import read, wanted_rules
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.script import Script

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.query import Sum
    from cloudkitty_like.service.whatif.simulation import Comparison, SimulationResult

BAR = 30
COLUMNS = ("scope", "metric", "unit", "stored", "candidate", "difference", "points", "unpriced before",
           "unpriced after")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rules", nargs="?", metavar="RULES",
                        help="file of rules in place of all hashmap rules, as for 'rules apply'; - reads the standard "
                             "input; without it the rules of now")
    parser.add_argument("--script", action="append", metavar="FILE",
                        help="a rating script, in place of all there are; may be repeated, in the order in which "
                             "they are to run")
    add_window(parser, required=True)
    parser.add_argument("--scope", action="append", metavar="ID", help="only this scope; may be repeated")
    add_form(parser)


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.whatif.simulation import SimulationRequest

    trial = SimulationRequest(
        period=window(args), scopes=frozenset(args.scope) if args.scope else None,
        rules=None if args.rules is None else wanted_rules(args.rules, app),
        scripts=None if args.script is None else _scripts(args.script))
    check_scopes(args.scope or (), app)
    bar = ProgressBar()
    try:
        result = app.use_cases.simulation.run(trial, progressed=bar)
    finally:
        bar.close()
    _show(result, args)
    for scope, why in sorted(result.failed.items()):
        print(f"scope {scope!r}: cannot be rated by them: {why}", file=sys.stderr)
    return 1 if result.failed else 0


def _scripts(files: Sequence[str]) -> list[Script]:
    return [Script(name=Path(file).stem, text=read(file), order=number) for number, file in enumerate(files)]


class ProgressBar:
    """How far it is, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._terminal, self._shown, self._used = sys.stderr.isatty(), monotonic(), False

    def __call__(self, points: int, total: int) -> None:
        if not self._terminal or (monotonic() - self._shown < 0.1 and points < total):
            return
        self._shown, self._used = monotonic(), True
        share = points / total if total else 1.0
        print(f"\r[{'#' * round(share * BAR):<{BAR}}] {share:4.0%}  {points} of {total} points", end="",
              file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._used:
            print(file=sys.stderr)


def _show(result: SimulationResult, args: argparse.Namespace) -> None:
    if args.json:
        output.json({"results": [{"scope": row.scope, "metric": row.metric, "unit": row.unit, **_entry(row)}
                                 for row in result.rows], "total": _entry(result.total),
                     "failed": dict(result.failed)})
        return
    lines = [_line(row) for row in result.rows]
    if args.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *lines])
        return
    if not lines:
        print("Nothing is recorded of that.")
        return
    output.table(COLUMNS, [*lines, ["total", *_line(result.total)[1:]]], right=set(COLUMNS[3:]))


def _line(row: Comparison) -> list[str]:
    return [row.scope, row.metric, row.unit, plain(row.stored.price), plain(row.candidate.price),
            plain(row.difference), str(row.candidate.points), str(row.stored.unpriced), str(row.candidate.unpriced)]


def _entry(row: Comparison) -> dict[str, Any]:
    return {"stored": _side(row.stored), "candidate": _side(row.candidate), "difference": plain(row.difference)}


def _side(side: Sum) -> dict[str, Any]:
    return {"qty": plain(side.qty), "price": plain(side.price), "points": side.points, "unpriced": side.unpriced}
