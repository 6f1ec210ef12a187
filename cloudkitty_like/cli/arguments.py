"""Kinds of arguments that several commands take."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timedelta

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import Period, instant, parse_instant


def moment(text: str) -> datetime:
    """An instant, as argparse wants a type: its complaint names the option."""
    try:
        return parse_instant(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def grouping(text: str) -> list[str]:
    """A list separated by commas; nothing at all for no grouping."""
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise argparse.ArgumentTypeError(f"{', '.join(twice)} is named twice")
    return names


def add_window(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """``--begin`` and ``--end``."""
    for name, text in (("--begin", "from this instant on"), ("--end", "up to this instant, itself excluded")):
        parser.add_argument(name, type=moment, metavar="TIME", required=required,
                            help=f"{text}: 2026-11-01 or 2026-11-01T10:00:00Z, in UTC")


def window(args: argparse.Namespace) -> Period:
    """The period of ``--begin`` and ``--end``; Invalid where it is none."""
    if args.begin >= args.end:
        raise Invalid(f"--end: it is not after --begin ({instant(args.begin)})")
    return Period(args.begin, args.end)


def aligned(period: Period, length: timedelta) -> None:
    """Invalid where the window does not begin and end with a rating period."""
    problems = [
        f"{option}: {instant(when)} is inside a period; periods of {length.total_seconds():.0f} s begin at "
        f"{instant(Period.containing(when, length).begin)} and {instant(Period.containing(when, length).end)}"
        for option, when in (("--begin", period.begin), ("--end", period.end))
        if Period.containing(when, length).begin != when
    ]
    if problems:
        raise Invalid(*problems)


def some_or_all(args: argparse.Namespace, option: str = "--all") -> Sequence[str] | None:
    """The scopes named, or None for ``--all``; Invalid where neither or both are given."""
    if bool(args.scope) == bool(args.all):
        raise Invalid(f"name the scopes, or say {option}")
    return None if args.all else args.scope
