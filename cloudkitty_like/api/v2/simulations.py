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
        found, problems = [], []
        for number, one in enumerate(value):
            try:
                found.append(_script(one, number))
            except Invalid as error:
                problems += [f"[{number}]: {problem}" for problem in error.problems]
        if problems:
            raise Invalid(*problems[:20])
        return found


def _script(one: Any, number: int) -> Script:
    if not isinstance(one, dict):
        raise Invalid(f"{shown(one)} is not an object")
    problems = [f"{name[:80]}: there is no such member" for name in one if name not in KINDS]
    problems += [f"{name}: is required" for name in ("name", "data") if one.get(name) is None]
    if problems:
        raise Invalid(*problems)
    given = {name: named(name, kind, one[name]) for name, kind in KINDS.items() if one.get(name) is not None}
    return Script(name=given["name"], text=given["data"], order=given.get("order", number),
                  valid=Validity(given.get("start"), given.get("end")))


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
        found = self.simulation.run(SimulationRequest(
            period=period, scopes=None if scope_ids is None else frozenset(scope_ids),
            rules=None if rules is None else _rules(rules), scripts=scripts), self.most)
        return _written(found, context)


def _rules(text: str) -> Any:
    try:
        return rules_file.parse(text)
    except Invalid as error:
        raise Invalid(*(f"rules: {problem}" for problem in error.problems)) from None


def _written(found: SimulationResult, context: Context) -> dict[str, Any]:
    def side(sum_: Sum) -> dict[str, Any]:
        return {"qty": context.number(sum_.qty), "price": context.number(sum_.price), "points": sum_.points,
                "unpriced": sum_.unpriced}

    def row(one: Comparison) -> dict[str, Any]:
        return {"stored": side(one.stored), "candidate": side(one.candidate),
                "difference": context.number(one.difference)}

    return {"results": [{"scope": one.scope, "type": one.metric, "unit": one.unit, **row(one)} for one in found.rows],
            "total": row(found.total),
            "failed": [{"scope": scope, "error": why} for scope, why in sorted(found.failed.items())]}
