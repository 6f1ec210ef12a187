"""``custom_fields``: ``SUM(qty) AS qty, AVG(price) AS mean``.  Parsed into values, never pasted into a query."""
from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.reports.grouping import Extremes, GroupTotals

AggregateFunction = Literal["SUM", "MIN", "MAX", "AVG", "COUNT"]
AmountColumn = Literal["qty", "price"]
MOST = 20
_FIELD = re.compile(
    r"\s*(SUM|MIN|MAX|AVG|COUNT)\s*\(\s*(qty|price)\s*\)\s+AS\s+(?:([A-Za-z_][A-Za-z0-9_]{0,63})|\"([^\"]{1,64})\")\s*\Z",
    re.IGNORECASE)
TAKEN = ("begin", "end")


@dataclass(frozen=True, slots=True)
class Projection:
    """One column of the answer."""

    function: AggregateFunction
    column: AmountColumn
    alias: str

    @property
    def extreme(self) -> bool:
        """Whether it can only be had by reading every point."""
        return self.function in ("MIN", "MAX")

    def value(self, group: GroupTotals, extremes: Extremes | None) -> Decimal | int | None:
        """Its value of a row; None where there is nothing to work it out from, or quantities have several units."""
        priced = group.sum.points - group.sum.unpriced
        count = group.sum.points if self.column == "qty" else priced
        if self.function == "COUNT":
            return count
        if self.column == "qty" and group.mixed:
            return None
        if self.extreme:
            name = f"{self.function.lower()}_{self.column}"
            extreme = None if extremes is None else getattr(extremes, name)
            return cast(Decimal | None, extreme)
        total = group.sum.qty if self.column == "qty" else group.sum.price
        if self.function == "SUM":
            return total
        if not count:
            return None
        with money.arithmetic():
            return money.rounded(total / count) if abs(total) < money.POINT_LIMIT * count else total / count


DEFAULT = (Projection("SUM", "qty", "qty"), Projection("SUM", "price", "rate"))


def projections(text: str) -> tuple[Projection, ...]:
    """The projections that a text names; Invalid with every part that is none."""
    fields: list[Projection] = []
    problems: list[str] = []
    for part in text.split(","):
        match = _FIELD.match(part)
        if match is None:
            problems.append(f"custom_fields: {part.strip()[:80]!r} is not FUNCTION(qty or price) AS alias, "
                            "with SUM, MIN, MAX, AVG or COUNT")
            continue
        function, column, plain, in_quotes = match.groups()
        fields.append(Projection(cast(AggregateFunction, function.upper()),
                                 cast(AmountColumn, column.lower()), plain or in_quotes))
    aliases = [field.alias for field in fields]
    problems += [f"custom_fields: {name!r} is there more than once" for name in sorted(set(aliases))
                 if aliases.count(name) > 1 or name in TAKEN]
    if len(fields) > MOST:
        problems.append(f"custom_fields: more than {MOST} of them")
    if problems:
        raise Invalid(*problems)
    return tuple(fields)
