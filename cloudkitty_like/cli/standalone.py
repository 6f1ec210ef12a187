"""``standalone``: everything in one process, its state in one directory."""
from __future__ import annotations

import argparse
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from cloudkitty_like.cli import name_warnings, standalone_setup
from cloudkitty_like.cli.foreground import (
    INTERRUPTED,
    ProgressLine,
    backfill,
    leave,
    log_to_stderr,
    stopping,
    warn_without_scopes,
)
from cloudkitty_like.cli.standalone_setup import HOST, SAMPLE
from cloudkitty_like.cli.state_directory import METRICS, PROGRAM, STATE
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.period import DAY, EPOCH, Period, instant, parse_instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App

MONTH = Period(parse_instant("2026-10-01"), parse_instant("2026-11-01"))
"""What the sample holds."""

API_PORT = 8889

prepare = standalone_setup.prepare


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="store_true",
                        help="rate the month that ships with the package, print a report and stop")
    parser.add_argument("--prometheus", metavar="URL", help="where usage is read from")
    parser.add_argument("--prometheus-user", metavar="NAME", help="user of its basic authentication")
    parser.add_argument("--prometheus-password-file", metavar="FILE", type=Path, help="file that holds the password")
    parser.add_argument("--prometheus-token-file", metavar="FILE", type=Path, help="file that holds a bearer token")
    parser.add_argument("--prometheus-ca", metavar="FILE", type=Path,
                        help="certificate authorities that its certificate is checked with")
    parser.add_argument("--file", metavar="FILE", type=Path, help="a CSV file of usage to read instead of a Prometheus")
    parser.add_argument("--scope-label", metavar="LABEL",
                        help="the label, or the column of the file, that says whose usage it is")
    parser.add_argument("--metrics", metavar="FILE", type=Path,
                        help="metrics.yml: what is measured; it is copied into the state directory")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="hashmap rules to apply at the start")
    parser.add_argument("--period", metavar="SECONDS", type=int, help="length of a rating period (default: 3600)")
    parser.add_argument("--guard", metavar="SELECTOR",
                        help="a series that is there whenever the Prometheus works (default: up); '' for none")
    parser.add_argument("--port", metavar="PORT", type=int, default=API_PORT,
                        help=f"where on this host the API answers (default: {API_PORT}); 0: nowhere")
    parser.add_argument("--once", action="store_true", help="stop when nothing more can be rated now, with a report")
    parser.add_argument("--relocate", action="store_true",
                        help="let a state directory that an earlier release has made, and that was moved or copied "
                             "since, use what it holds; and stop")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.operation.migration import upgrade

    if args.relocate:
        print(f"{args.state} uses what it holds itself: {app.database}.")
        return 0
    log_to_stderr(args.debug, logging.WARNING)
    if args.sample and app.clock() < MONTH.end + DAY:
        # A host whose clock is behind, where the month is not over yet.
        clock, shift = app.clock, MONTH.end + DAY - app.clock()
        app.clock = lambda: clock() + shift
    rules = SAMPLE / "rules.yml" if args.sample else args.rules
    answers = _look_at_source(args, app)
    print(f"The state is kept in the directory {args.state}.")
    if args.metrics is not None:
        print(f"The metrics of {args.metrics} are kept there too: from now on the copy counts, "
              f"{args.state / METRICS}.")
    upgrade(app.database)
    app.limit_database(answers=True)
    if rules is not None:
        print(f"Rules of {rules.name}:")
        _apply(rules, app)
    print(f"A price is per unit; that of a gauge is per unit and period, of {app.conf.collect.period} s.")
    name_warnings.show_of_installation(app, source=answers, rules=rules is None)
    code = _sample(args, app) if args.sample else _rate(args, app)
    app.close()
    return leave(code)


def _look_at_source(args: argparse.Namespace, app: App) -> bool:
    """Say at once what is wrong with the source; one that is down is waited for, but with --once.

    The answer is whether it answers.
    """
    app.check("fetcher", "collector", "metrics", "storage")
    try:
        warn_without_scopes(len(list(app.fetcher.scopes())), app)
    except Unavailable as error:
        if args.once or args.sample:
            raise
        print(f"{PROGRAM}: warning: the source does not answer, and is asked again until it does: {error}",
              file=sys.stderr)
        return False
    return True


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


