"""``/v1/rating/module_config/hashmap``: mappings and thresholds."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, TextField
from cloudkitty_like.api.params import Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.v1 import validity
from cloudkitty_like.api.v1.hashmap import URL
from cloudkitty_like.api.v1.hashmap_types import (
    GroupBody,
    MappingBody,
    ThresholdBody,
    name_written,
    rule_written,
)
from cloudkitty_like.api.v1.types import params_of, schema_of
from cloudkitty_like.service.hashmap.request import MAPPING, THRESHOLD, RuleKind, RuleRequest
from cloudkitty_like.service.hashmap.rules import Hashmap, RuleFilter

WHICH = {
    "service_id": Param(TextField(), None, "of the service itself"),
    "field_id": Param(TextField(), None, "of the field"),
    "group_id": Param(TextField(), None, "in the group"),
    "no_group": Param(BooleanField(), False, "in no group"),
    "tenant_id": Param(TextField(), None, "of the tenant; with filter_tenant"),
    "filter_tenant": Param(BooleanField(), False, "of the tenant, or without one for every tenant"),
}
WHICH_MAPPINGS = {**WHICH, **validity.WHICH, "all": Param(BooleanField(), True, hidden=True)}


@dataclass(frozen=True)
class HashmapRuleRoutes:
    """Rules, one at a time and in lists."""

    hashmap: Hashmap

    @returns(object_of(mappings=list_of(schema_of(MappingBody))))
    @accepts(**WHICH_MAPPINGS)
    def mappings(self, context: Context, **filters: Any) -> Any:
        """Mappings, in the order in which they were made."""
        return self._list(MAPPING, filters)

    @returns(schema_of(MappingBody))
    @accepts(mapping_id=Param(TextField()))
    def mapping(self, context: Context, mapping_id: str) -> Any:
        """One mapping, also a deleted one."""
        return rule_written(self.hashmap.rule(MAPPING, mapping_id))

    @returns(schema_of(GroupBody))
    @accepts(mapping_id=Param(TextField()))
    def group_of_mapping(self, context: Context, mapping_id: str) -> Any:
        """The group that it is in."""
        return name_written(self.hashmap.group_of(MAPPING, mapping_id))

    @returns(schema_of(MappingBody))
    @accepts(**params_of(MappingBody, leave_out=("mapping_id",), cost=True),
             mapping_id=Param(TextField(), None, hidden=True),
             force=Param(BooleanField(), False, "it may start in the past"))
    def add_mapping(self, context: Context, mapping_id: str | None, force: bool,
                    **values: Any) -> Any:
        """Makes one, from now on unless it says otherwise."""
        return self._add(context, MAPPING, values, force)

    @accepts(**params_of(MappingBody, leave_out=("mapping_id",)), mapping_id=Param(TextField()))
    def put_mapping(self, context: Context, mapping_id: str, **values: Any) -> Any:
        """Ends a running one, or changes one that has not begun."""
        return self._put(context, MAPPING, mapping_id, values)

    @accepts(mapping_id=Param(TextField()))
    def remove_mapping(self, context: Context, mapping_id: str) -> Any:
        """It ends now."""
        self.hashmap.remove_rule(MAPPING, mapping_id, context.author)
        return RouteAnswer(status=204)

    @returns(object_of(thresholds=list_of(schema_of(ThresholdBody))))
    @accepts(**WHICH)
    def thresholds(self, context: Context, **filters: Any) -> Any:
        """Thresholds, in the order in which they were made."""
        return self._list(THRESHOLD, filters)

    @returns(schema_of(ThresholdBody))
    @accepts(threshold_id=Param(TextField()))
    def threshold(self, context: Context, threshold_id: str) -> Any:
        """One threshold."""
        return rule_written(self.hashmap.rule(THRESHOLD, threshold_id))

    @returns(schema_of(GroupBody))
    @accepts(threshold_id=Param(TextField()))
    def group_of_threshold(self, context: Context, threshold_id: str) -> Any:
        """The group that it is in."""
        return name_written(self.hashmap.group_of(THRESHOLD, threshold_id))

    @returns(schema_of(ThresholdBody))
    @accepts(**params_of(ThresholdBody, leave_out=("threshold_id",), cost=True),
             threshold_id=Param(TextField(), None, hidden=True))
    def add_threshold(self, context: Context, threshold_id: str | None, **values: Any) -> Any:
        """Makes one, from now on."""
        return self._add(context, THRESHOLD, values, force=False)

    @accepts(**params_of(ThresholdBody, leave_out=("threshold_id",), cost=True),
             threshold_id=Param(TextField()))
    def put_threshold(self, context: Context, threshold_id: str, **values: Any) -> Any:
        """Changes it from now on; what it was keeps its price."""
        return self._put(context, THRESHOLD, threshold_id, values)

    @accepts(threshold_id=Param(TextField()))
    def remove_threshold(self, context: Context, threshold_id: str) -> Any:
        """It ends now."""
        self.hashmap.remove_rule(THRESHOLD, threshold_id, context.author)
        return RouteAnswer(status=204)

    def _list(self, kind: RuleKind, filters: dict[str, Any]) -> Any:
        filters.pop("all", None)
        return {f"{kind}s": [rule_written(rule)
                             for rule in self.hashmap.rules(kind, RuleFilter(**filters))]}

    def _add(self, context: Context, kind: RuleKind, values: dict[str, Any],
             force: bool) -> RouteAnswer:
        rule = self.hashmap.add_rule(kind, RuleRequest(**validity.said(values)), context.author,
                                     force)
        return RouteAnswer(rule_written(rule), 201,
                           {"Location": f"{context.url}{URL}/{kind}s/{rule.id}"})

    def _put(self, context: Context, kind: RuleKind, identity: str,
             values: dict[str, Any]) -> RouteAnswer:
        self.hashmap.update_rule(kind, identity, RuleRequest(**validity.said(values)),
                                 context.author)
        return RouteAnswer(None, 302, {"Location": context.path})
