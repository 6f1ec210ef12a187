"""Days, weeks, months and years as reports group by them: derived from a period's begin, in UTC, never stored."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from cloudkitty_like.domain.period import DAY, Period

CalendarUnit = Literal["day_of_the_year", "week_of_the_year", "month", "year"]
UNITS: Mapping[str, CalendarUnit] = MappingProxyType({
    "time-d": "day_of_the_year", "time-w": "week_of_the_year", "time-m": "month", "time-y": "year"})
"""CloudKitty's ways to ask for them, and the names that their numbers have in an answer."""


def number(unit: CalendarUnit, when: datetime) -> str:
    """The unit's number: day 1 to 366, week 00 to 53 (from Sunday to Saturday, as ``%U``), month 1 to 12, the year."""
    match unit:
        case "day_of_the_year":
            return str(when.timetuple().tm_yday)
        case "week_of_the_year":
            return when.strftime("%U")
        case "month":
            return str(when.month)
        case _:
            return f"{when.year:04}"


def bounds(unit: CalendarUnit, when: datetime) -> Period:
    """The whole unit that an instant is in; a week ends with its year."""
    day = Period.day_of(when)
    year = Period(Period.month_of(when.replace(month=1, day=1)).begin, Period.month_of(when.replace(month=12)).end)
    match unit:
        case "day_of_the_year":
            return day
        case "week_of_the_year":
            since_sunday = (when.weekday() + 1) % 7
            sunday = day.begin - since_sunday * DAY
            return Period(max(sunday, year.begin), min(sunday + timedelta(days=7), year.end))
        case "month":
            return Period.month_of(when)
        case _:
            return year
