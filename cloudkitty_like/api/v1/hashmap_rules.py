"""``/v1/rating/module_config/hashmap``: mappings and thresholds."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Answer, Context
from cloudkitty_like.api.fields import Boolean, Text
from cloudkitty_like.api.params import Param, gives, list_of, object_of, takes
from cloudkitty_like.api.v1 import validity
from cloudkitty_like.api.v1.hashmap import URL
from cloudkitty_like.api.v1.hashmap_types import Group, Mapping, Threshold, name_written, rule_written
from cloudkitty_like.api.v1.types import params_of, schema_of
from cloudkitty_like.service.hashmap.request import MAPPING, THRESHOLD, Draft, RuleKind
from cloudkitty_like.service.hashmap.rules import Filter, Hashmap

WHICH = {
    "service_id": Param(Text(), None, "of the service itself"), "field_id": Param(Text(), None, "of the field"),
    "group_id": Param(Text(), None, "in the group"), "no_group": Param(Boolean(), False, "in no group"),
    "tenant_id": Param(Text(), None, "of the tenant; with filter_tenant"),
    "filter_tenant": Param(Boolean(), False, "of the tenant, or without one for every tenant"),
}
WHICH_MAPPINGS = {**WHICH, **validity.WHICH, "all": Param(Boolean(), True, hidden=True)}


@dataclass(frozen=True)
class HashmapRules:
    """Rules, one at a time and in lists."""

    hashmap: Hashmap

    @gives(object_of(mappings=list_of(schema_of(Mapping))))
    @takes(**WHICH_MAPPINGS)
    def mappings(self, context: Context, **asked: Any) -> Any:
        """Mappings, in the order in which they were made."""
        return self._list(MAPPING, asked)

    @gives(schema_of(Mapping))
    @takes(mapping_id=Param(Text()))
    def mapping(self, context: Context, mapping_id: str) -> Any:
        """One mapping, also a deleted one."""
        return rule_written(self.hashmap.rule(MAPPING, mapping_id))

    @gives(schema_of(Group))
    @takes(mapping_id=Param(Text()))
    def group_of_mapping(self, context: Context, mapping_id: str) -> Any:
        """The group that it is in."""
        return name_written(self.hashmap.group_of(MAPPING, mapping_id))

    @gives(schema_of(Mapping))
    @takes(**params_of(Mapping, leave_out=("mapping_id",), cost=True), mapping_id=Param(Text(), None, hidden=True),
           force=Param(Boolean(), False, "it may start in the past"))
    def add_mapping(self, context: Context, mapping_id: str | None, force: bool, **given: Any) -> Any:
        """Makes one, from now on unless it says otherwise."""
        return self._add(context, MAPPING, given, force)

    @takes(**params_of(Mapping, leave_out=("mapping_id",)), mapping_id=Param(Text()))
    def put_mapping(self, context: Context, mapping_id: str, **given: Any) -> Any:
        """Ends a running one, or changes one that has not begun."""
        return self._put(context, MAPPING, mapping_id, given)

    @takes(mapping_id=Param(Text()))
    def remove_mapping(self, context: Context, mapping_id: str) -> Any:
        """It ends now."""
        self.hashmap.remove_rule(MAPPING, mapping_id, context.author)
        return Answer(status=204)

    @gives(object_of(thresholds=list_of(schema_of(Threshold))))
    @takes(**WHICH)
    def thresholds(self, context: Context, **asked: Any) -> Any:
        """Thresholds, in the order in which they were made."""
        return self._list(THRESHOLD, asked)

    @gives(schema_of(Threshold))
    @takes(threshold_id=Param(Text()))
    def threshold(self, context: Context, threshold_id: str) -> Any:
        """One threshold."""
        return rule_written(self.hashmap.rule(THRESHOLD, threshold_id))

    @gives(schema_of(Group))
    @takes(threshold_id=Param(Text()))
    def group_of_threshold(self, context: Context, threshold_id: str) -> Any:
        """The group that it is in."""
        return name_written(self.hashmap.group_of(THRESHOLD, threshold_id))

    @gives(schema_of(Threshold))
    @takes(**params_of(Threshold, leave_out=("threshold_id",), cost=True),
           threshold_id=Param(Text(), None, hidden=True))
    def add_threshold(self, context: Context, threshold_id: str | None, **given: Any) -> Any:
        """Makes one, from now on."""
        return self._add(context, THRESHOLD, given, force=False)

    @takes(**params_of(Threshold, leave_out=("threshold_id",), cost=True), threshold_id=Param(Text()))
    def put_threshold(self, context: Context, threshold_id: str, **given: Any) -> Any:
        """Changes it from now on; what it was keeps its price."""
        return self._put(context, THRESHOLD, threshold_id, given)

    @takes(threshold_id=Param(Text()))
    def remove_threshold(self, context: Context, threshold_id: str) -> Any:
        """It ends now."""
        self.hashmap.remove_rule(THRESHOLD, threshold_id, context.author)
        return Answer(status=204)

    def _list(self, kind: RuleKind, asked: dict[str, Any]) -> Any:
        asked.pop("all", None)
        return {f"{kind}s": [rule_written(one) for one in self.hashmap.rules(kind, Filter(**asked))]}

    def _add(self, context: Context, kind: RuleKind, given: dict[str, Any], force: bool) -> Answer:
        made = self.hashmap.add_rule(kind, Draft(**validity.said(given)), context.author, force)
        return Answer(rule_written(made), 201, {"Location": f"{context.url}{URL}/{kind}s/{made.id}"})

    def _put(self, context: Context, kind: RuleKind, identity: str, given: dict[str, Any]) -> Answer:
        self.hashmap.update_rule(kind, identity, Draft(**validity.said(given)), context.author)
        return Answer(None, 302, {"Location": context.path})
