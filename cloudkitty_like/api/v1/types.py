"""The objects of v1 as WSME types: the one declaration of what is read, written and documented.

An object that a request carries is read by the kinds of its attributes
(:func:`params_of`); one that is answered is written by WSME (:func:`written`).
Decimals are text with every digit, instants UTC without saying so, as
CloudKitty's clients expect them.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import wsme.rest.json
from wsme import types as wtypes
from wsme import wsattr

from cloudkitty_like.api.fields import (
    BooleanField,
    Field,
    InstantField,
    IntegerField,
    NumberField,
    Schema,
    TextField,
)
from cloudkitty_like.api.params import REQUIRED, Param
from cloudkitty_like.api.render import naive
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.money import plain

text = wtypes.text


class _DeclaredType(wtypes.UserType):  # type: ignore[misc]
    """A type of ours: how it is written, and the kind that reads it."""

    basetype = text
    kind: Field


class DecimalText(_DeclaredType):
    """A Decimal, written as text with every digit."""

    name = "decimal"
    kind = NumberField()

    def tobasetype(self, value: Decimal) -> str:
        return plain(value)


class InstantText(_DeclaredType):
    """An aware datetime, written in UTC without an offset."""

    name = "instant"
    kind = InstantField()

    def tobasetype(self, value: datetime) -> str | None:
        return naive(value)


class LastInstantText(InstantText):
    """An instant where a date alone means that day's last second."""

    kind = InstantField(end_of_day=True)


class _UuidField(TextField):
    @property
    def schema(self) -> Schema:
        return {"type": "string", "format": "uuid"}

    def read(self, value: Any) -> str:
        try:
            return str(UUID(super().read(value)))
        except ValueError:
            raise Invalid(f"{value[:80]!r} is not a UUID") from None


class VerbatimText(_DeclaredType):
    """A text, written as it is."""

    name = "text"

    def tobasetype(self, value: str) -> str:
        return value


class UuidText(VerbatimText):
    """A UUID, in lower case and with its dashes."""

    name = "uuid"
    kind = _UuidField()


class ChoiceText(VerbatimText):
    """One of some words."""

    name = "choice"

    def __init__(self, *words: str) -> None:
        self.kind = TextField(words)


NAME = TextField(may_be_empty=False)
KINDS: Mapping[Any, Field] = {text: TextField(), bool: BooleanField(), int: IntegerField()}
SCHEMAS: Mapping[Any, Schema] = {text: {"type": "string"}, bool: {"type": "boolean"}, int: {"type": "integer"}}


def _kind(datatype: Any) -> Field:
    return datatype.kind if isinstance(datatype, _DeclaredType) else KINDS[datatype]


def params_of(shape: type[wtypes.Base], *, leave_out: Collection[str] = (), **required: bool) -> dict[str, Param]:
    """The arguments that an object of a request stands for, by its attributes.

    An attribute is optional and None where it is not given, unless WSME knows it
    as mandatory; ``required`` says otherwise.  What only answers have is accepted and ignored.
    """
    params = {}
    for attribute in wtypes.list_attributes(shape):
        if attribute.name in leave_out:
            continue
        is_required = required.get(attribute.name, attribute.mandatory)
        default = REQUIRED if is_required else None if attribute.default is wsme.Unset else attribute.default
        kind = NAME if is_required and attribute.datatype is text else _kind(attribute.datatype)
        params[attribute.name] = Param(kind, default, hidden=attribute.readonly)
    return params


def written(shape: type[wtypes.Base], **values: Any) -> dict[str, Any]:
    """An object as the value of JSON that WSME makes of it."""
    members: dict[str, Any] = wsme.rest.json.tojson(shape, shape(**values))
    return members


def schema_of(shape: type[wtypes.Base], *optional: str) -> Schema:
    """The JSON Schema of an object in an answer, with all of its attributes but that optional ones may be missing."""
    members = {attribute.name: _schema(attribute.datatype) for attribute in wtypes.list_attributes(shape)}
    return {"type": "object", "properties": members, "required": [name for name in members if name not in optional]}


def _schema(datatype: Any) -> Schema:
    if isinstance(datatype, wtypes.ArrayType):
        return {"type": "array", "items": _schema(datatype.item_type)}
    if isinstance(datatype, wtypes.DictType):
        return {"type": "object"}
    if isinstance(datatype, _DeclaredType):
        return {"type": ["string", "null"]}
    if wtypes.iscomplex(datatype):
        return schema_of(datatype)
    return {"type": [SCHEMAS[datatype]["type"], "null"]}


class MetricBody(wtypes.Base):  # type: ignore[misc]
    """A metric of metrics.yml."""

    metric_id = wsattr(text, mandatory=True)
    metadata = wsattr([text])
    unit = text


class ModuleBody(wtypes.Base):  # type: ignore[misc]
    """A rating module."""

    module_id = wsattr(text, mandatory=True)
    description = text
    enabled = wsattr(bool)
    hot_config = wsattr(bool, name="hot-config")
    priority = wsattr(int)


class CollectorMappingBody(wtypes.Base):  # type: ignore[misc]
    """Which collector a service is read by, as CloudKitty once had it."""

    service = wsattr(text, mandatory=True)
    collector = wsattr(text, mandatory=True)


class CollectorStateBody(wtypes.Base):  # type: ignore[misc]
    """Whether a collector is on, as CloudKitty once had it."""

    name = text
    enabled = wsattr(bool, mandatory=True)


class TotalBody(wtypes.Base):  # type: ignore[misc]
    """A row of a summary."""

    begin = InstantText()
    end = InstantText()
    tenant_id = text
    res_type = text
    rate = DecimalText()


class ResourceBody(wtypes.Base):  # type: ignore[misc]
    """A rated point."""

    service = text
    desc = wsattr({text: text})
    volume = DecimalText()
    rating = DecimalText()


class DataFrameBody(wtypes.Base):  # type: ignore[misc]
    """The points of one scope, metric and period."""

    begin = InstantText()
    end = InstantText()
    tenant_id = text
    resources = wsattr([ResourceBody])
