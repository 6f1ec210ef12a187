"""Scopes found in Prometheus: the values of a label."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from oslo_config import cfg

from cloudkitty_like.client import prometheus_options, promql
from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.ports import PluginContext


class PrometheusFetcher:
    """Every value of one label that ``metric`` has now or, without a metric, that any kept series has or had."""

    OPTS = (
        *prometheus_options.OPTS,
        cfg.StrOpt("metric", help=(
            "Metric whose series name the scopes that exist now. Empty: all values of the label that are kept.")),
        cfg.StrOpt("scope_attribute", default="project_id", help="Label that holds the id of the scope."),
        cfg.DictOpt("filters", default={}, help="Labels that the series must have, as label:value,label:value."),
    )

    def __init__(self, client: Prometheus, label: str = "project_id", metric: str = "",
                 filters: Mapping[str, str] = MappingProxyType({})) -> None:
        self.client = client
        self._label = label
        self._metric = metric
        self._matchers = ",".join(f"{name}={promql.quoted(value)}" for name, value in filters.items())

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        metric = group.metric or ""
        problems: list[str] = []
        if metric and not promql.METRIC_NAME.match(metric):
            problems.append(f"metric: {metric!r} is not the name of a metric in Prometheus")
        if not promql.LABEL_NAME.match(group.scope_attribute or ""):
            problems.append(f"scope_attribute: {group.scope_attribute!r} is not the name of a label in Prometheus")
        for name, value in group.filters.items():
            if not promql.LABEL_NAME.match(name):
                problems.append(f"filters: {name!r} is not the name of a label in Prometheus")
            if not promql.encodable(value):
                problems.append(f"filters: {value!r} is no text that can be sent")
        client = prometheus_options.connect(group, problems)
        return cls(client, group.scope_attribute, metric, group.filters)

    def scopes(self) -> Iterable[str]:
        """The ids, sorted; series that lack the label name nobody.  Raises Unavailable."""
        if self._metric:
            # At the server's now: it knows best which of its series are alive.
            query = f"max by ({self._label}) ({self._metric}{{{self._matchers}}})"
            names = {scope for scope, in self.client.query(query, (self._label,)).rows}
        else:
            match = f'{{{self._label}!="",{self._matchers}}}' if self._matchers else ""
            names = set(self.client.label_values(self._label, match))
        return sorted(names - {""})
