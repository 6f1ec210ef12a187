"""``scopes``: their progress and errors, and what an operator can do about them."""
from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window, moment, some_or_all, window
from cloudkitty_like.cli.source_retention import warn_of_forgotten
from cloudkitty_like.domain.hole import ACCEPTED, MISSING, Hole, by_scope, last_rated, sentences
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.scope_state import ScopeState
    from cloudkitty_like.service.operation.scopes import ResetResult


CONDITIONS = ("new", "ok", "failing", "parked", "inactive", "posted")
"""What :func:`_condition` answers."""


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="state, last rated period, lag and error of every scope")
    listing.add_argument("--only", action="append", choices=CONDITIONS, metavar="STATE",
                         help=f"only scopes in this state: {', '.join(CONDITIONS)}; may be repeated")
    listing.add_argument("--json", action="store_true", help="print JSON")
    missing = actions.add_parser("holes", help="what is not rated although it is past, and what was accepted as empty")
    missing.add_argument("--json", action="store_true", help="print JSON")
    reset = actions.add_parser("reset", help="rate from an instant on: again, where more is rated (superseded, not "
                                             "lost); else what lies between is skipped")
    reset.add_argument("--to", type=moment, required=True, metavar="TIME", help="from the period that holds it on")
    reset.add_argument("--dry-run", action="store_true", help="say what would become of each scope, and change nothing")
    reset.add_argument("--reason", default="", help="kept with the change; who skips has to say why")
    activate = actions.add_parser("activate", help="rate these scopes, or with --off leave them alone")
    activate.add_argument("--off", action="store_true", help="leave them alone from now on")
    activate.add_argument("scope", nargs="+", help="id of a scope")
    retry = actions.add_parser("retry", help="try scopes again now that failed or are parked")
    empty = actions.add_parser("accept-empty", help="say that no data in a stretch of time means no usage")
    add_window(empty, required=True)
    empty.add_argument("--reason", required=True, help="why; kept with the change")
    for action in (reset, retry, empty):
        action.add_argument("scope", nargs="*", help="id of a scope")
        action.add_argument("--all", action="store_true", help="every scope")


def run(args: argparse.Namespace, app: App) -> int:
    match args.action:
        case "list":
            _list(args, app)
        case "holes":
            _holes(args, app)
        case "reset":
            named = some_or_all(args)
            states = app.use_cases.scopes.states() if named is None else []
            _reset(args, app, {*(named or ()), *(state.identifier for state in states)})
        case "activate":
            _activate(args, app)
        case "retry":
            retried = app.use_cases.scopes.retry(some_or_all(args))
            print(f"{counted(len(retried), 'scope')} will be tried again.")
        case "accept-empty":
            app.use_cases.scopes.accept_empty(
                window(args), some_or_all(args), author=app.author, reason=args.reason)
            print("From now on no data in that time is taken as no usage.")
    return 0


def _reset(args: argparse.Namespace, app: App, scopes: Collection[str]) -> None:
    period = Period.containing(args.to, app.period)
    if args.to != period.begin:
        print(f"{instant(args.to)} is in the period from {instant(period.begin)} to {instant(period.end)}.")
    moved = (app.use_cases.scopes.preview(scopes, args.to) if args.dry_run else
             app.use_cases.scopes.reset(scopes, args.to, author=app.author, reason=args.reason))
    _tell(moved)
    if moved.back or moved.starting:
        warn_of_forgotten(app, moved.begin)
    if args.dry_run:
        _show(moved, app.period)


def _show(moved: ResetResult, length: timedelta) -> None:
    """What would become of each scope."""
    table = [(state.identifier, instant(state.due) if state.due else "-", *_effect(state, moved.begin, length))
             for state in sorted((*moved.back, *moved.forward, *moved.starting), key=lambda state: state.identifier)]
    if table:
        output.table(("scope", "rated up to", "would", "periods"), table, right={"periods"})
    print("Nothing was changed: a dry run.")


