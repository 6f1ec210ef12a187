"""Points as a test writes them down, and label values that are trouble."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query, Sum
from cloudkitty_like.ports import Addition

HOUR = Period.starting(datetime(2026, 11, 1, 22, tzinfo=UTC), timedelta(hours=1))
NEXT = HOUR.next()
TOMORROW = NEXT.next()

GREATEST = "999999999999999.999999999999"       # a point is below 10^15, to 12 decimals

LABELS = (
    "a", "A", "a ", " a", "", "á", "a\N{COMBINING ACUTE ACCENT}", "ß", "ss", "東京",
    "\N{PILE OF POO}", "it's", 'say "so"', "back\\slash",
    "100%", "%s", "{}", "\t", "\n", "a,b", "a:1", "null", "None", "0", "00", "x" * 3000,
)
"""Label values that a careless store takes for one another, or stumbles over."""

PointCell = tuple[Mapping[str, str], str, str | None]
"""One point as a test writes it: its labels, its quantity, its price."""


def points(*cells: PointCell, metric: str = "cpu", unit: str = "h", period: Period = HOUR,
           metadata: Sequence[str] = ()) -> Frame:
    """A frame of these points; labels that ``metadata`` names describe, all others are groupby labels."""
    names = dict.fromkeys(name for labels, _, _ in cells for name in labels)
    groupby = {name: [labels.get(name, "") for labels, _, _ in cells] for name in names if name not in metadata}
    described = {name: [labels.get(name, "") for labels, _, _ in cells] for name in names if name in metadata}
    frame = Frame.of_usage(metric, unit, period, [Decimal(qty) for _, qty, _ in cells], groupby, described)
    order = (*groupby, *described)
    prices = {tuple(labels.get(name, "") for name in order): price for labels, _, price in cells}
    return frame.with_price(
        None if (price := prices[(*split, *rest)]) is None else Decimal(price).quantize(Decimal("1e-12"))
        for split, rest, _, _ in frame.rows())


def addition(revision: int, *frames: Frame, scope: str = "one", collected: Sequence[Frame] | None = None) -> Addition:
    """These frames, all of one period, under a revision."""
    return Addition(revision, scope, frames[0].period if frames else HOUR, frames, collected)


def total(qty: str, price: str, count: int = 1, unpriced: int = 0) -> Sum:
    """The sum of so many points."""
    return Sum(Decimal(qty), Decimal(price), count, unpriced)


def by(*groupby: str) -> Query:
    """Everything, by these names."""
    return Query(scopes=None, groupby=groupby)
