"""Which metrics and labels a Prometheus has, asked for by their names."""
from __future__ import annotations

from collections.abc import Sequence

from cloudkitty_like.client import promql
from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.collector.prometheus_query import LONGEST, QueryArguments
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.ports import SourceNames

NAME = "__name__"


def read(client: Prometheus, metrics: Sequence[Metric], labels: bool) -> SourceNames:
    """See :class:`~cloudkitty_like.ports.Collector`.

    Of a metric that the operator's own PromQL surrounds no labels are told:
    it may make others.

    :raises Unavailable: when the server does not answer all of it.
    """
    names = list(dict.fromkeys(metric.name for metric in metrics))
    present: set[str] = set()
    for batch in promql.batches(names, LONGEST):
        present.update(client.label_values(NAME, f"{{{NAME}=~{promql.one_of(batch)}}}"))
    label_names = {}
    if labels:
        surrounded = {metric.name for metric in metrics if (metric.args or QueryArguments()).free}
        label_names = {name: frozenset(client.label_names(name)) - {NAME}
                       for name in names if name in present and name not in surrounded}
    if not present.issuperset(names):
        present.update(client.label_values(NAME))
    return SourceNames(frozenset(present), label_names)
