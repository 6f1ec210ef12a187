"""Who has changed what, when and why: the rules and the ledger in one list."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from cloudkitty_like.db import acceptances, scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import history, holes
from cloudkitty_like.db.ledger.history import (
    RATING,
    ChangeRecord,
    FrameEffect,
    HistoryWindow,
    TouchedRules,
)
from cloudkitty_like.db.ledger.holes import HolesLeft
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.text import counted
from cloudkitty_like.service.metrics.acceptance import difference

RULES, LEDGER, METRICS = "rules", "ledger", "metrics"
KINDS = (RULES, LEDGER, METRICS)
START = "start"
GAP, SKIP = "gap", "skip"
MOVED = {START: "begun", SKIP: "taken forward"}
LEAVING = {GAP: "unknown", SKIP: "skipped"}
"""The causes of changes that leave holes, and what is said of the scopes there."""
EVERYWHERE = ("purge",)
"""Causes of changes that are about every scope."""

NAMES = "names"
"""A name alone prices nothing, so it concerns no scope."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change, or those that were made period by period for one request or in one gap."""

    at: datetime                       # of the first
    kind: str                          # one of KINDS
    first: int                         # number of the change; as_of is one of the ledger
    last: int
    author: str
    cause: str
    reason: str
    summary: str
    period: Period | None = None       # from the first period it is about to the last; None: about none
    scopes: int = 0                    # most at once
    published: int = 0                 # revisions
    superseded: int = 0
    price: Decimal | None = None       # by which the total price has changed; None: by nothing that was published
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which changes: recorded from ``begin`` on and before ``end``, of these kinds, about these scopes (None: all)."""

    begin: datetime | None = None
    end: datetime | None = None
    kinds: Collection[str] = KINDS
    scopes: Collection[str] | None = None
    everything: bool = False           # ordinary rating too


class ChangeHistory:
    """Reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, history_filter: HistoryFilter) -> list[HistoryEntry]:
        """In the order of time.  NotFound naming every scope that there is not."""
        with self._database.read() as tx:
            window = HistoryWindow(history_filter.begin, history_filter.end)
            if history_filter.scopes is not None:
                ids = scopes.ids(tx, history_filter.scopes)
                missing = sorted(set(history_filter.scopes) - ids.keys())
                if missing:
                    raise NotFound("\n".join(f"no scope is called {name!r}" for name in missing))
                window = replace(window, scope_ids=set(ids.values()), identifiers=set(ids))
            entries = _rules(tx, window) if RULES in history_filter.kinds else []
            if LEDGER in history_filter.kinds:
                entries += _ledger(tx, window, history_filter.everything)
            if METRICS in history_filter.kinds:
                entries += _metrics(tx, window)
        return sorted(entries, key=lambda entry: (entry.at, entry.kind, entry.first))


def _rules(tx: Connection, window: HistoryWindow) -> list[HistoryEntry]:
    changes = history.rule_changes(tx, window)
    touched = history.touched(tx, [change.id for change in changes], window.identifiers)
    return [HistoryEntry(change.at, RULES, change.id, change.id, change.author, change.cause, change.reason,
                         _said(touched[change.id]))
            for change in changes if window.identifiers is None or touched[change.id].keys() - {NAMES}]


def _metrics(tx: Connection, window: HistoryWindow) -> list[HistoryEntry]:
    """Which metric definitions came to hold; they concern every scope."""
    every = acceptances.everything(tx)
    texts = acceptances.texts(tx, {acceptance.digest for acceptance in every})
    entries, before = [], None
    for now in every:
        if (window.begin is None or now.at >= window.begin) and (window.end is None or now.at < window.end):
            change = difference(None if before is None else texts[before.digest], texts[now.digest],
                                before is not None and before.skip != now.skip)
            said = counted(len(change.added), "metric") if before is None else str(change)
            entries.append(HistoryEntry(now.at, METRICS, now.id, now.id, now.author,
                                        "accept" if now.explicit else START, now.reason, said))
        before = now
    return entries


def _said(touched: dict[str, TouchedRules]) -> str:
    """``rules: 2 added, 1 changed; modules: noop changed``."""
    parts = []
    for kind, rules in touched.items():
        counts = [f"{_counted(kind, names)} {what}" for what, names in (
            ("added", rules.added), ("changed", rules.changed), ("removed", rules.removed))
                  if names]
        parts.append(f"{kind}: {', '.join(counts)}")
    return "; ".join(parts)


