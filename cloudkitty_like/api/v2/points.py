"""Data points of a request, as ``POST /v2/dataframes`` takes them: frames of a period, with usage by metric."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from cloudkitty_like.api.fields import (
    BooleanField,
    InstantField,
    LabelField,
    NumberField,
    Schema,
    TextField,
    named,
)
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import shown
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.posted_point import PostedPoint

SHOWN = 20                             # problems of one request that are told
MOST_POINTS = 100_000
LABELS: Schema = {"type": "object", "additionalProperties": LabelField().schema}
POINT: Schema = {
    "type": "object", "required": ["vol", "groupby", "metadata"], "additionalProperties": False, "properties": {
        "vol": {"type": "object", "required": ["unit", "qty"], "additionalProperties": False, "properties": {
            "unit": {"type": "string"}, "qty": NumberField().schema}},
        "rating": {"type": "object", "additionalProperties": False, "properties": {
            "price": NumberField().schema, "unpriced": BooleanField().schema}},
        "groupby": LABELS, "metadata": LABELS}}
FRAME: Schema = {
    "type": "object", "required": ["period", "usage"], "additionalProperties": False, "properties": {
        "period": {"type": "object", "required": ["begin", "end"], "additionalProperties": False, "properties": {
            "begin": InstantField().schema, "end": InstantField().schema}},
        "usage": {"type": "object", "additionalProperties": {"type": "array", "items": POINT}}}}


class FramesField:
    """A list of frames; each point of them becomes a PostedPoint."""

    repeatable: ClassVar[bool] = False

    @property
    def schema(self) -> Schema:
        """See Kind."""
        return {"type": "array", "minItems": 1, "items": FRAME}

    def read(self, value: Any) -> Sequence[PostedPoint]:
        """Every point, none of an empty list; Invalid with what is wrong, and where."""
        if not isinstance(value, list):
            raise Invalid(f"{shown(value)} is not a list")
        points: list[PostedPoint] = []
        problems: list[str] = []
        for number, frame in enumerate(value):
            for where, read in _points(frame):
                try:
                    points.append(read())
                except Invalid as error:
                    problems += [f"[{number}]{where}: {problem}" for problem in error.problems]
                if len(problems) >= SHOWN:
                    raise Invalid(*problems[:SHOWN])
            if len(points) > MOST_POINTS:
                raise Invalid(f"has more than {MOST_POINTS} points; send them in several requests")
        if problems:
            raise Invalid(*problems)
        return points


def _points(frame: Any) -> Iterator[tuple[str, Any]]:
    """Where each point of a frame is, and what reads it; where the frame itself is wrong, what says so."""
    try:
        period, usage = _frame(frame)
    except Invalid as error:
        yield "", _raising(error)
        return
    for metric, points in usage.items():
        if not isinstance(points, list):
            yield f".usage.{metric[:80]}", _raising(Invalid(f"{shown(points)} is not a list"))
            continue
        for number, point in enumerate(points):
            yield f".usage.{metric[:80]}[{number}]", lambda point=point, metric=metric: _point(point, metric, period)


def _raising(error: Invalid) -> Any:
    def read() -> PostedPoint:
        raise error
    return read


def _frame(frame: Any) -> tuple[Period, Mapping[str, Any]]:
    members = _members(frame, ("period", "usage"))
    bounds = _members(members["period"], ("begin", "end"), "period.")
    begin, end = (InstantField().read(bounds[name]) for name in ("begin", "end"))
    if not isinstance(members["usage"], dict):
        raise Invalid(f"usage: {shown(members['usage'])} is not an object")
    return Period(begin, end), members["usage"]


def _point(point: Any, metric: str, period: Period) -> PostedPoint:
    members = _members(point, ("vol", "groupby", "metadata"), optional=("rating",))
    vol = _members(members["vol"], ("unit", "qty"), "vol.")
    return PostedPoint(
        period, TextField(may_be_empty=False).read(metric),
        named("vol.unit", TextField(may_be_empty=False), vol["unit"]),
        named("vol.qty", NumberField(), vol["qty"]), _price(members.get("rating", {})),
        _labels("groupby", members["groupby"]), _labels("metadata", members["metadata"]))


def _price(rating: Any) -> Decimal | None:
    """The price, 0 where none is given; None of a point that is said to be unpriced, as it is where it is answered."""
    members = _members(rating, (), "rating.", optional=("price", "unpriced"))
    price: Decimal = named("rating.price", NumberField(), members.get("price", 0))
    if not named("rating.unpriced", BooleanField(), members.get("unpriced", False)):
        return price
    if price:
        raise Invalid(f"rating.unpriced: a point with the price {plain(price)} is not unpriced")
    return None


def _labels(name: str, values: Any) -> dict[str, str]:
    """Labels as text, whatever they were."""
    if not isinstance(values, dict):
        raise Invalid(f"{name}: {shown(values)} is not an object")
    return {named(name, TextField(may_be_empty=False), key): named(f"{name}.{key[:80]}", LabelField(), value)
            for key, value in values.items()}


def _members(value: Any, required: Sequence[str], where: str = "", optional: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{where.rstrip('.')}: {shown(value)} is not an object" if where
                      else f"{shown(value)} is not an object")
    problems = [f"{where}{name}: is required" for name in required if name not in value]
    problems += [f"{where}{name[:80]}: there is no such member" for name in value if name not in (*required, *optional)]
    if problems:
        raise Invalid(*problems)
    return value