def _rate(args: argparse.Namespace, app: App) -> int:
    """Rate what is over, show the totals, and go on until told to stop; the API answers meanwhile."""
    from cloudkitty_like.orchestrator import assembly

    with stopping() as stop:
        catching_up = ProgressLine(Period(Period.month_of(app.clock()).begin, app.clock()))
        live = _Live()
        worker = assembly.worker(
            app, stop,
            progressed=lambda period, scopes: (live if live.on else catching_up)(period, scopes))
        worker.heartbeat.daemon = not args.once        # one that comes now and then is not missed when it has gone
        with worker.heartbeat, _api(args, stop):
            worker.settle()
            _begin_with_file(app, worker)
            _drain(worker, once=args.once)
            catching_up.close()
            if stop.is_set():
                print("Stopped. What was rated is kept; the same command goes on from there.", file=sys.stderr)
                return INTERRUPTED
            _report(args, app)
            if args.once:
                return _unfinished(app)
            _go_on(args, app, worker, live)
    print("\nStopped. The same command, without arguments, goes on from here."
          if args.state == STATE else f"\nStopped. '{PROGRAM} standalone --state {args.state}' goes on from here.")
    return 0


def _begin_with_file(app: App, worker: Any) -> None:
    """Let rating begin where a file of usage does, be that years ago, and look at once for rows that it has got since.

    A service is rated from this month on, and asked again after a pause.
    """
    from cloudkitty_like.domain.scope_state import SOURCE
    from cloudkitty_like.service.operation import backfill as past

    if app.conf.collect.collector != "file":
        return
    worker.discover()
    begin = app.collector.begins(app.metrics.metrics, Period(EPOCH, app.clock()))
    scopes = app.use_cases.scopes
    scopes.retry([state.identifier for state in scopes.states() if state.error_kind == SOURCE])
    if begin is not None:
        first = Period.containing(begin, app.period).begin
        past.prepare(app.database, scopes, first, author=app.author)


def _go_on(args: argparse.Namespace, app: App, worker: Any, live: _Live) -> None:
    """Rate as time does."""
    print(f"\nPeriods of {app.conf.collect.period} s are rated as they end, each after a wait of "
          f"{app.conf.collect.wait_periods} more; Ctrl-C stops.", flush=True)
    live.on = True
    worker.run()


@contextmanager
def _api(args: argparse.Namespace, stop: threading.Event) -> Iterator[None]:
    """The API beside the processor, in a process of its own."""
    if not args.port or args.once:
        yield
        return
    command = [sys.executable, "-m", "cloudkitty_like", f"--state={args.state}", "api", "--host", HOST,
               "--port", str(args.port), "--workers", "1", "--parent", str(os.getpid())]
    with subprocess.Popen(command) as child:
        print(f"The API answers at http://{HOST}:{args.port}/", flush=True)
        threading.Thread(target=_watch, args=(child, stop), daemon=True).start()
        threading.Thread(target=_end_with, args=(child, stop), daemon=True).start()
        try:
            yield
        finally:
            stop.set()
            child.terminate()


def _end_with(child: subprocess.Popen[bytes], stop: threading.Event) -> None:
    """Tell the API to stop as soon as this process is told: should something hang here, nobody would later."""
    stop.wait()
    child.terminate()


def _watch(child: subprocess.Popen[bytes], stop: threading.Event) -> None:
    """Say so where the API ends before it was told to."""
    code = child.wait()
    if not stop.is_set():
        print(f"{PROGRAM}: error: the API has ended (exit code {code}); rating goes on without it", file=sys.stderr)


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
    failing = [state.identifier for state in app.use_cases.scopes.states()
               if state.active and state.error]
    if failing:
        print(f"{PROGRAM}: {counted(len(failing), 'scope')} could not be rated up to now; "
              f"'{PROGRAM} scopes list' says why", file=sys.stderr)
    return 1 if failing else 0


def _report(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.cli.report import show
    from cloudkitty_like.domain.query import METRIC, SCOPE, Query

    query = Query(scopes=None, groupby=(SCOPE, METRIC))
    rows = app.use_cases.summary.rows(query)
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
