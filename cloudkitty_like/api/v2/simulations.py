"""``/v2/rating/simulations``: what if other rules had rated."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.fields import (
    Field,
    InstantField,
    IntegerField,
    TextField,
    TextListField,
    named,
)
from cloudkitty_like.api.params import (
    NUMBER,
    TEXT,
    WHOLE,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
    window,
)
from cloudkitty_like.api.v2.report_query import BEGIN, END
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import shown
from cloudkitty_like.domain.query import Sum
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import MAX_ORDER, MAX_TEXT, Script
from cloudkitty_like.service.hashmap import file as rules_file
from cloudkitty_like.service.whatif.simulation import (
    Comparison,
    Simulation,
    SimulationRequest,
    SimulationResult,
)

LONGEST_RULES = 1_000_000
MOST_SCRIPTS = 100
KINDS: dict[str, Field] = {"name": TextField(may_be_empty=False), "data": TextField(longest=MAX_TEXT),
                           "order": IntegerField(-MAX_ORDER, MAX_ORDER), "start": InstantField(), "end": InstantField()}
SIDE = object_of(qty=NUMBER, price=NUMBER, points=WHOLE, unpriced=WHOLE)
ROW = {"stored": SIDE, "candidate": SIDE, "difference": NUMBER}


class ScriptsField:
    """A list of scripts: ``name`` and ``data``, perhaps ``order``, ``start`` and ``end``."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Mapping[str, Any]:
        """See Kind."""
        return {"type": "array", "maxItems": MOST_SCRIPTS, "items": {
            "type": "object", "required": ["name", "data"], "additionalProperties": False,
            "properties": {name: kind.schema for name, kind in KINDS.items()}}}

    def read(self, value: Any) -> Sequence[Script]:
        """Every script; Invalid with all that is wrong with any."""
        if not isinstance(value, list):
            raise Invalid(f"{shown(value)} is not a list")
        if len(value) > MOST_SCRIPTS:
            raise Invalid(f"has more than {MOST_SCRIPTS} elements")
        scripts, problems = [], []
        for number, element in enumerate(value):
            try:
                scripts.append(_script(element, number))
            except Invalid as error:
                problems += [f"[{number}]: {problem}" for problem in error.problems]
        if problems:
            raise Invalid(*problems[:20])
        return scripts


def _script(element: Any, number: int) -> Script:
    if not isinstance(element, dict):
        raise Invalid(f"{shown(element)} is not an object")
    problems = [f"{name[:80]}: there is no such member" for name in element if name not in KINDS]
    problems += [f"{name}: is required" for name in ("name", "data") if element.get(name) is None]
    if problems:
        raise Invalid(*problems)
    members = {name: named(name, kind, element[name]) for name, kind in KINDS.items()
               if element.get(name) is not None}
    return Script(name=members["name"], text=members["data"], order=members.get("order", number),
                  valid=Validity(members.get("start"), members.get("end")))


@dataclass(frozen=True)
class SimulationRoutes:
    """``most``: how many points one of them may be about."""

    simulation: Simulation
    most: int

    @returns(object_of(results=list_of(object_of(scope=TEXT, type=TEXT, unit=TEXT, **ROW)), total=object_of(**ROW),
                       failed=list_of(object_of(scope=TEXT, error=TEXT))))
    @accepts(begin=BEGIN, end=END, scope_ids=Param(TextListField(), None, "only these scopes"),
             rules=Param(TextField(longest=LONGEST_RULES), None,
                         "a file of hashmap rules, in place of all that there are"),
             scripts=Param(ScriptsField(), None, "rating scripts, in place of all that there are: name, data"))
    def post(self, context: Context, *, begin: datetime | None, end: datetime | None,
             scope_ids: Sequence[str] | None, rules: str | None, scripts: Sequence[Script] | None) -> Any:
        """What is stored beside what these rules would make of it, by scope and metric; nothing is changed."""
        period = window(context.now, begin, end)
        if period is None:
            raise Invalid("end: it is not after begin")
        result = self.simulation.run(SimulationRequest(
            period=period, scopes=None if scope_ids is None else frozenset(scope_ids),
            rules=None if rules is None else _rules(rules), scripts=scripts), self.most)
        return _written(result, context)


def _rules(text: str) -> Any:
    try:
        return rules_file.parse(text)
    except Invalid as error:
        raise Invalid(*(f"rules: {problem}" for problem in error.problems)) from None


def _written(result: SimulationResult, context: Context) -> dict[str, Any]:
    def side(sum_: Sum) -> dict[str, Any]:
        return {"qty": context.number(sum_.qty), "price": context.number(sum_.price), "points": sum_.points,
                "unpriced": sum_.unpriced}

    def row(comparison: Comparison) -> dict[str, Any]:
        return {"stored": side(comparison.stored), "candidate": side(comparison.candidate),
                "difference": context.number(comparison.difference)}

    return {"results": [{"scope": comparison.scope, "type": comparison.metric,
                         "unit": comparison.unit, **row(comparison)} for comparison in result.rows],
            "total": row(result.total),
            "failed": [{"scope": scope, "error": why}
                       for scope, why in sorted(result.failed.items())]}