def _counted(kind: str, names: Collection[str]) -> str:
    return ", ".join(sorted(names)) if kind == "modules" else str(len(names))


def _ledger(tx: Connection, window: HistoryWindow, everything: bool) -> list[HistoryEntry]:
    changes = history.ledger_changes(tx, window, everything=everything)
    numbers = [change.id for change in changes]
    effects = history.effects(tx, numbers, window.scope_ids)
    resets = history.resets(tx, numbers, window.scope_ids)
    left = holes.left(tx, numbers, window.scope_ids)
    if window.scope_ids is not None:
        change_ids = {*effects, *resets, *left}
        changes = [change for change in changes
                   if change.id in change_ids or change.cause in EVERYWHERE]
        # Of ordinary rating only what has superseded something of these very scopes.
        changes = [change for change in changes if everything or change.cause != RATING
                   or effects[change.id].superseded]
    return list(_together(_entry(change, effects.get(change.id), resets.get(change.id, 0), left.get(change.id))
                          for change in changes))


def _entry(change: ChangeRecord, effect: FrameEffect | None, reset: int, left: HolesLeft | None) -> HistoryEntry:
    entry = HistoryEntry(change.at, LEDGER, change.id, change.id, change.author, change.cause, change.reason,
                  f"{counted(reset, 'scope')} {MOVED.get(change.cause, 'taken back')}" if reset else "", scopes=reset)
    if change.cause in LEAVING and left is not None:
        entry = replace(entry, period=left.period, scopes=max(left.scopes, entry.scopes),
                        summary=_left(entry.cause, left.scopes, left.period))
    if effect is None:
        return entry
    period = Period(effect.begin, effect.end) if effect.begin is not None and effect.end is not None else None
    return _summed(replace(entry, period=period, scopes=effect.scopes, published=effect.published,
                           superseded=effect.superseded, price=effect.price, asked_at=effect.asked_at))


def _left(cause: str, scopes: int, period: Period) -> str:
    return f"{counted(scopes, 'scope')} {LEAVING[cause]} in {period}"


def _summed(entry: HistoryEntry) -> HistoryEntry:
    what = "" if entry.period is None else (
        f"{counted(entry.published, 'period')} of {counted(entry.scopes, 'scope')} in {entry.period}, ")
    price = money.plain(entry.price or money.ZERO)
    return replace(entry, summary=f"{what}{entry.superseded} superseded, price "
                                  f"{price if price.startswith('-') else '+' + price}")


def _together(entries: Iterable[HistoryEntry]) -> Iterable[HistoryEntry]:
    """What was done period by period, for tasks that were asked for together or in one gap, as one entry."""
    requests: dict[tuple[str, str, str, datetime], list[HistoryEntry]] = {}
    gaps: dict[tuple[str, str], list[HistoryEntry]] = {}
    for entry in entries:
        if entry.cause == GAP:
            gaps.setdefault((entry.author, entry.reason), []).append(entry)
        elif entry.asked_at is None:
            yield entry
        else:
            requests.setdefault((entry.cause, entry.author, entry.reason, entry.asked_at), []).append(entry)
    for group in requests.values():
        yield _one(group)
    for group in gaps.values():
        yield _gap(group)


def _gap(entries: Sequence[HistoryEntry]) -> HistoryEntry:
    """A gap that was left behind period by period."""
    first, periods = entries[0], [entry.period for entry in entries if entry.period is not None]
    scopes = max(entry.scopes for entry in entries)
    if not periods:
        return first
    whole = Period(min(period.begin for period in periods), max(period.end for period in periods))
    return replace(first, last=entries[-1].last, scopes=scopes, period=whole,
                   summary=_left(GAP, scopes, whole))


def _one(entries: Sequence[HistoryEntry]) -> HistoryEntry:
    first, periods = entries[0], [entry.period for entry in entries if entry.period is not None]
    with money.arithmetic():
        price = sum((entry.price or money.ZERO for entry in entries), money.ZERO)
    return _summed(replace(
        first, last=entries[-1].last, scopes=max(entry.scopes for entry in entries),
        period=Period(min(period.begin for period in periods),
                      max(period.end for period in periods)) if periods else None,
        published=sum(entry.published for entry in entries), superseded=sum(entry.superseded for entry in entries),
        price=price))
