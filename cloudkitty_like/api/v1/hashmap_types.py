"""Hashmap's objects in v1 as WSME types, in the order in which CloudKitty writes their attributes."""
from __future__ import annotations

from typing import Any

from wsme import types as wtypes
from wsme import wsattr

from cloudkitty_like.api.fields import Text
from cloudkitty_like.api.v1.types import Amount, Choice, Uuid, text, written
from cloudkitty_like.api.v1.validity import RuleEnd, RuleInstant
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import shown
from cloudkitty_like.domain.rule import TYPES
from cloudkitty_like.domain.rule_names import FIELD, SERVICE, RuleName
from cloudkitty_like.service.hashmap.rules import StoredRule


class _TypeKind(Text):
    """As CloudKitty's published tests want a refusal to read."""

    def read(self, value: Any) -> str:
        if value not in TYPES:
            raise Invalid(f"Invalid input for field/attribute type. Value: {shown(value)}. "
                          f"Value should be one of: {', '.join(TYPES)}")
        return str(value)


class RuleType(Choice):
    """flat or rate."""

    def __init__(self) -> None:
        super().__init__(*TYPES)
        self.kind = _TypeKind(TYPES)


class Service(wtypes.Base):  # type: ignore[misc]
    """What rules call a metric."""

    service_id = Uuid()
    name = wsattr(text, mandatory=True)


class Field(wtypes.Base):  # type: ignore[misc]
    """A label of a service."""

    field_id = Uuid()
    name = wsattr(text, mandatory=True)
    service_id = wsattr(Uuid(), mandatory=True)


class Group(wtypes.Base):  # type: ignore[misc]
    """Rules whose price is reckoned apart."""

    group_id = Uuid()
    name = wsattr(text, mandatory=True)


class Mapping(wtypes.Base):  # type: ignore[misc]
    """A cost for a value of a field, or for a service."""

    mapping_id = Uuid()
    value = text
    type = wsattr(RuleType())
    cost = wsattr(Amount())
    service_id = wsattr(Uuid())
    field_id = wsattr(Uuid())
    group_id = wsattr(Uuid())
    tenant_id = text
    created_at = wsattr(RuleInstant(), readonly=True)
    start = wsattr(RuleInstant())
    end = wsattr(RuleEnd())
    name = text
    description = text
    deleted = wsattr(RuleInstant(), readonly=True)
    created_by = wsattr(text, readonly=True)
    updated_by = wsattr(text, readonly=True)
    deleted_by = wsattr(text, readonly=True)


class Threshold(wtypes.Base):  # type: ignore[misc]
    """A cost from a level of a field, or of the quantity, on."""

    threshold_id = Uuid()
    level = wsattr(Amount())
    type = wsattr(RuleType())
    cost = wsattr(Amount())
    service_id = wsattr(Uuid())
    field_id = wsattr(Uuid())
    group_id = wsattr(Uuid())
    tenant_id = text


def name_written(one: RuleName) -> dict[str, Any]:
    """A service, field or group."""
    if one.kind == SERVICE:
        return written(Service, service_id=one.id, name=one.name)
    if one.kind == FIELD:
        return written(Field, field_id=one.id, name=one.name, service_id=one.service_id)
    return written(Group, group_id=one.id, name=one.name)


def rule_written(one: StoredRule) -> dict[str, Any]:
    """A mapping or a threshold."""
    rule = one.rule
    same = {"type": rule.type, "cost": rule.cost, "service_id": one.service_id, "field_id": one.field_id,
            "group_id": one.group_id, "tenant_id": rule.scope}
    if rule.level is not None:
        return written(Threshold, threshold_id=one.id, level=rule.level, **same)
    return written(
        Mapping, mapping_id=one.id, value=rule.value or "", created_at=one.created_at, start=rule.valid.begin,
        end=rule.valid.end, name=rule.name or None, description=rule.description or None, deleted=one.deleted_at,
        created_by=one.created_by, updated_by=one.updated_by, deleted_by=one.deleted_by, **same)
