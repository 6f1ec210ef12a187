"""``standalone``: everything in one process, its state in one directory."""
from __future__ import annotations

import argparse
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from cloudkitty_like.cli import state
from cloudkitty_like.cli.main import PROGRAM, STATE
from cloudkitty_like.cli.working import (
    INTERRUPTED,
    Progress,
    backfill,
    leave,
    log_to_stderr,
    stopping,
    warn_without_scopes,
)
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.period import DAY, Period, instant, parse_instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App

MONTH = Period(parse_instant("2026-10-01"), parse_instant("2026-11-01"))
"""What the sample holds."""

API_PORT = 8889

prepare = state.prepare


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="store_true",
                        help="rate the month that ships with the package, print a report and stop")
    parser.add_argument("--prometheus", metavar="URL", help="where usage is read from")
    parser.add_argument("--scope-label", metavar="LABEL", help="the label that says whose usage it is")
    parser.add_argument("--metrics", metavar="FILE", type=Path, help="metrics.yml: what is measured")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="hashmap rules to apply at the start")
    parser.add_argument("--period", metavar="SECONDS", type=int, help="length of a rating period (default: 3600)")
    parser.add_argument("--guard", metavar="SELECTOR",
                        help="a series that is there whenever the Prometheus works (default: up); '' for none")
    parser.add_argument("--port", metavar="PORT", type=int, default=API_PORT,
                        help=f"where on this host the API answers (default: {API_PORT}); 0: nowhere")
    parser.add_argument("--once", action="store_true", help="stop when nothing more can be rated now, with a report")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.migration import upgrade

    log_to_stderr(args.debug, logging.WARNING)
    if args.sample and app.clock() < MONTH.end + DAY:
        # A host whose clock is behind, where the month is not over yet.
        clock, shift = app.clock, MONTH.end + DAY - app.clock()
        app.clock = lambda: clock() + shift
    rules = state.SAMPLE / "rules.yml" if args.sample else args.rules
    _check(app, rules)
    print(f"The state is kept in the directory {args.state}.")
    upgrade(app.database)
    if rules is not None:
        print(f"Rules of {rules.name}:")
        _apply(rules, app)
    code = _sample(args, app) if args.sample else _prometheus(args, app)
    app.close()
    leave(code)
    return code


def _check(app: App, rules: Path | None) -> None:
    """Look at everything before anything is made; what is wrong is said at once."""
    from cloudkitty_like.cli.rules import read
    from cloudkitty_like.domain.errors import Invalid
    from cloudkitty_like.service.rules_file import parse

    problems: list[str] = []
    try:
        app.check("fetcher", "collector", "metrics", "storage")
    except Invalid as error:
        problems += error.problems
    try:
        if rules is not None:
            parse(read(str(rules)), str(rules))
    except Invalid as error:
        problems += error.problems
    if problems:
        raise Invalid(*problems)
    warn_without_scopes(len(list(app.fetcher.scopes())), app)


def _apply(path: Path, app: App) -> None:
    """What ``rules apply`` does; before the first period is rated new rules hold from always."""
    from cloudkitty_like.cli import rules

    rules.run(argparse.Namespace(action="apply", file=str(path), effective=None, retroactive=False, dry_run=False,
                                 move_changes=False, reason="standalone"), app)


def _sample(args: argparse.Namespace, app: App) -> int:
    print(f"Rating the usage of a month, {instant(MONTH.begin)[:10]} to {instant(MONTH.end)[:10]}, hour by hour.")
    began = monotonic()
    code = backfill(app, MONTH.begin, MONTH.end)
    if code != INTERRUPTED:
        print(f"Done in {monotonic() - began:.1f} s.\n")
        _report(args, app)
    return code


def _prometheus(args: argparse.Namespace, app: App) -> int:
    """Rate what is over, show the totals, and go on until told to stop."""
    with stopping() as stop:
        catching_up = Progress(Period(Period.month_of(app.clock()).begin, app.clock()))
        live = _Live()
        worker = app.worker(stop, progressed=lambda period, scopes: (live if live.on else catching_up)(period, scopes))
        with worker.pulse:
            _drain(worker, once=args.once)
            catching_up.close()
            if stop.is_set():
                print("Stopped. What was rated is kept; the same command goes on from there.", file=sys.stderr)
                return INTERRUPTED
            _report(args, app)
            if args.once:
                return _unfinished(app)
            with _api(args):
                _go_on(args, app, worker, live)
    print("\nStopped. The same command, without arguments, goes on from here."
          if args.state == STATE else f"\nStopped. '{PROGRAM} standalone --state {args.state}' goes on from here.")
    return 0


def _go_on(args: argparse.Namespace, app: App, worker: Any, live: _Live) -> None:
    """Rate as time does."""
    print(f"\nPeriods of {app.conf.collect.period} s are rated as they end, each after a wait of "
          f"{app.conf.collect.wait_periods} more; Ctrl-C stops.", flush=True)
    if args.port:
        print(f"The API answers at http://127.0.0.1:{args.port}/", flush=True)
    live.on = True
    worker.run()


@contextmanager
def _api(args: argparse.Namespace) -> Iterator[None]:
    """The API beside the processor, in a process of its own."""
    if not args.port:
        yield
        return
    command = [sys.executable, "-m", "cloudkitty_like", f"--state={args.state}", "api", "--host", "127.0.0.1",
               "--port", str(args.port), "--workers", "1"]
    with subprocess.Popen(command) as child:
        try:
            yield
        finally:
            child.terminate()


def _drain(worker: Any, *, once: bool) -> None:
    try:
        worker.drain()
    except Unavailable as error:
        if once:
            raise
        logging.getLogger(__name__).error("%s", error)


class _Live:
    """A line for each period that is rated while somebody watches."""

    on = False

    def __call__(self, period: Period, scopes: int) -> None:
        print(f"{period}: {counted(scopes, 'scope')} rated", flush=True)


def _unfinished(app: App) -> int:
    """1, and a line for people, where a scope has an error."""
    failing = [one.identifier for one in app.scopes.states() if one.active and one.error]
    if failing:
        print(f"{PROGRAM}: {counted(len(failing), 'scope')} could not be rated up to now; "
              f"'{PROGRAM} scopes list' says why", file=sys.stderr)
    return 1 if failing else 0


def _report(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.cli.report import show
    from cloudkitty_like.domain.query import METRIC, SCOPE, Query

    query = Query(scopes=None, groupby=(SCOPE, METRIC))
    rows = app.summary.rows(query)
    where = "" if args.state == STATE else f" --state {args.state}"
    if not rows:
        print("Nothing has been rated yet. As soon as a period is over there is something to see:")
        print(f"  {_called()} report{where}")
        return
    show(query, rows, "table")
    print("\nAsk for more, for instance:")
    for question in ("report --by scope,day", "report --by metric,id --csv", "scopes list", "rules list"):
        command, _, options = question.partition(" --")
        print(f"  {_called()} {command}{where}{' --' if options else ''}{options}")


def _called() -> str:
    """This program as it can be called from here: by its path where the shell would not find it by its name."""
    path = sys.argv[0]
    return path if Path(path).name == PROGRAM and shutil.which(PROGRAM) is None else PROGRAM
