"""``/v2/dataframes``: rated points, page by page or all of them, and points handed in."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cloudkitty_like.api.context import CSV, Context, RouteAnswer
from cloudkitty_like.api.fields import FilterField, TextField
from cloudkitty_like.api.params import (
    ANY,
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.render import csv_bytes, with_offset
from cloudkitty_like.api.v2.points import FramesField
from cloudkitty_like.api.v2.report_query import (
    AS_OF,
    BEGIN,
    END,
    LIMIT,
    OFFSET,
    ReportQuery,
    following,
)
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.money import ZERO, plain
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.reports.pages import PointPages as Points

EMPTY = "Parameter dataframes must not be empty."
NONE = "No resource found for provided filters."
POINT = object_of(vol=object_of(unit=TEXT, qty=NUMBER), rating=object_of("unpriced", price=NUMBER, unpriced=FLAG),
                  groupby={"type": "object"}, metadata={"type": "object"})
FRAME = object_of(period=object_of(begin=TEXT, end=TEXT),
                  usage={"type": "object", "additionalProperties": list_of(POINT)})
COLUMNS = ("begin", "end", "scope", "type", "unit", "qty", "price")


@dataclass(frozen=True)
class DataFrameRoutes:
    """Points of the ledger, restricted to what the caller may see."""

    asking: ReportQuery
    points: Points
    posting: PointIngest

    @returns(object_of("next", total=WHOLE, dataframes=list_of(FRAME), next=TEXT), csv=True)
    @accepts(begin=BEGIN, end=END, filters=Param(FilterField(), {}, "type, the scope key or any label"), offset=OFFSET,
             limit=LIMIT, as_of=AS_OF, after=Param(TextField(), None, "where the page before ended: from its next"))
    def get_all(self, context: Context, *, offset: int, limit: int, after: str | None,
                **filters: Any) -> Any:
        """A page of points, in frames of one period; NotFound where there is none."""
        query = self.asking.query(context, **filters)
        if context.accepts == CSV:
            pieces = iter(()) if query is None else self.points.stream(query)
            return RouteAnswer(csv_bytes((*COLUMNS, "groupby", "metadata"), _rows(pieces)), content_type=CSV)
        if query is not None and query.scopes == frozenset() and not context.caller.is_admin:
            return {"total": 0, "dataframes": []}       # a caller without a scope: nothing, and no error
        page = None if query is None else self.points.page(query, offset, limit, after)
        if page is None or not page.total:
            raise NotFound(NONE)
        more = {} if page.next is None else {"next": following(context, leave_out=("offset",), after=page.next)}
        return {"total": page.total, "dataframes": _frames(page.points, context.number)} | more

    @returns(ANY)
    @accepts(dataframes=Param(FramesField(), text="frames of a period, with usage by metric"))
    def post(self, context: Context, dataframes: Sequence[PostedPoint]) -> Any:
        """Hands points in, with their prices; one that was handed in before is replaced."""
        if not dataframes:
            raise Invalid(EMPTY)
        self.posting.post(dataframes, context.author)
        return RouteAnswer(status=204)


def _frames(pieces: Sequence[tuple[str, Frame]], number: Callable[[Decimal], Any]) -> list[dict[str, Any]]:
    """Frames as CloudKitty has them: all scopes and metrics of a period together."""
    by_period: dict[tuple[datetime, datetime], dict[str, list[dict[str, Any]]]] = {}
    for _, frame in pieces:
        usage = by_period.setdefault((frame.period.begin, frame.period.end), {})
        usage.setdefault(frame.metric, []).extend(_points(frame, number))
    return [{"period": {"begin": with_offset(begin), "end": with_offset(end)}, "usage": usage}
            for (begin, end), usage in sorted(by_period.items())]


def _points(frame: Frame, number: Callable[[Decimal], Any]) -> Iterator[dict[str, Any]]:
    groupby, metadata = tuple(frame.groupby), tuple(frame.metadata)
    for split, described, qty, price in frame.rows():
        rating: dict[str, Any] = {"price": number(ZERO if price is None else price)}
        if price is None:
            rating["unpriced"] = True
        yield {"vol": {"unit": frame.unit, "qty": number(qty)}, "rating": rating,
               "groupby": dict(zip(groupby, split, strict=False)),
               "metadata": dict(zip(metadata, described, strict=False))}


def _rows(pieces: Iterator[tuple[str, Frame]]) -> Iterator[list[Any]]:
    """Lines of CSV; an unpriced point has no price there.  Labels are ``name=value`` with semicolons between."""
    for scope, frame in pieces:
        groupby, metadata = tuple(frame.groupby), tuple(frame.metadata)
        head = [with_offset(frame.period.begin), with_offset(frame.period.end), scope, frame.metric, frame.unit]
        for split, described, qty, price in frame.rows():
            yield [*head, plain(qty), "" if price is None else plain(price),
                   _labels(groupby, split), _labels(metadata, described)]


def _labels(names: Sequence[str], cells: Sequence[str]) -> str:
    return ";".join([f"{name}={cell}" for name, cell in zip(names, cells, strict=True)])
