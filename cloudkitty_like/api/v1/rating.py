"""``/v1/rating``: rating modules, and what something would cost."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.explanation_json import POINT, explained
from cloudkitty_like.api.fields import BooleanField, InstantField, NumberField, TextField
from cloudkitty_like.api.params import (
    FLAG,
    NUMBER,
    TEXT,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.v1.types import ModuleBody, params_of, schema_of, written
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Conflict, NotFound
from cloudkitty_like.domain.money import arithmetic, plain
from cloudkitty_like.service.pricing import modules
from cloudkitty_like.service.pricing.modules import ModuleInfo as Known
from cloudkitty_like.service.reports.replay import Explanation
from cloudkitty_like.service.whatif import resources as quote_resources
from cloudkitty_like.service.whatif.quote import QuoteService, Resource


class ResourcesField:
    """The list ``resources`` of a quote: objects of ``service``, ``desc`` and ``volume``."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Mapping[str, Any]:
        """See Kind."""
        return {"type": "array", "items": {"type": "object", "required": ["service", "volume"], "properties": {
            "service": TextField(may_be_empty=False).schema, "desc": {"type": ["object", "null"]},
            "volume": NumberField().schema}}}

    def read(self, value: Any) -> Sequence[Resource]:
        """Read every resource; see :mod:`cloudkitty_like.service.whatif.resources`."""
        return quote_resources.read(value)


@dataclass(frozen=True)
class RatingRoutes:
    """Modules and quotes."""

    modules: modules.Modules
    quotes: QuoteService

    @returns(object_of(modules=list_of(schema_of(ModuleBody))))
    def get_all(self, context: Context) -> Any:
        """Every module, by name."""
        return {"modules": [_written(module) for module in self.modules.known()]}

    @returns(schema_of(ModuleBody))
    @accepts(module_id=Param(TextField()))
    def get_one(self, context: Context, module_id: str) -> Any:
        """One module."""
        return _written(self._named(module_id))

    @accepts(**params_of(ModuleBody))
    def put(self, context: Context, module_id: str, enabled: bool | None, priority: int | None, **_: Any) -> Any:
        """Switches a module, or moves it; everything else that is said of it is ignored."""
        self._named(module_id)
        self.modules.decide(module_id, Change(context.now, context.author, "api"), enabled=enabled, priority=priority)
        where = context.path.rpartition("/modules")[0]      # by the name that it was asked by
        # Its clients expect a body, of nothing.
        return RouteAnswer(b"null", 302, {"Location": f"{where}/modules/{quote(module_id, safe='')}"})

    def reload(self, context: Context) -> Any:
        """Nothing has to be reloaded: rules and modules are read as they are."""
        return RouteAnswer(status=204)

    @returns({"anyOf": [TEXT, object_of(price=TEXT, resources=list_of(
        object_of(price=NUMBER, unpriced=FLAG, points=list_of(POINT))))]})
    @accepts(resources=Param(ResourcesField(), text="what is to be used: service, desc, volume"),
             explain=Param(BooleanField(), False, "whether to answer each one's price too, and what makes it"),
             at=Param(InstantField(fractions=True), None, "by the rules that hold then; now if not given"))
    def quote(self, context: Context, resources: Sequence[Resource], explain: bool, at: datetime | None) -> Any:
        """The price of all of it together, as text."""
        if explain:
            explanations = self.quotes.explained(context.caller, resources, at)
            return {"price": _total(explanation.point.price
                                    for points in explanations for explanation in points),
                    "resources": [_explained(points, context) for points in explanations]}
        return _total(self.quotes.prices(context.caller, resources, at))

    @accepts(name=Param(TextField()))
    def configuration(self, context: Context, name: str) -> Any:
        """Of a module that has nothing to configure over HTTP."""
        module = self._named(name)
        if module.configurable:
            raise NotFound("there is nothing at this URL")
        raise Conflict("Module is not configurable")

    def _named(self, name: str) -> Known:
        try:
            return self.modules.named(name)
        except NotFound:
            raise NotFound("Module not found.") from None      # as this version's clients read it


def _total(prices: Iterable[Decimal | None]) -> str:
    """The sum with a point in it, as clients of CloudKitty look for one; ``0`` where nothing has a price."""
    summands = [price for price in prices if price is not None]
    if not summands:
        return "0"
    with arithmetic():
        text = plain(sum(summands, Decimal(0)))
    return text if "." in text else f"{text}.0"


def _explained(points: Sequence[Explanation], context: Context) -> dict[str, Any]:
    """What became of one resource; nothing where it would be left out of the ledger."""
    prices = [explanation.point.price for explanation in points
              if explanation.point.price is not None]
    with arithmetic():
        total = sum(prices, Decimal(0))
    return {"price": context.number(total), "unpriced": bool(points) and not prices,
            "points": [explained(explanation, context.number) for explanation in points]}


def _written(module: Known) -> dict[str, Any]:
    return written(ModuleBody, module_id=module.name, description=module.description or module.problem,
                   enabled=module.enabled, hot_config=module.configurable, priority=module.priority)
