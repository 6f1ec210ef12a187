"""``scopes``: their progress and errors, and what an operator can do about them."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.arguments import add_window, moment, some_or_all, window
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.db.scopes import ScopeState


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="state, last rated period, lag and error of every scope")
    listing.add_argument("--json", action="store_true", help="print JSON")
    reset = actions.add_parser("reset", help="rate again from an instant on; what was rated is superseded, not lost")
    reset.add_argument("--to", type=moment, required=True, metavar="TIME", help="from the period that holds it on")
    reset.add_argument("--reason", default="", help="kept with the change")
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
        case "reset":
            named = some_or_all(args)
            scopes = set(named) if named is not None else {state.identifier for state in app.scopes.states()}
            app.scopes.reset(scopes, args.to, author=app.author, reason=args.reason)
            begin = Period.containing(args.to, app.period).begin
            print(f"{counted(len(scopes), 'scope')} will be rated again from {instant(begin)} on.")
        case "activate":
            app.scopes.activate(args.scope, not args.off)
        case "retry":
            retried = app.scopes.retry(some_or_all(args))
            print(f"{counted(len(retried), 'scope')} will be tried again.")
        case "accept-empty":
            app.scopes.accept_empty(window(args), some_or_all(args), author=app.author, reason=args.reason)
            print("From now on no data in that time is taken as no usage.")
    return 0


def _list(args: argparse.Namespace, app: App) -> None:
    now, states = app.clock(), app.scopes.states()
    if args.json:
        output.json([_entry(state, now, app.period) for state in states])
        return
    output.table(
        ("scope", "state", "last period", "lag"),
        [(state.identifier, _condition(state), instant(last) if (last := _last(state, app.period)) else "-",
          _lag(state, now)) for state in states],
        right={"lag"})
    _errors(states)


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


def _entry(state: ScopeState, now: datetime, length: timedelta) -> dict[str, object]:
    def text(when: datetime | None) -> str | None:
        return None if when is None else instant(when)

    return {
        "scope": state.identifier, "scope_key": state.scope.key, "fetcher": state.scope.fetcher,
        "collector": state.scope.collector, "state": _condition(state), "active": state.active,
        "last_period": text(_last(state, length)), "due": text(state.due),
        "lag_seconds": int((now - state.due).total_seconds()) if state.due else None,
        "failures": state.failures, "error_kind": state.error_kind, "error": state.error,
        "error_at": text(state.error_at), "retry_at": text(state.retry_at),
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


def _last(state: ScopeState, length: timedelta) -> datetime | None:
    """The begin of the period rated last; None before the first."""
    return state.due - length if state.due is not None and state.rated else None


def _lag(state: ScopeState, now: datetime) -> str:
    if state.due is None:
        return "-"
    seconds = max(int((now - state.due).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
