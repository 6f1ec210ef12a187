"""``reprocess``: rate periods of the past again, watch it, cancel it, undo it."""
from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window, aligned, some_or_all, window
from cloudkitty_like.cli.foreground import INTERRUPTED, ProgressLine, leave, log_to_stderr, stopping
from cloudkitty_like.cli.query_options import check_scopes
from cloudkitty_like.cli.source_retention import warn_of_forgotten
from cloudkitty_like.domain import money
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.amounts import Amounts
    from cloudkitty_like.domain.scope_state import ScopeState
    from cloudkitty_like.domain.task import Task, TaskTotals

MOST_IDS = 100_000
STATES = ("waiting", "running", "failing", "parked", "done", "cancelled")
"""What a task's ``state`` is one of."""


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    start = actions.add_parser("start", help="have periods rated again by the rules of now; a task for each scope")
    start.add_argument("--scope", action="append", metavar="ID", help="this scope; may be repeated")
    start.add_argument("--all", action="store_true", help="every active scope")
    add_window(start, required=True)
    start.add_argument("--from-ledger", action="store_true",
                       help="take the quantities that the ledger has kept, and do not ask the source again")
    listing = actions.add_parser("list", help="the tasks, how far they are, and what they came to")
    listing.add_argument("--scope", action="append", metavar="ID", help="only of this scope; may be repeated")
    listing.add_argument("--waiting", action="store_true", help="only those that have not ended")
    listing.add_argument("--only", action="append", choices=STATES, metavar="STATE",
                         help=f"only tasks in this state: {', '.join(STATES)}; may be repeated")
    show = actions.add_parser("show", help="one task, with its totals before and after")
    show.add_argument("id", type=number, metavar="ID", help="number of the task")
    cancel = actions.add_parser("cancel", help="stop; what was done stays")
    undo = actions.add_parser("undo", help="bring back what was there before, where nobody has changed it since")
    for action in (cancel, undo):
        action.add_argument("id", type=numbers, nargs="+", metavar="ID", help="number of a task, or 12-40 for several")
    for action in (start, undo):
        action.add_argument("--reason", required=True, help="why; kept with the change")
        action.add_argument("--wait", action="store_true", help="work it off here and now, and say what came of it")
    for action in (listing, show):
        action.add_argument("--json", action="store_true", help="print JSON, amounts as strings")


def number(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,15}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a task")
    return int(text)


def numbers(text: str) -> range:
    """``12`` or ``12-40``, as argparse wants a type."""
    first, dash, last = text.partition("-")
    ids = range(number(first), number(last if dash else first) + 1)
    if not ids:
        raise argparse.ArgumentTypeError(f"{text!r}: the last is before the first")
    if len(ids) > MOST_IDS:
        raise argparse.ArgumentTypeError(f"{text!r}: that is more than {MOST_IDS} tasks")
    return ids


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "start":
            return _start(args, app)
        case "list":
            _list(args, app)
        case "show":
            _show(args, app)
        case "cancel":
            ended = app.use_cases.tasks.cancel(_ids(args), author=app.author)
            have = "it has" if len(ended) == 1 else "they have"
            print(f"{counted(len(ended), 'task')} cancelled; what {have} done stays.")
        case "undo":
            ids = app.use_cases.tasks.undo(_ids(args), author=app.author, reason=args.reason)
            return _asked(args, app, ids)
    return 0


def _ids(args: argparse.Namespace) -> set[int]:
    return {task_id for ids in args.id for task_id in ids}


