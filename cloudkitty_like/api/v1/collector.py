"""``/v1/collector``: kept for CloudKitty's clients; it changes nothing in what is collected."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, TextField
from cloudkitty_like.api.params import Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.v1.types import (
    NAME,
    CollectorMappingBody,
    CollectorStateBody,
    schema_of,
    written,
)
from cloudkitty_like.service.operation.collectors import Collectors


@dataclass(frozen=True)
class CollectorRoutes:
    """Mappings of services to collectors, and states of collectors."""

    collectors: Collectors

    def index(self, context: Context) -> Any:
        """Nothing."""
        return RouteAnswer(status=204)

    @returns(object_of(mappings=list_of(schema_of(CollectorMappingBody))))
    @accepts(collector=Param(TextField(), None))
    def mappings(self, context: Context, collector: str | None) -> Any:
        """All of them, or one collector's."""
        return {"mappings": [_mapping(*pair) for pair in self.collectors.mappings(collector)]}

    @returns(schema_of(CollectorMappingBody))
    @accepts(service=Param(TextField()), collector=Param(TextField(), None, hidden=True))
    def mapping(self, context: Context, service: str, collector: str | None) -> Any:
        """One service's."""
        return _mapping(*self.collectors.mapping(service))

    @returns(schema_of(CollectorMappingBody))
    @accepts(collector=Param(NAME), service=Param(NAME))
    def put_mapping(self, context: Context, collector: str, service: str) -> Any:
        """Makes or replaces one."""
        self.collectors.put_mapping(service, collector)
        return _mapping(service, collector)

    @accepts(service=Param(TextField()))
    def remove_mapping(self, context: Context, service: str) -> Any:
        """Removes one."""
        self.collectors.remove_mapping(service)
        return RouteAnswer(status=204)

    @returns(schema_of(CollectorStateBody))
    @accepts(name=Param(TextField()))
    def state(self, context: Context, name: str) -> Any:
        """Whether somebody has switched a collector on."""
        return written(CollectorStateBody, name=name, enabled=self.collectors.state(name))

    @returns(schema_of(CollectorStateBody))
    @accepts(name=Param(NAME), enabled=Param(BooleanField()))
    def put_state(self, context: Context, name: str, enabled: bool) -> Any:
        """Records that somebody has switched it."""
        self.collectors.put_state(name, enabled)
        return written(CollectorStateBody, name=name, enabled=enabled)


def _mapping(service: str, collector: str) -> dict[str, Any]:
    return written(CollectorMappingBody, service=service, collector=collector)
