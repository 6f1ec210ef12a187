"""Which period of a scope is due.  Pure: the clock and the progress are arguments."""
from __future__ import annotations

from datetime import datetime, timedelta

from cloudkitty_like.domain.period import Period


def is_over(period: Period, now: datetime, wait_periods: int) -> bool:
    """Whether the period has ended and the source was given its time to complete it."""
    return period.end + wait_periods * period.length <= now


def first_period(now: datetime, length: timedelta, *, given: datetime | None, data_begins: datetime | None) -> Period:
    """Where a new scope starts: at the given date, else at the month's begin or where data begins.

    A period holds the data's first instant rather than starting after it.
    """
    if given is not None:
        return Period.containing(given, length)
    month = Period.month_of(now).begin
    start = month if data_begins is None else max(month, data_begins)
    return Period.containing(start, length)


def back_off(failures: int, *, first: timedelta, most: timedelta) -> timedelta:
    """How long to leave a scope alone after its ``failures``-th failure in a row: doubling, bounded."""
    factor = 1 << min(max(failures - 1, 0), 30)
    # Compared before it is multiplied: a timedelta ends at 10^9 days.
    return most if first > most // factor else first * factor
