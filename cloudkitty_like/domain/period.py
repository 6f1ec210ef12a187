"""Half-open UTC windows: the only notion of time the rest of the code knows."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloudkitty_like.domain.errors import Invalid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than anything; behind it there is room for the month that holds it."""
DAY = timedelta(days=1)
_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?[0-5]\d)?)?$")


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """From ``begin`` (included) to ``end`` (excluded), both aware and kept in UTC."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", _in_utc(self.begin))
        object.__setattr__(self, "end", _in_utc(self.end))
        if self.begin >= self.end:
            raise Invalid(f"a period must end after it begins: {instant(self.begin)} to {instant(self.end)}")

    @classmethod
    def starting(cls, begin: datetime, length: timedelta) -> Period:
        # In UTC, so that an hour is an hour when the clocks change.
        begin = _in_utc(begin)
        try:
            return cls(begin, begin + length)
        except OverflowError:
            raise Invalid(f"{instant(begin)} is out of range") from None

    @classmethod
    def containing(cls, when: datetime, length: timedelta) -> Period:
        """The one of the periods of this length, counted from 1970, that ``when`` is in."""
        try:
            begin = EPOCH + (_in_utc(when) - EPOCH) // length * length
        except OverflowError:
            raise Invalid(f"{instant(when)} is out of range") from None
        return cls.starting(begin, length)

    @classmethod
    def month_of(cls, when: datetime) -> Period:
        first = _in_utc(when).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        try:
            return cls(first, (first + timedelta(days=32)).replace(day=1))
        except OverflowError:
            raise Invalid(f"{instant(when)} is out of range") from None

    @classmethod
    def day_of(cls, when: datetime) -> Period:
        return cls.containing(when, DAY)

    @property
    def length(self) -> timedelta:
        return self.end - self.begin

    @property
    def seconds(self) -> int:
        return int(self.length.total_seconds())

    def next(self) -> Period:
        return Period.starting(self.end, self.length)

    def split(self, length: timedelta) -> Iterator[Period]:
        """Consecutive periods of ``length``; the last is shorter where it does not fit."""
        begin = self.begin
        while begin < self.end:
            end = begin + length if length < self.end - begin else self.end
            yield Period(begin, end)
            begin = end

    def overlaps(self, other: Period) -> bool:
        return self.begin < other.end and other.begin < self.end

    def covers(self, other: Period) -> bool:
        return self.begin <= other.begin and other.end <= self.end

    def __contains__(self, when: datetime) -> bool:
        return self.begin <= when < self.end

    def __str__(self) -> str:
        return f"{instant(self.begin)} to {instant(self.end)}"


def parse_instant(text: str) -> datetime:
    """``2026-11-01``, ``2026-11-01T10:00``, with seconds, fraction, ``Z`` or an offset; UTC without one."""
    if not _SHAPE.match(text.strip()):
        raise Invalid(f"{text!r} is not a date or time: write 2026-11-01 or 2026-11-01T10:00:00Z")
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is not a date or time: {error}") from None
    try:
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except OverflowError:
        raise Invalid(f"{text!r} is out of range") from None


def instant(when: datetime) -> str:
    """``2026-11-01T10:00:00Z``, with a fraction of a second only where there is one."""
    return _in_utc(when).replace(tzinfo=None).isoformat() + "Z"


def _in_utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise Invalid(f"{when} needs a time zone")      # astimezone() would take this machine's
    return when.astimezone(UTC)
