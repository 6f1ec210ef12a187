"""Summaries as the API asks for them: by type, scope, label, period or calendar, in quantities where units allow."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import repeat

from cloudkitty_like.domain import calendar
from cloudkitty_like.domain.calendar import UNITS, CalendarUnit
from cloudkitty_like.domain.period import Period, instant, parse_instant
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, Sum
from cloudkitty_like.service.reports.summary import Summary


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """One row: where it begins and ends, its key in the order of the grouping, what it adds up to.

    ``mixed``: its points have several units, so that their quantities do not add up.
    """

    period: Period | None
    key: tuple[str, ...]
    sum: Sum
    mixed: bool = False

    @property
    def qty(self) -> Decimal | None:
        return None if self.mixed else self.sum.qty


@dataclass(frozen=True, slots=True)
class Grouping:
    """What to group by: names of Query.groupby, and units of the calendar, in the order of the answer's key."""

    names: tuple[str, ...] = ()

    @property
    def units(self) -> list[CalendarUnit]:
        return [UNITS[name] for name in self.names if name in UNITS]

    @property
    def columns(self) -> list[str]:
        """The names of the key's cells; a period is no cell but the row's begin and end."""
        return [UNITS.get(name, name) for name in self.names if name != TIME]

    @property
    def asked(self) -> tuple[str, ...]:
        """What the ledger is asked for: the metric always, for its unit; days where the calendar is made of them."""
        plain = [name for name in self.names if name not in UNITS]
        if self.units and TIME not in plain:
            plain.append(DAY)
        return tuple(dict.fromkeys([*plain, METRIC]))


@dataclass(frozen=True, slots=True)
class Extremes:
    """The least and the greatest of some points' quantities, and of the prices of those that have one."""

    min_qty: Decimal
    max_qty: Decimal
    min_price: Decimal | None
    max_price: Decimal | None

    def with_point(self, qty: Decimal, price: Decimal | None) -> Extremes:
        """These and another point."""
        least, most = self.min_price, self.max_price
        if price is not None:
            least, most = (price, price) if least is None or most is None else (min(least, price), max(most, price))
        return Extremes(min(self.min_qty, qty), max(self.max_qty, qty), least, most)


GroupKey = tuple[tuple[str, ...], Period | None]


@dataclass(frozen=True)
class GroupedSummary:
    """Makes them from the ledger's sums, or where sums do not say it from every point."""

    summary: Summary

    def rows(self, query: Query, grouping: Grouping, length: timedelta) -> list[GroupTotals]:
        """The rows, ordered by key, then by time; ``length`` is that of the ledger's periods."""
        groupby = grouping.asked
        groups: dict[GroupKey, dict[str, Sum]] = {}
        for row in self.summary.rows(replace(query, groupby=groupby)):
            cells = dict(zip(groupby, row.key, strict=True))
            units = groups.setdefault(_placed(cells, grouping, length, query.period), {})
            units[row.unit] = units[row.unit] + row.sum if row.unit in units else row.sum
        return [GroupTotals(period, key, _added(list(units.values())), len(units) > 1)
                for (key, period), units in sorted(groups.items(), key=_order)]

    def extremes(self, query: Query, grouping: Grouping, length: timedelta) -> dict[GroupKey, Extremes]:
        """By row.  Reads every point."""
        extremes: dict[GroupKey, Extremes] = {}
        for scope, frame in self.summary.frames(query):
            frame_cells = {SCOPE: scope, METRIC: frame.metric, TIME: instant(frame.period.begin),
                           DAY: instant(frame.period.begin)[:10]}
            labels = frame.labels
            columns = {name: labels[name] if name in labels else repeat("") for name in grouping.asked
                       if name not in frame_cells}
            cells = zip(*columns.values(), strict=False) if columns else repeat(())
            for row, qty, price in zip(cells, frame.qty, frame.price, strict=False):
                place = _placed(frame_cells | dict(zip(columns, row, strict=True)), grouping,
                                length, query.period)
                before = extremes.get(place)
                extremes[place] = (Extremes(qty, qty, price, price) if before is None
                                   else before.with_point(qty, price))
        return extremes


def _placed(cells: Mapping[str, str], grouping: Grouping, length: timedelta, window: Period | None) -> GroupKey:
    """The row that cells, by what was asked for, belong to."""
    when = None
    if TIME in grouping.names or grouping.units:
        when = parse_instant(cells[TIME] if TIME in cells else cells[DAY])
    key = tuple(
        calendar.number(UNITS[name], when) if name in UNITS and when is not None else cells[name]
        for name in grouping.names if name != TIME)
    period = None if when is None else _period(when, grouping, length)
    return key, period if TIME in grouping.names else _clipped(period, window)


def _period(when: datetime, grouping: Grouping, length: timedelta) -> Period:
    """The time that is in all units of time that are grouped by: two years' Mays are two rows."""
    if TIME in grouping.names:
        return Period.starting(when, length)
    units = [calendar.bounds(unit, when) for unit in grouping.units]
    return Period(max(unit.begin for unit in units), min(unit.end for unit in units))


def _clipped(period: Period | None, window: Period | None) -> Period | None:
    """The part of a row's time that was asked about, but a rating period is whole: it counts by its begin."""
    if period is None or window is None:
        return period or window
    return Period(max(period.begin, window.begin), min(period.end, window.end)) if period.overlaps(window) else period


def _added(sums: Sequence[Sum]) -> Sum:
    if len(sums) == 1:
        return sums[0]
    return sum(sums, Sum()).without_qty()


def _order(item: tuple[GroupKey, object]) -> tuple[object, ...]:
    (key, period), _ = item
    return key, period.begin.timestamp() if period is not None else 0.0

