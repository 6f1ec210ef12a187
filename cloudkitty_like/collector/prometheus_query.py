"""The PromQL of one metric, built from its definition: pure text, no server."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from cloudkitty_like.client import promql
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric

AGGREGATION_METHODS = ("avg", "count", "max", "min", "stddev", "stdvar", "sum")
QUERY_FUNCTIONS = ("abs", "ceil", "exp", "floor", "ln", "log2", "log10", "round", "sqrt")
RANGE_FUNCTIONS = ("changes", "delta", "deriv", "idelta", "increase", "irate", "rate")

OVER_THE_RANGE = frozenset({"delta", "deriv", "increase", "rate"})
"""Functions that divide by the length of the range or extrapolate to it: theirs is the period's, to the millisecond."""

LONGEST = 12_000
"""Bytes of a query: VictoriaMetrics refuses more than 16,384."""

FEW = 1_000
"""Bytes of scope ids up to which they are simply listed, so that a few do not make a big server answer for all."""


@dataclass(frozen=True, slots=True)
class QueryArguments:
    """``extra_args`` of a metric in metrics.yml; an empty text stands for what is not given."""

    aggregation_method: str = "max"
    query_function: str = ""
    range_function: str = ""
    query_prefix: str = ""
    query_suffix: str = ""

    @property
    def free(self) -> bool:
        """Whether the operator's own PromQL surrounds ours; it may lose or change the label of the scope."""
        return bool(self.query_prefix or self.query_suffix)

    @property
    def over_range(self) -> str:
        return self.range_function or f"{self.aggregation_method}_over_time"


_CHOICES = {
    "aggregation_method": AGGREGATION_METHODS, "query_function": QUERY_FUNCTIONS, "range_function": RANGE_FUNCTIONS,
}


def parse_args(extra_args: Mapping[str, Any] | None) -> QueryArguments:
    """Raises Invalid with everything that is wrong with them."""
    if not isinstance(extra_args or {}, Mapping):
        raise Invalid(f"extra_args: {extra_args!r} is not a mapping")
    values = dict(extra_args or {})
    names = [field.name for field in fields(QueryArguments)]
    problems = [
        f"extra_args.{name}: is not known; the prometheus collector knows {', '.join(names)}"
        for name in values if name not in names
    ]
    problems += [problem for name in names if name in values for problem in _problems(name, values[name])]
    if problems:
        raise Invalid(*problems)
    return QueryArguments(**{name: value.strip() for name, value in values.items()})


def _problems(name: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return [f"extra_args.{name}: {value!r} is not a text"]
    if (name, value) == ("range_function", "irange"):
        return ["extra_args.range_function: 'irange' is no function of PromQL; irate or idelta may be meant"]
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        return [f"extra_args.{name}: {value!r} is not one of {', '.join(choices)}"]
    if not promql.encodable(value):
        return [f"extra_args.{name}: {value!r} is no text that can be sent"]
    return []


def problems_of(metric: Metric) -> list[str]:
    """What keeps a metric from being asked for: names are not escaped, so they have to be names."""
    problems = []
    if not promql.METRIC_NAME.match(metric.name):
        problems.append(f"{metric.name!r} is not the name of a metric in Prometheus")
    for key in ("groupby", "metadata"):
        problems += [
            f"{key}: {name!r} is not the name of a label in Prometheus"
            for name in getattr(metric, key) if not promql.LABEL_NAME.match(name)
        ]
    return problems


def labels(metric: Metric, scope_key: str) -> tuple[str, ...]:
    """The labels in the grouping, each once: groupby, the scope key at the latest then, metadata."""
    return tuple(dict.fromkeys((*metric.groupby, scope_key, *metric.metadata)))


def query(metric: Metric, args: QueryArguments, scope_key: str, matcher: str, length: str) -> str:
    """From the inside out: selector, function over the range, function, aggregation, the operator's own text."""
    text = f"{args.over_range}({metric.name}{{{matcher}}}[{length}])"
    if args.query_function:
        text = f"{args.query_function}({text})"
    text = f"{args.aggregation_method}({text}) by ({', '.join(labels(metric, scope_key))})"
    return " ".join(filter(None, (args.query_prefix, text, args.query_suffix)))


def matchers(scope_key: str, scopes: Collection[str], others: Collection[str], room: int) -> list[str]:
    """As few matchers as select ``scopes`` (and whom nobody knows), each of at most ``room`` bytes.

    Everybody where nobody is unwanted; everybody but ``others`` where they are
    few; else the scopes, in several requests where one would be too long.
    """
    room -= 2 * len(f'{scope_key}!~"",')
    size = sum(map(promql.size_in_query, scopes))
    if size > FEW:
        if not others:
            return [f'{scope_key}!=""']
        unwanted = sum(map(promql.size_in_query, others))
        if unwanted <= min(room, size // 2):
            return [f'{scope_key}!="",{scope_key}!~{promql.one_of(others)}']
    return [positive(scope_key, batch) for batch in promql.batches(scopes, room)]


def positive(scope_key: str, scopes: Collection[str]) -> str:
    """The matcher of these scopes alone."""
    if len(scopes) == 1:
        return f"{scope_key}={promql.quoted(*scopes)}"
    return f"{scope_key}=~{promql.one_of(scopes)}"
