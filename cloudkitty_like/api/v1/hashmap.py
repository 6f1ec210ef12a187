"""``/v1/rating/module_config/hashmap``: services, fields and groups.  Rules are in ``hashmap_rules.py``."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Answer, Context
from cloudkitty_like.api.fields import Boolean, Text
from cloudkitty_like.api.params import TEXT, Param, gives, list_of, object_of, takes
from cloudkitty_like.api.v1.hashmap_types import Field, Group, Service, name_written
from cloudkitty_like.api.v1.types import params_of, schema_of
from cloudkitty_like.domain.rule import TYPES
from cloudkitty_like.domain.rule_names import RuleName
from cloudkitty_like.service.hashmap.rules import Hashmap

URL = "/v1/rating/module_config/hashmap"


@dataclass(frozen=True)
class HashmapNames:
    """What rules name."""

    hashmap: Hashmap

    @gives(list_of(TEXT))
    def types(self, context: Context) -> Any:
        """The types of rules."""
        return list(TYPES)

    @gives(object_of(services=list_of(schema_of(Service))))
    def services(self, context: Context) -> Any:
        """Every service."""
        return {"services": [name_written(one) for one in self.hashmap.services()]}

    @gives(schema_of(Service))
    @takes(service_id=Param(Text()))
    def service(self, context: Context, service_id: str) -> Any:
        """One service."""
        return name_written(self.hashmap.service(service_id))

    @gives(schema_of(Service))
    @takes(**params_of(Service))
    def add_service(self, context: Context, name: str, service_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "services", self.hashmap.add_service(name, context.author))

    @takes(service_id=Param(Text()))
    def remove_service(self, context: Context, service_id: str) -> Any:
        """Removes it with its fields and the rules of both."""
        self.hashmap.remove_service(service_id, context.author)
        return Answer(status=204)

    @gives(object_of(fields=list_of(schema_of(Field))))
    @takes(service_id=Param(Text()))
    def fields(self, context: Context, service_id: str) -> Any:
        """A service's fields."""
        return {"fields": [name_written(one) for one in self.hashmap.fields(service_id)]}

    @gives(schema_of(Field))
    @takes(field_id=Param(Text()))
    def field(self, context: Context, field_id: str) -> Any:
        """One field."""
        return name_written(self.hashmap.field(field_id))

    @gives(schema_of(Field))
    @takes(**params_of(Field))
    def add_field(self, context: Context, name: str, service_id: str, field_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "fields", self.hashmap.add_field(service_id, name, context.author))

    @takes(field_id=Param(Text()))
    def remove_field(self, context: Context, field_id: str) -> Any:
        """Removes it with its rules."""
        self.hashmap.remove_field(field_id, context.author)
        return Answer(status=204)

    @gives(object_of(groups=list_of(schema_of(Group))))
    def groups(self, context: Context) -> Any:
        """Every group."""
        return {"groups": [name_written(one) for one in self.hashmap.groups()]}

    @gives(schema_of(Group))
    @takes(group_id=Param(Text()))
    def group(self, context: Context, group_id: str) -> Any:
        """One group."""
        return name_written(self.hashmap.group(group_id))

    @gives(schema_of(Group))
    @takes(**params_of(Group))
    def add_group(self, context: Context, name: str, group_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "groups", self.hashmap.add_group(name, context.author))

    @takes(group_id=Param(Text()), recursive=Param(Boolean(), False, "its rules are deleted, not only ungrouped"))
    def remove_group(self, context: Context, group_id: str, recursive: bool) -> Any:
        """Removes it."""
        self.hashmap.remove_group(group_id, recursive, context.author)
        return Answer(status=204)


def _made(context: Context, kind: str, one: RuleName) -> Answer:
    return Answer(name_written(one), 201, {"Location": f"{context.url}{URL}/{kind}/{one.id}"})