def _effect(state: ScopeState, begin: datetime, length: timedelta) -> tuple[str, str]:
    """What a reset would make of a scope, and of how many periods."""
    if state.due is None:
        return "start there", "-"
    if state.due < begin:
        return "go forward", str((begin - state.due) // length)
    return "go back", str((state.due - begin) // length)


def _activate(args: argparse.Namespace, app: App) -> None:
    changed = app.use_cases.scopes.activate(args.scope, not args.off)
    what = "left alone from now on" if args.off else "rated"
    for state in changed:
        since = f", from {instant(state.due)} on" if state.due and not args.off else ""
        print(f"{output.printable(state.identifier)} will be {what}{since}.")
    for identifier in sorted(set(args.scope) - {state.identifier for state in changed}):
        print(f"{output.printable(identifier)}: nothing has changed; it {'was' if args.off else 'is'} "
              f"{'left alone already' if args.off else 'active already'}.")


def _tell(moved: ResetResult) -> None:
    """What a reset has done."""
    again = len(moved.back) + len(moved.starting)
    if again or not moved.forward:
        print(f"{counted(again, 'scope')} will be rated again from {instant(moved.begin)} on.")
    if moved.forward:
        print(f"{counted(len(moved.forward), 'scope')} will be rated from {instant(moved.begin)} on, and not before:")
        for line in sentences(moved.skipped):
            print(f"  {output.printable(line)}")


def _list(args: argparse.Namespace, app: App) -> None:
    now, holes = app.clock(), by_scope(app.use_cases.holes.known())
    states = [state for state in app.use_cases.scopes.states()
              if not args.only or _condition(state) in args.only]
    if args.json:
        output.json([_entry(state, holes.get(state.identifier, ()), now, app.period) for state in states])
        return
    rows = [(state.identifier, _condition(state), instant(last) if last else "-", _lag(state, now), _counted(
        missing, app.period)) for state in states
        for missing in [holes.get(state.identifier, ())] for last in [_last(state, missing, app.period)]]
    shown = ("scope", "state", "last period", "lag", "not rated")[:5 if holes else 4]
    output.table(shown, [row[:len(shown)] for row in rows], right={"lag"})
    _errors(states)


def _counted(holes: Sequence[Hole], length: timedelta) -> str:
    """``3 unknown, 2 skipped``: periods."""
    counts = Counter[str]()
    for hole in holes:
        counts[hole.kind] += hole.period.length // length
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _holes(args: argparse.Namespace, app: App) -> None:
    holes = app.use_cases.holes.known((*MISSING, ACCEPTED))
    if args.json:
        output.json([{"scope": hole.scope, "begin": instant(hole.period.begin), "end": instant(hole.period.end),
                      "kind": hole.kind, "change": hole.change, "at": instant(hole.at), "author": hole.author,
                      "reason": hole.reason} for hole in holes])
    elif not holes:
        print("There are no holes.")
    else:
        output.table(("scope", "from", "until", "kind", "who", "when", "why"), [
            (hole.scope or "(all)", instant(hole.period.begin), instant(hole.period.end), hole.kind, hole.author,
             instant(hole.at)[:19] + "Z", hole.reason) for hole in holes])


def _errors(states: Sequence[ScopeState]) -> None:
    """Below the table, as they are long; one that several scopes have is said once."""
    whose: dict[str, list[str]] = {}
    for state in states:
        if state.error is not None:
            whose.setdefault(state.error, []).append(state.identifier)
    for error, identifiers in whose.items():
        print(f"\n{', '.join(map(output.printable, identifiers))}:")
        for line in error.splitlines():
            print(f"  {output.printable(line)}")


def _entry(state: ScopeState, holes: Sequence[Hole], now: datetime, length: timedelta) -> dict[str, object]:
    def text(when: datetime | None) -> str | None:
        return None if when is None else instant(when)

    return {
        "scope": state.identifier, "scope_key": state.scope.key, "fetcher": state.scope.fetcher,
        "collector": state.scope.collector, "state": _condition(state), "active": state.active,
        "last_period": text(_last(state, holes, length)), "due": text(state.due),
        "lag_seconds": int((now - state.due).total_seconds()) if state.due else None,
        "failures": state.failures, "error_kind": state.error_kind, "error": state.error,
        "error_at": text(state.error_at), "retry_at": text(state.retry_at),
        "holes": [{"begin": text(hole.period.begin), "end": text(hole.period.end), "kind": hole.kind}
                  for hole in holes],
    }


def _condition(state: ScopeState) -> str:
    if not state.active:
        return "inactive"
    if not state.found:
        return "posted"
    if state.parked_ruleset is not None:
        return "parked"
    if state.error is not None:
        return "failing"
    return "new" if state.due is None else "ok"


def _last(state: ScopeState, holes: Sequence[Hole], length: timedelta) -> datetime | None:
    """The begin of the period rated last; None before the first."""
    if state.due is None or state.first is None:
        return None
    end = last_rated(state.due, holes)
    return end - length if end > state.first else None


def _lag(state: ScopeState, now: datetime) -> str:
    if state.due is None:
        return "-"
    seconds = max(int((now - state.due).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