def _start(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.domain.task import FROM_LEDGER, FROM_SOURCE
    from cloudkitty_like.service.corrections.tasks import ALL

    named = some_or_all(args)
    period = window(args)
    aligned(period, app.period)
    check_scopes(named or (), app)
    ids = app.use_cases.tasks.ask(
        [ALL] if named is None else list(dict.fromkeys(named)), period.begin,
        period.end - app.period, author=app.author, reason=args.reason,
        quantities=FROM_LEDGER if args.from_ledger else FROM_SOURCE)
    if not args.from_ledger:
        warn_of_forgotten(app, period.begin,
                          "with --from-ledger the quantities are those that the ledger has kept")
    return _asked(args, app, ids)


def _asked(args: argparse.Namespace, app: App, ids: Sequence[int]) -> int:
    which = f"Task {ids[0]}" if len(ids) == 1 else f"Tasks {ids[0]}-{ids[-1]}"
    print(f"{which} waiting." if not args.wait else f"{which}.", flush=True)
    if not args.wait:
        return 0
    code = _worked_off(args, app, ids)
    app.close()
    return leave(code)


def _worked_off(args: argparse.Namespace, app: App, ids: Sequence[int]) -> int:
    import logging

    from cloudkitty_like.orchestrator import assembly

    log_to_stderr(args.debug, logging.ERROR)
    before = app.use_cases.tasks.named(ids)
    progress = ProgressLine(Period(min(task.period.begin for task in before), max(task.period.end for task in before)))
    with stopping() as stop:
        worker = assembly.worker(app, stop, progressed=progress)
        with worker.heartbeat:
            worker.correct()
        progress.close()
        if stop.is_set():
            print("Stopped. What was done is kept; a processor goes on from there.", file=sys.stderr)
            return INTERRUPTED
    tasks = app.use_cases.tasks.named(ids)
    _table(tasks, app.use_cases.tasks.totals(tasks), app.period)
    unfinished = [task for task in tasks if task.state != "done"]
    scopes = app.use_cases.scopes.states() if unfinished else []
    states = {state.identifier: state for state in scopes}
    for task in unfinished:
        print(f"task {task.id}, scope {task.scope!r}: {_obstacle(task, states[task.scope])}",
              file=sys.stderr)
    return 1 if unfinished else 0


def _obstacle(task: Task, scope: ScopeState) -> str:
    """Why a task did not end although it was worked on."""
    if task.error is not None:
        return task.error
    if task.cancelled_by is not None:
        return f"it was cancelled by {output.printable(task.cancelled_by)}"
    if not scope.active:
        return "it waits until the scope is switched on again (scopes activate)"
    if scope.due is None or scope.due <= task.next:
        return (f"it waits until live rating has been through the period of {instant(task.next)}; "
                "a processor goes on from there")
    return f"it waits at {instant(task.next)}; another worker is at it, and goes on from there"


def _list(args: argparse.Namespace, app: App) -> None:
    tasks = [task for task in app.use_cases.tasks.tasks(args.scope, waiting=args.waiting)
             if not args.only or task.state in args.only]
    totals = app.use_cases.tasks.totals(tasks)
    if args.json:
        output.json([_entry(task, totals[task.id], app.period) for task in tasks])
    elif not tasks:
        print("There are no such tasks.")
    else:
        _table(tasks, totals, app.period)


def _table(tasks: Sequence[Task], totals: dict[int, TaskTotals], length: timedelta) -> None:
    output.table(
        ("task", "scope", "quantities", "from", "until", "done", "state", "price before", "after"),
        [(str(task.id), task.scope, _kind(task), instant(task.period.begin), instant(task.period.end),
          f"{task.done(length)}/{_periods(task, length)}", task.state,
          *(money.plain(_price(side)) for side in totals[task.id])) for task in tasks],
        right={"task", "done", "price before", "after"})


def _kind(task: Task) -> str:
    return task.kind if task.undoes is None else f"undo of {task.undoes}"


def _periods(task: Task, length: timedelta) -> int:
    return task.period.length // length


def _price(side: dict[tuple[str, str], Amounts]) -> Decimal:
    whole, part = (sum(getattr(amounts, f"price_{piece}") for amounts in side.values())
                   for piece in ("whole", "part"))
    return money.decimal(*money.exact_sum(whole, part))


def _show(args: argparse.Namespace, app: App) -> None:
    (task,) = app.use_cases.tasks.named([args.id])
    totals = app.use_cases.tasks.totals([task])[task.id]
    left = app.use_cases.tasks.left_alone(task)
    if args.json:
        output.json({**_entry(task, totals, app.period), "left_alone": [
            {"begin": instant(period.begin), "change": period.change, "author": period.author,
             "cause": period.cause} for period in left]})
        return
    _table([task], {task.id: totals}, app.period)
    print(f"\n{instant(task.created_at)} {output.printable(task.author)}: {output.printable(task.reason)}")
    print(f"{counted(task.changed, 'period')} {'has' if task.changed == 1 else 'have'} got a new revision.")
    if task.cancelled_by is not None:
        print(f"Cancelled by {output.printable(task.cancelled_by)}.")
    for line in (task.error or "").splitlines():
        print(f"  {output.printable(line)}")
    kinds = sorted({*totals.before, *totals.after})
    if kinds:
        print()
        output.table(("metric", "unit", "", "quantity", "price", "points", "unpriced"), [
            (metric if name == "before" else "", unit if name == "before" else "", name, *_cells(side.get(kind)))
            for kind in kinds for metric, unit in [kind]
            for name, side in (("before", totals.before), ("after", totals.after))],
            right={"quantity", "price", "points", "unpriced"})
    for period in left:
        print(f"left alone: {instant(period.begin)}, "
              + (f"since changed by {output.printable(period.author)} "
                 f"({period.cause}, change {period.change})" if period.change
                 else "whose former points are no longer kept"))


def _cells(amounts: Amounts | None) -> tuple[str, str, str, str]:
    if amounts is None:
        return "0", "0", "0", "0"
    return (money.plain(money.decimal(amounts.qty_whole, amounts.qty_part)),
            money.plain(money.decimal(amounts.price_whole, amounts.price_part)),
            str(amounts.points), str(amounts.unpriced))


def _entry(task: Task, totals: TaskTotals, length: timedelta) -> dict[str, object]:
    return {
        "id": task.id, "scope": task.scope, "begin": instant(task.period.begin), "end": instant(task.period.end),
        "quantities": task.kind, "undoes": task.undoes, "state": task.state, "periods": _periods(task, length),
        "periods_done": task.done(length), "periods_changed": task.changed, "periods_left_alone": task.left_alone,
        "author": task.author, "reason": task.reason, "created_at": instant(task.created_at),
        "ended_at": None if task.ended_at is None else instant(task.ended_at), "cancelled_by": task.cancelled_by,
        "error": task.error, "retry_at": None if task.retry_at is None else instant(task.retry_at),
        "totals": [{"metric": metric, "unit": unit, **{
            name: dict(zip(("qty", "price", "points", "unpriced"), _cells(side.get((metric, unit))), strict=True))
            for name, side in (("before", totals.before), ("after", totals.after))}}
            for metric, unit in sorted({*totals.before, *totals.after})],
    }
