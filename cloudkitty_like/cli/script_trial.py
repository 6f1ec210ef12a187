"""``scripts test``: what a script would make of usage that is rated already."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window
from cloudkitty_like.cli.explain import tell
from cloudkitty_like.cli.query_options import check_scopes
from cloudkitty_like.cli.rules import read
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.script import Script
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.service.whatif.script_trial import TrialResult

POINTS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the script, in Python; - reads the standard input")
    parser.add_argument("--name", help="try it in place of the script of this name; that of the file if not given")
    parser.add_argument("--order", type=int, default=0, metavar="N", help="where it runs among the scripts")
    parser.add_argument("--scope", action="append", metavar="ID", help="only on this scope's usage; may be repeated")
    add_window(parser, required=False)
    parser.add_argument("--points", type=int, default=POINTS, metavar="N",
                        help=f"explain the first N points of each scope and period (default: {POINTS})")


@contextmanager
def complaints(file: str) -> Iterator[None]:
    """What is wrong with a script, in the words of the command line: the file, and options."""
    try:
        yield
    except Invalid as error:
        raise Invalid(*(_in_our_words(problem, file) for problem in error.problems), hint=error.hint) from None


def _in_our_words(problem: str, file: str) -> str:
    attribute, _, reason = problem.partition(": ")
    if attribute == "data":
        return f"{'standard input' if file == '-' else file}: {reason}"
    return f"--{problem}" if attribute in ("name", "order", "description", "end") else problem


def run(args: argparse.Namespace, app: App) -> None:
    """Nothing is recorded.  Without a time it is the last period that any of the scopes is rated in."""
    name = args.name or ("script" if args.file == "-" else Path(args.file).stem)
    with complaints(args.file):
        script = Script(name=name, text=read(args.file), order=args.order)
        app.use_cases.script_check(script.name, script.text)
    check_scopes(args.scope or (), app)
    app.use_cases.script_module.listen(_printed)
    tried = 0
    scopes = frozenset(args.scope) if args.scope else None
    for result in app.use_cases.script_trial.run(script, _period(args, app), scopes):
        tried += 1
        _tell(result, args.points)
    if not tried:
        raise NotFound("nothing is rated there that the script could be tried on",
                       hint="choose a time with --begin and --end; 'cloudkitty-like scopes list' shows what is rated")
    print(f"Tried on the usage of {counted(tried, 'period')}, scope by scope, each run twice; "
          "nothing was recorded.")


def _period(args: argparse.Namespace, app: App) -> Period:
    if (args.begin is None) != (args.end is None):
        raise Invalid("--begin and --end: give both or neither")
    if args.begin is not None:
        if args.begin >= args.end:
            raise Invalid("--end: it is not after --begin")
        return Period(args.begin, args.end)
    scopes = set(args.scope or ())
    rated = [state.due for state in app.use_cases.scopes.states()
             if state.rated and state.due is not None
             and (not scopes or state.identifier in scopes)]
    if not rated:
        raise NotFound("nothing is rated yet that the script could be tried on")
    return Period(max(rated) - app.period, max(rated))


def _printed(name: str, text: str) -> None:
    print(f"printed by {output.printable(name)}:")
    print("\n".join(f"    {output.printable(line)}" for line in text.splitlines()))


def _tell(result: TrialResult, most: int) -> None:
    print(f"{instant(result.period.begin)}  {output.printable(result.scope)}")
    totals: Counter[tuple[str, str]] = Counter()
    prices: dict[tuple[str, str], Decimal] = {}
    unpriced: Counter[tuple[str, str]] = Counter()
    with money.arithmetic():
        for frame in result.frames:
            kind = frame.metric, frame.unit
            totals[kind] += len(frame)
            unpriced[kind] += frame.unpriced
            prices[kind] = sum((price for price in frame.price if price is not None), prices.get(kind, money.ZERO))
    output.table(("metric", "unit", "points", "unpriced", "price"), [
        (*kind, str(count), str(unpriced[kind]), money.plain(prices[kind])) for kind, count in totals.items()],
        right={"points", "unpriced", "price"})
    dropped = Counter(left.frame.metric for left in result.trace.dropped())
    for metric, count in dropped.items():
        print(f"{output.printable(metric)}: {counted(count, 'point')} left out, or changed in metric, unit or labels")
    print()
    for explanation in islice(result.explanations(), max(0, most)):
        tell(explanation)
