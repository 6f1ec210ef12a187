"""Scopes found in Gnocchi: the values of an attribute of its resources."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from oslo_config import cfg

from cloudkitty_like.client import gnocchi_options
from cloudkitty_like.client.gnocchi import Gnocchi
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.ports import PluginContext


class GnocchiFetcher:
    """Every value that resources of some types have of one attribute, also those that ended."""

    OPTS = (
        *gnocchi_options.OPTS,
        cfg.ListOpt("resource_types", default=["generic"],
                    help="Types of the resources that are asked for; generic stands for all."),
        cfg.StrOpt("scope_attribute", default="project_id",
                   help="Attribute that holds the id of the scope."),
    )

    def __init__(self, client: Gnocchi, resource_types: Sequence[str] = ("generic",),
                 attribute: str = "project_id") -> None:
        self.client = client
        self._resource_types = tuple(dict.fromkeys(resource_types))
        self._attribute = attribute

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        problems = []
        if not any(group.resource_types):
            problems.append("resource_types: names no type; generic is all")
        if not group.scope_attribute:
            problems.append("scope_attribute: is not set")
        if problems:
            raise Invalid(*problems)
        return cls(gnocchi_options.connect(group), group.resource_types, group.scope_attribute)

    def scopes(self) -> Iterable[str]:
        """The ids, sorted; resources without the attribute name nobody.

        :raises Unavailable: when a page of resources is missing.
        """
        names = set()
        for resource_type in self._resource_types:
            for resource in self.client.resources(resource_type, ("id", self._attribute)):
                if scope := resource.get(self._attribute):
                    names.add(str(scope))
        return sorted(names)
