"""A question to the ledger, and a row of its answer."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from cloudkitty_like.domain import money
from cloudkitty_like.domain.period import Period, parse_instant

SCOPE, METRIC, DAY, TIME = "scope", "metric", "day", "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Frames of ``scopes`` that begin in ``period`` (None: ever), as known at ``as_of`` (None: now).

    ``scopes`` None is all of them, which whoever asks has to say: it has no
    default, so that nobody is shown everything by an oversight.  ``metrics``
    restricts to these where given.  ``filters`` maps a label to the values
    wanted of it.  ``groupby`` names, in the order of the answer's key,
    ``scope``, ``metric`` (answered as metric and unit), ``day``, ``time`` (a
    period's begin) or any label.  ``after`` is where reading frames starts:
    with the first whose begin and scope are not before these.
    """

    scopes: frozenset[str] | None
    period: Period | None = None
    metrics: frozenset[str] | None = None
    filters: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    groupby: tuple[str, ...] = ()
    as_of: int | None = None           # a ledger_tx id
    after: tuple[datetime, str] | None = None      # sums do not use it


LONGEST_CHANGE = 7          # digits of a change; eight of them are a date without its dashes


def parse_as_of(text: str) -> int | datetime:
    """Read what a report is *as of*: the number of a ledger change, or an instant.

    :raises Invalid: when the text is neither
    """
    if text.isdecimal() and len(text) <= LONGEST_CHANGE:
        return int(text)
    return parse_instant(text)


@dataclass(frozen=True, slots=True)
class Sum:
    """Points added up.  Quantities of different units are never added to one Sum."""

    qty: Decimal = money.ZERO
    price: Decimal = money.ZERO        # of the priced points
    points: int = 0
    unpriced: int = 0                  # points that no rule has priced

    def __add__(self, other: Sum) -> Sum:
        with money.arithmetic():
            return Sum(self.qty + other.qty, self.price + other.price,
                       self.points + other.points, self.unpriced + other.unpriced)

    def without_qty(self) -> Sum:
        """The same sum with a quantity of zero: that of points of several units means nothing."""
        return replace(self, qty=money.ZERO)


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One line of an answer: ``key`` in the order of Query.groupby."""

    key: tuple[str, ...]
    sum: Sum
    unit: str = ""                     # set where ``metric`` is in the grouping
