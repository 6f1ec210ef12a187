"""What a request may carry.  A controller's method declares its arguments::

    @takes(begin=Param(Moment()), filters=Param(Filters(), default={}))
    def get_all(self, context, begin, filters): ...

The same declaration reads the request (:func:`arguments`) and makes the
OpenAPI document.  The arguments ``begin`` and ``end`` together are a
:func:`window`.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from cloudkitty_like.api.fields import Field
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import LATEST, Period, instant

F = TypeVar("F", bound=Callable[..., Any])


class RequiredMarker:
    """The default of an argument that has none."""


REQUIRED = RequiredMarker()


@dataclass(frozen=True)
class Param:
    """An argument: its kind, its default, and a line of explanation.  ``alias``: another name that clients use."""

    kind: Field
    default: Any = REQUIRED
    text: str = ""
    alias: str = ""
    hidden: bool = False               # accepted, of no effect, and not in the documentation

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


def accepts(**params: Param) -> Callable[[F], F]:
    """Declares a controller method's arguments."""
    def mark(function: F) -> F:
        function.takes = params        # type: ignore[attr-defined]
        return function
    return mark


def returns(shape: Mapping[str, Any], *, csv: bool = False, statuses: Sequence[int] = (),
            content_type: str = "application/json") -> Callable[[F], F]:
    """Declares the JSON Schema of a controller method's answer, and whether it can be had as CSV too.

    ``statuses``: others that come with the same shape as the usual one.
    """
    def mark(function: F) -> F:
        function.shape, function.csv = shape, csv      # type: ignore[attr-defined]
        function.statuses, function.content_type = statuses, content_type      # type: ignore[attr-defined]
        return function
    return mark


def object_of(*optional: str, **members: Any) -> Mapping[str, Any]:
    """The schema of an object with these members, all of them there but the optional ones."""
    return {"type": "object", "properties": members, "required": [name for name in members if name not in optional]}


def list_of(items: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items}


TEXT: Mapping[str, Any] = {"type": "string"}
NULLABLE: Mapping[str, Any] = {"type": ["string", "null"]}
NUMBER: Mapping[str, Any] = {"type": ["number", "string", "null"]}      # text where every digit is asked for
WHOLE: Mapping[str, Any] = {"type": "integer"}
FLAG: Mapping[str, Any] = {"type": "boolean"}
ANY: Mapping[str, Any] = {}


def arguments(params: Mapping[str, Param],
              raw_values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Every declared argument's value; Invalid with all that is wrong, each with the argument's name.

    ``raw_values``: by name, the values that came; an argument that nobody knows is wrong.
    """
    problems: list[str] = []
    names = {alias: name for name, param in params.items() for alias in (name, param.alias) if alias}
    by_param: dict[str, list[Any]] = {}
    for name, values in raw_values.items():
        if name in names:
            by_param.setdefault(names[name], []).extend(values)
        else:
            problems.append(f"{name[:80]}: there is no such argument")
    read: dict[str, Any] = {}
    for name, param in params.items():
        values = [value for value in by_param.get(name, []) if value is not None]
        try:
            read[name] = _value(param, values)
        except Invalid as error:
            problems.extend(f"{name}: {problem}" for problem in error.problems)
    if problems:
        raise Invalid(*problems)
    return read


def _value(param: Param, values: list[Any]) -> Any:
    if not values:
        if param.required:
            raise Invalid("is required")
        return param.default
    if param.kind.repeatable:
        return param.kind.read(values[0] if len(values) == 1 else [
            element for value in values
            for element in (value if isinstance(value, list) else [value])])
    if len(values) > 1:
        raise Invalid("is given more than once")
    return param.kind.read(values[0])


def check_order(begin: datetime | None, end: datetime | None) -> None:
    """Refuse a window that v1 treats as an empty one.

    :raises Invalid: when the begin is after the end
    """
    if begin is not None and end is not None and begin > end:
        raise Invalid(f"begin: {instant(begin)} is after end, {instant(end)}")


def window(now: datetime, begin: datetime | None, end: datetime | None) -> Period | None:
    """Return the period of a report, by default the current month; None when it is empty."""
    month = Period.month_of(now)
    begin = month.begin if begin is None else begin
    end = min(month.end if end is None else end, LATEST)
    return Period(begin, end) if begin < end else None
