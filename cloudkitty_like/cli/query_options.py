"""Which points of the ledger a command is about: their time, scopes, metrics and labels, and as of when."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cloudkitty_like.cli.arguments import add_window
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.period import DAY, EPOCH, LATEST, Period
from cloudkitty_like.domain.query import Query, parse_as_of

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The options that :func:`chosen` reads."""
    add_window(parser, required=False)
    parser.add_argument("--as-of", metavar="TIME|N",
                        help="as the ledger was at an instant, or after its change number N")
    parser.add_argument("--scope", action="append", metavar="ID", help="only this scope; may be repeated")
    parser.add_argument("--metric", action="append", metavar="NAME", help="only this metric; may be repeated")
    parser.add_argument("--filter", action="append", default=[], metavar="LABEL=VALUE",
                        help="only points with this label; may be repeated, values of one label are alternatives")


def add_form(parser: argparse.ArgumentParser) -> None:
    """``--csv`` and ``--json``."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--json", action="store_true", help="print JSON, amounts as strings")


def chosen(args: argparse.Namespace, app: App, groupby: Sequence[str] = ()) -> Query:
    """The question; Invalid or NotFound where it makes none."""
    query = Query(
        period=_window(args.begin, args.end),
        scopes=frozenset(args.scope) if args.scope else None,
        metrics=frozenset(args.metric) if args.metric else None,
        filters=_filters(args.filter),
        groupby=tuple(groupby),
        as_of=_change(args.as_of, app),
    )
    check_scopes(args.scope or (), app)
    return query


def check_scopes(scopes: Sequence[str], app: App) -> None:
    """NotFound for a scope that does not exist: that is not the same as one without usage."""
    identifiers = {state.identifier for state in app.use_cases.scopes.states()} if scopes else set()
    unknown = [f"no scope is called {scope!r}" for scope in scopes if scope not in identifiers]
    if unknown:
        raise NotFound("\n".join(unknown), hint="'cloudkitty-like scopes list' shows them all")


def labels(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """``LABEL=VALUE`` of each; Invalid, naming the option, where a text is none."""
    pairs = []
    for text in texts:
        label, equals, value = text.partition("=")
        if not label or not equals:
            raise Invalid(f"{option}: {text!r} is not LABEL=VALUE")
        pairs.append((label, value))
    return pairs


def _window(begin: datetime | None, end: datetime | None) -> Period | None:
    if begin is None and end is None:
        return None
    if begin is not None and end is not None and begin >= end:
        raise Invalid("--end: it is not after --begin")
    # Before 1970 and after the end of time there is nothing; a window there is one all the same.
    end = max(min(end or LATEST, LATEST), EPOCH)
    begin = begin or EPOCH
    return Period(begin if begin < end else end - DAY, end)


def _filters(texts: Sequence[str]) -> dict[str, frozenset[str]]:
    filters: dict[str, set[str]] = {}
    for label, value in labels("--filter", texts):
        filters.setdefault(label, set()).add(value)
    return {label: frozenset(values) for label, values in filters.items()}


def _change(text: str | None, app: App) -> int | None:
    if text is None:
        return None
    try:
        named = parse_as_of(text)
    except Invalid as error:
        raise Invalid(*(f"--as-of: {problem}" for problem in error.problems)) from None
    if isinstance(named, datetime):
        return app.use_cases.summary.change_at(named)
    last = app.use_cases.summary.last_change()
    if not 1 <= named <= last:
        raise NotFound(f"--as-of: the ledger has no change {text}; it has those from 1 to {last}"
                       if last else "--as-of: the ledger has no change yet")
    return named
