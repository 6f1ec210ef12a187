"""``/v2/explanations``: why points cost what they cost."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.explanation_json import AMOUNTS, POINT, amounts, explained
from cloudkitty_like.api.fields import FilterField, IntegerField, TextField
from cloudkitty_like.api.params import (
    NULLABLE,
    TEXT,
    WHOLE,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.render import with_offset
from cloudkitty_like.api.v2.report_query import AS_OF, BEGIN, END, OFFSET, ReportQuery, following
from cloudkitty_like.service.reports.explanations import ExplanationService
from cloudkitty_like.service.reports.replay import Explanation, OmittedPoint, RatingBasis

MOST = 1000
RATED = object_of(origin=TEXT, revision=WHOLE, change=WHOLE, author=TEXT, at=TEXT,
                  ruleset={"type": ["integer", "null"]}, software=NULLABLE, metrics=NULLABLE,
                  modules=list_of(TEXT), problem=TEXT)
WHERE = {"scope": TEXT, "period": object_of(begin=TEXT, end=TEXT)}


@dataclass(frozen=True)
class ExplanationRoutes:
    """Explanations, restricted to what the caller may see."""

    asking: ReportQuery
    explaining: ExplanationService

    @returns(object_of(
        "next", total=WHOLE, next=TEXT,
        explanations=list_of(object_of(**WHERE, **POINT["properties"], rated=RATED)),
        left_out=list_of(object_of(**WHERE, **AMOUNTS, module=TEXT, why=TEXT))))
    @accepts(begin=BEGIN, end=END, filters=Param(FilterField(), {}, "type, the scope key or any label"), offset=OFFSET,
             limit=Param(IntegerField(least=1, most=MOST), 100, "how many points at most"), as_of=AS_OF,
             after=Param(TextField(), None, "where the page before ended: from its next"))
    def get_all(self, context: Context, *, offset: int, limit: int, after: str | None,
                **filters: Any) -> Any:
        """A page of points, each with what its price is made of; their sum, rounding included, is the price."""
        query = self.asking.query(context, **filters)
        if query is None or (query.scopes == frozenset() and not context.caller.is_admin):
            return {"total": 0, "explanations": [], "left_out": []}
        page = self.explaining.page(query, offset, limit, after)
        more = {} if page.next is None else {"next": following(context, leave_out=("offset",), after=page.next)}
        return {"total": page.total,
                "explanations": [_explained(explanation, context) for explanation in page.points],
                "left_out": [_left(omitted, context) for omitted in page.left_out]} | more


def _explained(explanation: Explanation, context: Context) -> dict[str, Any]:
    basis = explanation.basis
    origin = {} if basis is None else _where(basis) | {"rated": _rated(basis)}
    return origin | explained(explanation, context.number)


def _left(omitted: OmittedPoint, context: Context) -> dict[str, Any]:
    return (_where(omitted.basis) | amounts(omitted.point, context.number)
            | {"module": omitted.module, "why": omitted.why})


def _where(basis: RatingBasis) -> dict[str, Any]:
    period = basis.revision.period
    return {"scope": basis.revision.place.scope,
            "period": {"begin": with_offset(period.begin), "end": with_offset(period.end)}}


def _rated(basis: RatingBasis) -> dict[str, Any]:
    revision, ruleset = basis.revision, basis.ruleset
    return {
        "origin": revision.origin, "revision": revision.revision, "change": revision.change,
        "author": revision.author, "at": with_offset(revision.at),
        "ruleset": None if ruleset is None else ruleset.version,
        "software": None if ruleset is None else ruleset.software,
        "metrics": None if ruleset is None else ruleset.metrics,
        "modules": list(basis.modules), "problem": basis.problem}
