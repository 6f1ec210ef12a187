"""``/v1/collector``: kept for CloudKitty's clients; it changes nothing in what is collected."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Answer, Context
from cloudkitty_like.api.fields import Boolean, Text
from cloudkitty_like.api.params import Param, gives, list_of, object_of, takes
from cloudkitty_like.api.v1.types import NAME, CollectorMapping, CollectorState, schema_of, written
from cloudkitty_like.service.operation.collectors import Collectors


@dataclass(frozen=True)
class CollectorRoutes:
    """Mappings of services to collectors, and states of collectors."""

    collectors: Collectors

    def index(self, context: Context) -> Any:
        """Nothing."""
        return Answer(status=204)

    @gives(object_of(mappings=list_of(schema_of(CollectorMapping))))
    @takes(collector=Param(Text(), None))
    def mappings(self, context: Context, collector: str | None) -> Any:
        """All of them, or one collector's."""
        return {"mappings": [_mapping(*one) for one in self.collectors.mappings(collector)]}

    @gives(schema_of(CollectorMapping))
    @takes(service=Param(Text()), collector=Param(Text(), None, hidden=True))
    def mapping(self, context: Context, service: str, collector: str | None) -> Any:
        """One service's."""
        return _mapping(*self.collectors.mapping(service))

    @gives(schema_of(CollectorMapping))
    @takes(collector=Param(NAME), service=Param(NAME))
    def put_mapping(self, context: Context, collector: str, service: str) -> Any:
        """Makes or replaces one."""
        self.collectors.put_mapping(service, collector)
        return _mapping(service, collector)

    @takes(service=Param(Text()))
    def remove_mapping(self, context: Context, service: str) -> Any:
        """Removes one."""
        self.collectors.remove_mapping(service)
        return Answer(status=204)

    @gives(schema_of(CollectorState))
    @takes(name=Param(Text()))
    def state(self, context: Context, name: str) -> Any:
        """Whether somebody has switched a collector on."""
        return written(CollectorState, name=name, enabled=self.collectors.state(name))

    @gives(schema_of(CollectorState))
    @takes(name=Param(NAME), enabled=Param(Boolean()))
    def put_state(self, context: Context, name: str, enabled: bool) -> Any:
        """Records that somebody has switched it."""
        self.collectors.put_state(name, enabled)
        return written(CollectorState, name=name, enabled=enabled)


def _mapping(service: str, collector: str) -> dict[str, Any]:
    return written(CollectorMapping, service=service, collector=collector)
