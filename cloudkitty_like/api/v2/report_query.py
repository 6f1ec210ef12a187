"""From the arguments of a report to a question to the ledger, about what the caller may see."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.fields import InstantField, IntegerField, TextField
from cloudkitty_like.api.params import Param, check_order, window
from cloudkitty_like.domain.calendar import UNITS
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.query import METRIC, SCOPE, TIME, Query, parse_as_of
from cloudkitty_like.service.access import visible

TYPE = "type"
MOST_ROWS = 10_000

BEGIN = Param(InstantField(), None,
              "first instant; the begin of the current month (UTC) where not given")
END = Param(InstantField(), None,
            "first instant after; the begin of the next month where not given")
OFFSET = Param(IntegerField(least=0), 0, "how many rows to leave out")
LIMIT = Param(IntegerField(least=1, most=MOST_ROWS), 100, "how many rows at most")
AS_OF = Param(TextField(longest=40, may_be_empty=False), None,
              "a change of the ledger, by its number or a time: the answer as it was then")


@dataclass(frozen=True)
class ReportQuery:
    """``change_at``: from an instant to the ledger change that was the last then."""

    scope_key: str
    change_at: Callable[[datetime], int]
    last_change: Callable[[], int]

    def query(self, context: Context, begin: datetime | None, end: datetime | None,
              filters: Mapping[str, frozenset[str]], as_of: str | None) -> Query | None:
        """The question, without a grouping; None where the window is empty."""
        check_order(begin, end)
        period = window(context.now, begin, end)
        if period is None:
            return None
        labels = dict(filters)
        metrics = _both(labels.pop(TYPE, None), labels.pop(METRIC, None))
        scopes = _both(labels.pop(self.scope_key, None), labels.pop(SCOPE, None))
        return Query(scopes=visible(context.caller, self.scope_key, scopes), period=period,
                     metrics=metrics,
                     filters=labels, as_of=None if as_of is None else self.change(as_of))

    def change(self, as_of: str) -> int:
        """The ledger change that ``as_of`` names."""
        try:
            named = parse_as_of(as_of)
        except Invalid as error:
            raise Invalid(*(f"as_of: {problem}" for problem in error.problems)) from None
        if isinstance(named, datetime):
            return self.change_at(named)
        last = self.last_change()
        if not 0 < named <= last:
            extent = f"the changes 1 to {last}" if last else "no changes yet"
            raise Invalid(f"as_of: the ledger has {extent}")
        return named

    def names(self, groupby: Sequence[str]) -> tuple[str, ...]:
        """CloudKitty's names of a grouping as the ledger's."""
        ledger_names: dict[str, str] = {TYPE: METRIC, self.scope_key: SCOPE}
        ledger_names.update((stored, unit) for unit, stored in UNITS.items())
        names = tuple(dict.fromkeys(ledger_names.get(name, name) for name in groupby))
        wrong = [name for name in names if name.startswith(f"{TIME}-") and name not in UNITS]
        if wrong:
            raise Invalid(*(f"groupby: {name!r} is not one of {', '.join(UNITS)}"
                            for name in wrong))
        return names

    def spelled(self, columns: Sequence[str]) -> list[str]:
        """The ledger's names of columns as CloudKitty's."""
        return [{METRIC: TYPE, SCOPE: self.scope_key}.get(name, name) for name in columns]


def _both(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    if first is None or second is None:
        return second if first is None else first
    return first & second


def following(context: Context, leave_out: Sequence[str] = (), **changes: object) -> str:
    """The URL of the next page: this one, with other arguments."""
    gone = {*leave_out, *changes}
    kept = [(name, value) for name, value in parse_qsl(context.query, keep_blank_values=True)
            if name not in gone]
    return f"{context.path}?{urlencode([*kept, *changes.items()])}"

