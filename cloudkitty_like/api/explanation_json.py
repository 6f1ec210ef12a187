"""An explanation as JSON, and the schema of it."""
from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cloudkitty_like.api.params import FLAG, NULLABLE, NUMBER, TEXT, WHOLE, list_of, object_of
from cloudkitty_like.api.render import with_offset
from cloudkitty_like.domain.explanation import ExplainedPoint, PricePart, Provenance
from cloudkitty_like.domain.money import ZERO
from cloudkitty_like.service.reports.replay import Explanation

NumberWriter = Callable[[Decimal], Any]
RULE = object_of(id=TEXT, kind=TEXT, name=TEXT, version=WHOLE, author=TEXT, reason=TEXT,
                 recorded=NULLABLE,
                 start=NULLABLE, end=NULLABLE)
PART = object_of(module=TEXT, amount=NUMBER, what=TEXT, rule={"anyOf": [RULE, {"type": "null"}]})
AMOUNTS = {"vol": object_of(unit=TEXT, qty=NUMBER),
           "rating": object_of("unpriced", price=NUMBER, unpriced=FLAG),
           "groupby": {"type": "object"}, "metadata": {"type": "object"}, "type": TEXT}
POINT = object_of(**AMOUNTS, parts=list_of(PART), rounding=NUMBER, difference=NUMBER,
                  reproduced=FLAG)


def amounts(point: ExplainedPoint, number: NumberWriter) -> dict[str, Any]:
    """A point as the data frames have it, with its metric."""
    rating: dict[str, Any] = {"price": number(ZERO if point.price is None else point.price)}
    if point.price is None:
        rating["unpriced"] = True
    return {"type": point.metric, "vol": {"unit": point.unit, "qty": number(point.qty)},
            "rating": rating,
            "groupby": dict(point.groupby), "metadata": dict(point.metadata)}


def explained(explanation: Explanation, number: NumberWriter) -> dict[str, Any]:
    """A point, and what its price is made of."""
    return {**amounts(explanation.point, number),
            "parts": [_part(part, explanation, number) for part in explanation.parts],
            "rounding": number(explanation.rounding), "difference": number(explanation.difference),
            "reproduced": explanation.reproduced}


def _part(part: PricePart, explanation: Explanation, number: NumberWriter) -> dict[str, Any]:
    provenance = None if part.rule is None else explanation.rules.get((part.module, part.rule))
    return {"module": part.module, "amount": number(part.amount), "what": part.what,
            "rule": None if provenance is None else _rule(provenance)}


def _rule(provenance: Provenance) -> dict[str, Any]:
    return {"id": provenance.id, "kind": provenance.kind, "name": provenance.name,
            "version": provenance.version, "author": provenance.author,
            "reason": provenance.reason, "recorded": with_offset(provenance.recorded),
            "start": with_offset(provenance.valid.begin), "end": with_offset(provenance.valid.end)}
