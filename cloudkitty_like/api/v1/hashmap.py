"""``/v1/rating/module_config/hashmap``: services, fields and groups.  Rules are in ``hashmap_rules.py``."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, TextField
from cloudkitty_like.api.params import TEXT, Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.v1.hashmap_types import FieldBody, GroupBody, ServiceBody, name_written
from cloudkitty_like.api.v1.types import params_of, schema_of
from cloudkitty_like.domain.rule import TYPES
from cloudkitty_like.domain.rule_names import RuleName
from cloudkitty_like.service.hashmap.rules import Hashmap

URL = "/v1/rating/module_config/hashmap"


@dataclass(frozen=True)
class HashmapNameRoutes:
    """What rules name."""

    hashmap: Hashmap

    @returns(list_of(TEXT))
    def types(self, context: Context) -> Any:
        """The types of rules."""
        return list(TYPES)

    @returns(object_of(services=list_of(schema_of(ServiceBody))))
    def services(self, context: Context) -> Any:
        """Every service."""
        return {"services": [name_written(service) for service in self.hashmap.services()]}

    @returns(schema_of(ServiceBody))
    @accepts(service_id=Param(TextField()))
    def service(self, context: Context, service_id: str) -> Any:
        """One service."""
        return name_written(self.hashmap.service(service_id))

    @returns(schema_of(ServiceBody))
    @accepts(**params_of(ServiceBody))
    def add_service(self, context: Context, name: str, service_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "services", self.hashmap.add_service(name, context.author))

    @accepts(service_id=Param(TextField()))
    def remove_service(self, context: Context, service_id: str) -> Any:
        """Removes it with its fields and the rules of both."""
        self.hashmap.remove_service(service_id, context.author)
        return RouteAnswer(status=204)

    @returns(object_of(fields=list_of(schema_of(FieldBody))))
    @accepts(service_id=Param(TextField()))
    def fields(self, context: Context, service_id: str) -> Any:
        """A service's fields."""
        return {"fields": [name_written(field) for field in self.hashmap.fields(service_id)]}

    @returns(schema_of(FieldBody))
    @accepts(field_id=Param(TextField()))
    def field(self, context: Context, field_id: str) -> Any:
        """One field."""
        return name_written(self.hashmap.field(field_id))

    @returns(schema_of(FieldBody))
    @accepts(**params_of(FieldBody))
    def add_field(self, context: Context, name: str, service_id: str, field_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "fields", self.hashmap.add_field(service_id, name, context.author))

    @accepts(field_id=Param(TextField()))
    def remove_field(self, context: Context, field_id: str) -> Any:
        """Removes it with its rules."""
        self.hashmap.remove_field(field_id, context.author)
        return RouteAnswer(status=204)

    @returns(object_of(groups=list_of(schema_of(GroupBody))))
    def groups(self, context: Context) -> Any:
        """Every group."""
        return {"groups": [name_written(group) for group in self.hashmap.groups()]}

    @returns(schema_of(GroupBody))
    @accepts(group_id=Param(TextField()))
    def group(self, context: Context, group_id: str) -> Any:
        """One group."""
        return name_written(self.hashmap.group(group_id))

    @returns(schema_of(GroupBody))
    @accepts(**params_of(GroupBody))
    def add_group(self, context: Context, name: str, group_id: str | None) -> Any:
        """Makes one; its id is ours to give."""
        return _made(context, "groups", self.hashmap.add_group(name, context.author))

    @accepts(group_id=Param(TextField()),
             recursive=Param(BooleanField(), False, "its rules are deleted, not only ungrouped"))
    def remove_group(self, context: Context, group_id: str, recursive: bool) -> Any:
        """Removes it."""
        self.hashmap.remove_group(group_id, recursive, context.author)
        return RouteAnswer(status=204)


def _made(context: Context, kind: str, rule_name: RuleName) -> RouteAnswer:
    return RouteAnswer(name_written(rule_name), 201,
                       {"Location": f"{context.url}{URL}/{kind}/{rule_name.id}"})
