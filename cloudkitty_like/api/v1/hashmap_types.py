"""Hashmap's objects in v1 as WSME types, in the order in which CloudKitty writes their attributes."""
from __future__ import annotations

from typing import Any

from wsme import types as wtypes
from wsme import wsattr

from cloudkitty_like.api.fields import TextField
from cloudkitty_like.api.v1.types import ChoiceText, DecimalText, UuidText, text, written
from cloudkitty_like.api.v1.validity import RuleEndText, RuleInstantText
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import shown
from cloudkitty_like.domain.rule import TYPES
from cloudkitty_like.domain.rule_names import FIELD, SERVICE, RuleName
from cloudkitty_like.service.hashmap.rules import StoredRule


class _TypeField(TextField):
    """As CloudKitty's published tests want a refusal to read."""

    def read(self, value: Any) -> str:
        if value not in TYPES:
            raise Invalid(f"Invalid input for field/attribute type. Value: {shown(value)}. "
                          f"Value should be one of: {', '.join(TYPES)}")
        return str(value)


class RuleType(ChoiceText):
    """flat or rate."""

    def __init__(self) -> None:
        super().__init__(*TYPES)
        self.kind = _TypeField(TYPES)


class ServiceBody(wtypes.Base):  # type: ignore[misc]
    """What rules call a metric."""

    service_id = UuidText()
    name = wsattr(text, mandatory=True)


class FieldBody(wtypes.Base):  # type: ignore[misc]
    """A label of a service."""

    field_id = UuidText()
    name = wsattr(text, mandatory=True)
    service_id = wsattr(UuidText(), mandatory=True)


class GroupBody(wtypes.Base):  # type: ignore[misc]
    """Rules whose price is reckoned apart."""

    group_id = UuidText()
    name = wsattr(text, mandatory=True)


class MappingBody(wtypes.Base):  # type: ignore[misc]
    """A cost for a value of a field, or for a service."""

    mapping_id = UuidText()
    value = text
    type = wsattr(RuleType())
    cost = wsattr(DecimalText())
    service_id = wsattr(UuidText())
    field_id = wsattr(UuidText())
    group_id = wsattr(UuidText())
    tenant_id = text
    created_at = wsattr(RuleInstantText(), readonly=True)
    start = wsattr(RuleInstantText())
    end = wsattr(RuleEndText())
    name = text
    description = text
    deleted = wsattr(RuleInstantText(), readonly=True)
    created_by = wsattr(text, readonly=True)
    updated_by = wsattr(text, readonly=True)
    deleted_by = wsattr(text, readonly=True)


class ThresholdBody(wtypes.Base):  # type: ignore[misc]
    """A cost from a level of a field, or of the quantity, on."""

    threshold_id = UuidText()
    level = wsattr(DecimalText())
    type = wsattr(RuleType())
    cost = wsattr(DecimalText())
    service_id = wsattr(UuidText())
    field_id = wsattr(UuidText())
    group_id = wsattr(UuidText())
    tenant_id = text


def name_written(rule_name: RuleName) -> dict[str, Any]:
    """A service, field or group."""
    if rule_name.kind == SERVICE:
        return written(ServiceBody, service_id=rule_name.id, name=rule_name.name)
    if rule_name.kind == FIELD:
        return written(FieldBody, field_id=rule_name.id, name=rule_name.name,
                       service_id=rule_name.service_id)
    return written(GroupBody, group_id=rule_name.id, name=rule_name.name)


def rule_written(stored: StoredRule) -> dict[str, Any]:
    """A mapping or a threshold."""
    rule = stored.rule
    same = {"type": rule.type, "cost": rule.cost, "service_id": stored.service_id,
            "field_id": stored.field_id, "group_id": stored.group_id, "tenant_id": rule.scope}
    if rule.level is not None:
        return written(ThresholdBody, threshold_id=stored.id, level=rule.level, **same)
    return written(
        MappingBody, mapping_id=stored.id, value=rule.value or "", created_at=stored.created_at,
        start=rule.valid.begin, end=rule.valid.end, name=rule.name or None,
        description=rule.description or None, deleted=stored.deleted_at,
        created_by=stored.created_by, updated_by=stored.updated_by, deleted_by=stored.deleted_by,
        **same)
