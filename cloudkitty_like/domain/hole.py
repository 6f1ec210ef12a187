"""A hole: a stretch of time of which the ledger does not know a scope's usage, and why."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from cloudkitty_like.domain.period import Period

ACCEPTED, UNKNOWN, SKIPPED = "accepted", "unknown", "skipped"
MISSING = (UNKNOWN, SKIPPED)
"""The kinds of which nothing is rated.  What is accepted is rated, as empty where there is no data."""
SHOWN, NAMED = 20, 5
"""How many stretches of time are told, and scopes of each."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Left by a change of the ledger: by whom, when and why."""

    scope: str | None                  # None: every scope; of what is accepted alone
    period: Period                     # of one or more rating periods
    kind: str
    change: int
    at: datetime
    author: str
    reason: str


def merged(holes: Iterable[Hole]) -> list[Hole]:
    """The same with those that follow each other in one scope, of one kind and author, as one.

    By scope and begin; the change of the first of them stands for all.
    """
    joined: list[Hole] = []
    for hole in sorted(holes, key=lambda hole: (hole.scope or "", hole.kind, hole.period)):
        last = joined[-1] if joined else None
        if last is not None and last.period.end == hole.period.begin and (
                last.scope, last.kind, last.author) == (hole.scope, hole.kind, hole.author):
            joined[-1] = replace(last, period=Period(last.period.begin, hole.period.end))
        else:
            joined.append(hole)
    return sorted(joined, key=lambda hole: (hole.scope or "", hole.period))


def by_scope(holes: Iterable[Hole]) -> dict[str, list[Hole]]:
    """Those of single scopes, by scope, in their order."""
    groups: dict[str, list[Hole]] = {}
    for hole in holes:
        if hole.scope is not None:
            groups.setdefault(hole.scope, []).append(hole)
    return groups


@dataclass(frozen=True, slots=True)
class Stretch:
    """The same hole of several scopes."""

    period: Period
    kind: str
    scopes: tuple[str, ...]            # NAMED of them at most, in order
    count: int                         # of all of them


def together(holes: Iterable[tuple[str, Period, str]]) -> list[Stretch]:
    """Holes, given by scope, period and kind, as stretches of time."""
    scopes: dict[tuple[Period, str], list[str]] = {}
    for scope, period, kind in holes:
        scopes.setdefault((period, kind), []).append(scope)
    return joined(Stretch(period, kind, tuple(sorted(names)[:NAMED]), len(names))
                  for (period, kind), names in scopes.items())


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same with those that follow each other, of the same scopes, as one; by time."""
    runs: list[Stretch] = []
    for stretch in sorted(stretches,
                          key=lambda part: (part.kind, part.scopes, part.count, part.period)):
        last = runs[-1] if runs else None
        if last is not None and stretch == replace(last, period=stretch.period) and (
                last.period.end == stretch.period.begin):
            runs[-1] = replace(last, period=Period(last.period.begin, stretch.period.end))
        else:
            runs.append(stretch)
    return sorted(runs, key=lambda part: (part.period, part.kind, part.scopes))


def sentences(stretches: Sequence[Stretch]) -> list[str]:
    """What is not in some figures: a line for each stretch, and one for those beyond SHOWN."""
    lines = [f"{stretch.period} is {stretch.kind}, of {_named(stretch)}"
             for stretch in stretches[:SHOWN]]
    if len(stretches) > SHOWN:
        lines.append(f"{len(stretches) - SHOWN} more stretches of time are unknown or skipped")
    return lines


def _named(stretch: Stretch) -> str:
    names = ", ".join(stretch.scopes)
    more = stretch.count - len(stretch.scopes)
    return f"{names} and {more} more scope{'s' if more > 1 else ''}" if more else names


def last_rated(due: datetime, holes: Iterable[Hole]) -> datetime:
    """The end of the last period of a scope that is rated, given its progress and its holes."""
    for hole in sorted(holes, key=lambda hole: hole.period, reverse=True):
        if hole.period.end >= due:
            due = min(due, hole.period.begin)
    return due


@dataclass(frozen=True, slots=True)
class UnknownHole:
    """An unknown hole of an active scope, whose source is to be asked again."""

    id: int
    scope_id: int
    scope: str
    shard_hash: int
    period: Period
    tries: int


class HoleExtent(NamedTuple):
    """How much is missing: seconds, added up over scopes, and how many scopes they are of."""

    seconds: int
    scopes: int
