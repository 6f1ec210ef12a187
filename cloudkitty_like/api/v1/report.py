"""``/v1/report`` and ``/v1/storage``: totals, summaries and rated points."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudkitty_like.api.context import XML, Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, InstantField, TextField
from cloudkitty_like.api.params import TEXT, Param, accepts, list_of, object_of, returns, window
from cloudkitty_like.api.render import json_bytes, naive
from cloudkitty_like.api.routes import Target
from cloudkitty_like.api.v1.types import DataFrameBody, TotalBody, schema_of, written
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.money import ZERO, plain
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import METRIC, SCOPE, Query, SummaryRow
from cloudkitty_like.service.access import Caller, required, visible
from cloudkitty_like.service.reports.summary import Summary

ALL = "ALL"
WINDOW = {"begin": Param(InstantField(), None, "first instant"),
          "end": Param(InstantField(), None, "first instant after")}
WHOSE = {"tenant_id": Param(TextField(), None, "one scope"), "service": Param(TextField(), None, "one metric"),
         "all_tenants": Param(BooleanField(), False, "every scope")}


def tenant_target(scope_key: str) -> Target:
    """The project that a report is about: the tenant's, the caller's own where none is named, nobody's for all."""
    def target(values: Mapping[str, Any], caller: Caller) -> str | None:
        tenant = values.get("tenant_id")
        if values.get("all_tenants"):
            return None
        return caller.project_id if not tenant or tenant == caller.own_scope(scope_key) else tenant
    return target


@dataclass(frozen=True)
class ReportRoutes:
    """Sums and points of the ledger, restricted to what the caller may see."""

    summary: Summary
    scope_key: str

    @returns(list_of(TEXT))
    @accepts(**WINDOW)
    def tenants(self, context: Context, begin: datetime | None, end: datetime | None) -> Any:
        """The scopes with rated usage then."""
        period = window(context.now, begin, end)
        if period is None:
            return []
        query = Query(scopes=visible(context.caller, self.scope_key), period=period, groupby=(SCOPE,))
        return [row.key[0] for row in self.summary.rows(query)]

    @returns(TEXT)
    @accepts(**WINDOW, **WHOSE)
    def total(self, context: Context, **filters: Any) -> Any:
        """The price of everything then, as text."""
        rows = self._rows(context, (), **filters)
        return plain(rows[0].sum.price if rows else ZERO)

    @returns(object_of(summary=list_of(schema_of(TotalBody))))
    @accepts(**WINDOW, **WHOSE, groupby=Param(TextField(), None, "tenant_id, res_type or both"))
    def get_summary(self, context: Context, groupby: str | None, **filters: Any) -> Any:
        """Prices by scope, by metric, by both or by nothing."""
        names = tuple(name for word, name in (("tenant_id", SCOPE), ("res_type", METRIC)) if word in (groupby or ""))
        period = window(context.now, filters["begin"], filters["end"])
        rows = self._rows(context, names, **filters)
        return {"summary": [_summary(row, names, period, filters) for row in rows]
                if period is not None else []}

    @returns(object_of(dataframes=list_of(schema_of(DataFrameBody))))
    @accepts(**WINDOW, tenant_id=WHOSE["tenant_id"], resource_type=Param(TextField(), None, "one metric"))
    def dataframes(self, context: Context, begin: datetime | None, end: datetime | None, tenant_id: str | None,
                   resource_type: str | None) -> Any:
        """Every rated point then, by period, scope and metric; as it is read."""
        period = window(context.now, begin, end)
        if period is None:
            return {"dataframes": []}
        query = Query(scopes=self._scopes(context, tenant_id, all_tenants=context.caller.is_admin and not tenant_id),
                      period=period, metrics=None if not resource_type else frozenset({resource_type}))
        frames = self.summary.frames(query)
        if context.accepts == XML:
            return {"dataframes": [_frame(scope, frame) for scope, frame in frames]}
        return RouteAnswer(_streamed(frames))

    def _rows(self, context: Context, names: tuple[str, ...], *, begin: datetime | None, end: datetime | None,
              tenant_id: str | None, service: str | None, all_tenants: bool) -> list[SummaryRow]:
        period = window(context.now, begin, end)
        if period is None:
            return []
        scopes = self._scopes(context, tenant_id, all_tenants=all_tenants)
        return self.summary.rows(Query(scopes=scopes, period=period, groupby=names,
                                       metrics=None if not service else frozenset({service})))

    def _scopes(self, context: Context, tenant_id: str | None, *, all_tenants: bool) -> frozenset[str] | None:
        """Whose usage is meant: nobody's where the caller has no scope of its own and names none."""
        caller = context.caller
        if all_tenants:
            return visible(caller, self.scope_key)
        tenant = tenant_id or caller.own_scope(self.scope_key)
        if not tenant:
            # An administrator without a project, as without authentication everybody is, means everybody.
            return visible(caller, self.scope_key) if caller.is_admin else frozenset()
        return required(caller, self.scope_key, frozenset({tenant}))


def _summary(row: SummaryRow, names: tuple[str, ...], period: Period,
             filters: Mapping[str, Any]) -> dict[str, Any]:
    cells = dict(zip(names, row.key, strict=True))
    return written(TotalBody, begin=period.begin, end=period.end, rate=row.sum.price,
                   tenant_id=cells.get(SCOPE) or filters["tenant_id"] or ALL,
                   res_type=cells.get(METRIC) or filters["service"] or ALL)


def _streamed(frames: Iterator[tuple[str, Frame]]) -> Iterator[bytes]:
    opening = b'{"dataframes": ['         # with the first frame, so that nothing is said before it could be read
    for scope, frame in frames:
        yield opening + json_bytes(_frame(scope, frame))
        opening = b", "
    yield b"]}" if opening == b", " else opening + b"]}"


def _frame(scope: str, frame: Frame) -> dict[str, Any]:
    names, width = (*frame.groupby, *frame.metadata), len(frame.groupby)
    resources = [
        {"service": frame.metric, "desc": dict(zip(names[width:], metadata, strict=True))
         | dict(zip(names[:width], groupby, strict=True)), "volume": plain(qty), "rating": plain(price or ZERO)}
        for groupby, metadata, qty, price in frame.rows()]
    return {"begin": naive(frame.period.begin), "end": naive(frame.period.end), "tenant_id": scope,
            "resources": resources}
