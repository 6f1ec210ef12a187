"""``/v2/summary``: what was used and what it costs, grouped by anything."""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from cloudkitty_like.api.context import CSV, Context, RouteAnswer
from cloudkitty_like.api.fields import FilterField, TextField, TextListField
from cloudkitty_like.api.params import ANY, TEXT, WHOLE, Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.render import csv_bytes, with_offset
from cloudkitty_like.api.v2.projections import DEFAULT, Projection, projections
from cloudkitty_like.api.v2.report_query import (
    AS_OF,
    BEGIN,
    END,
    LIMIT,
    OFFSET,
    ReportQuery,
    following,
)
from cloudkitty_like.domain.calendar import UNITS
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.hole import MISSING, SHOWN, Stretch, sentences
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.query import METRIC, SCOPE, Query
from cloudkitty_like.service.reports.grouping import GroupedSummary, Grouping, GroupTotals

FORMATS = ("table", "object")
BOUNDS = ("begin", "end")
HOLES_HEADER = "X-Rating-Holes"
"""In an answer of CSV: how many stretches of time are not in it, as what was used then is unknown or was skipped."""
HOLE = object_of(begin=TEXT, end=TEXT, kind={"enum": list(MISSING)}, scope_ids=list_of(TEXT), scopes=WHOLE)
SHAPE = object_of("next", "columns", "holes", "warnings", total=WHOLE, format={"enum": list(FORMATS)},
                  columns=list_of(TEXT), results=list_of(ANY), next=TEXT, warnings=list_of(TEXT), holes=list_of(HOLE))


@dataclass(frozen=True)
class SummaryRoutes:
    """Sums of the ledger, restricted to what the caller may see."""

    asking: ReportQuery
    groups: GroupedSummary
    length: timedelta
    holes: Callable[[Query], Sequence[Stretch]]     # what is missing from the answer to a query
    labels: Callable[[], Collection[str]]           # those of metrics.yml

    @returns(SHAPE, csv=True)
    @accepts(begin=BEGIN, end=END,
             groupby=Param(TextListField(), (), "type, time, time-d (-w, -m, -y), the scope key, or any label"),
             filters=Param(FilterField(), {}, "type, the scope key or any label, with the values wanted"),
             custom_fields=Param(TextField(), "", "SUM(qty) AS qty, AVG(price) AS mean: SUM, MIN, MAX, AVG or COUNT"),
             response_format=Param(TextField(FORMATS), "table"), offset=OFFSET, limit=LIMIT, as_of=AS_OF)
    def get_all(self, context: Context, *, groupby: Sequence[str], custom_fields: str, response_format: str,
                offset: int, limit: int, **filters: Any) -> Any:
        """A page of rows, or all of them as CSV."""
        fields = projections(custom_fields) if custom_fields.strip() else DEFAULT
        grouping = Grouping(self.asking.names(groupby))
        query = self.asking.query(context, **filters)
        rows = [] if query is None else self.groups.rows(query, grouping, self.length)
        extremes = self.groups.extremes(query, grouping, self.length) \
            if query is not None and any(field.extreme for field in fields) else {}
        missing = [] if query is None else self.holes(query)
        columns = [*BOUNDS, *_distinct(fields, self.asking.spelled(grouping.columns))]

        def cells(row: GroupTotals, number: Callable[[Decimal], Any]) -> list[Any]:
            return _cells(row, [field.value(row, extremes.get((row.key, row.period)))
                                for field in fields], number)

        if context.accepts == CSV:
            return RouteAnswer(csv_bytes(columns, (cells(row, plain) for row in rows)), content_type=CSV,
                               headers={HOLES_HEADER: str(len(missing))} if missing else None)
        page = [cells(row, context.number) for row in rows[offset:offset + limit]]
        return _body(columns, page, response_format, len(rows)) | _missing(missing, self._absent(grouping, rows)) | (
            {"next": following(context, offset=offset + limit)} if offset + limit < len(rows) else {})

    def _absent(self, grouping: Grouping, rows: Sequence[GroupTotals]) -> list[str]:
        """A sentence about each label that is grouped by, and that neither metrics.yml nor any row has."""
        absent = [name for place, name in enumerate(grouping.columns)
                  if name not in (METRIC, SCOPE, *UNITS.values()) and not any(row.key[place] for row in rows)]
        labels = self.labels() if absent else ()
        return [f"groupby: no point has a label {name!r}" + _neighbour(name, labels)
                for name in absent if name not in labels]


def _neighbour(name: str, labels: Collection[str]) -> str:
    near = get_close_matches(name, labels, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _distinct(fields: Sequence[Projection], groups: Sequence[str]) -> list[str]:
    """The names of all columns behind begin and end; Invalid where two are called the same."""
    names = [field.alias for field in fields]
    if twice := [name for name in groups if name in (*BOUNDS, *names)]:
        raise Invalid(*(f"groupby: another column is called {name!r} too; custom_fields can rename it"
                        for name in twice))
    return [*names, *groups]


def _cells(row: GroupTotals, values: Sequence[Decimal | int | None], number: Callable[[Decimal], Any]) -> list[Any]:
    begin, end = (row.period.begin, row.period.end) if row.period is not None else (None, None)
    return [with_offset(begin), with_offset(end),
            *(number(value) if isinstance(value, Decimal) else value for value in values), *row.key]


def _body(columns: Sequence[str], page: Sequence[Sequence[Any]], response_format: str, total: int) -> dict[str, Any]:
    if response_format == "object":
        return {"total": total, "results": [dict(zip(columns, row, strict=True)) for row in page], "format": "object"}
    return {"total": total, "columns": list(columns) if page else [], "results": page, "format": "table"}


def _missing(stretches: Sequence[Stretch], more: Sequence[str]) -> dict[str, Any]:
    """What is not in the sums, and more warnings; nothing where there is nothing to say."""
    warnings = [*(f"not in these sums: {line}" for line in sentences(stretches)), *more]
    members: dict[str, Any] = {"warnings": warnings} if warnings else {}
    return members if not stretches else members | {
        "holes": [{"begin": with_offset(stretch.period.begin),
                   "end": with_offset(stretch.period.end), "kind": stretch.kind,
                   "scope_ids": list(stretch.scopes), "scopes": stretch.count}
                  for stretch in stretches[:SHOWN]]}
