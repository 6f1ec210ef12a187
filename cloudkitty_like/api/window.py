"""The stretch of time that a report is about."""
from __future__ import annotations

from datetime import datetime

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import LATEST, Period, instant


def check_order(begin: datetime | None, end: datetime | None) -> None:
    """Refuse what v1 takes for an empty stretch.

    :raises Invalid: when the begin is after the end
    """
    if begin is not None and end is not None and begin > end:
        raise Invalid(f"begin: {instant(begin)} is after end, {instant(end)}")


def window(now: datetime, begin: datetime | None, end: datetime | None) -> Period | None:
    """The period asked about, by default the current month; None where it is empty."""
    month = Period.month_of(now)
    begin = month.begin if begin is None else begin
    end = min(max(month.end, begin) if end is None else end, LATEST)
    return Period(begin, end) if begin < end else None
