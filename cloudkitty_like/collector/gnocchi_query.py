"""The question to Gnocchi about one metric, made from its definition: no server."""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import EPOCH, Period

RESOURCE_ID = "id"
ADDITIVE = frozenset({"sum", "count"})
"""Aggregation methods whose granules add up to the period; ``rate:`` of any method does too."""

METHODS = frozenset({"mean", "sum", "last", "max", "min", "std", "median", "first", "count",
                     *(f"{percent}pct" for percent in range(1, 100))})
RE_AGGREGATIONS = frozenset({"mean", "sum", "max", "min"})
"""Gnocchi refuses ``last``, ``first`` and ``count``; of one series ``std`` says nothing."""

MISSING = ("zero", "hold")
_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}
_PATTERN = re.compile(r"([*?[])")


@dataclass(frozen=True, slots=True)
class GnocchiArguments:
    """``extra_args`` of a metric in metrics.yml."""

    resource_type: str = ""
    resource_key: str = RESOURCE_ID
    aggregation_method: str = "max"
    re_aggregation_method: str = "max"
    force_granularity: int = 3600
    use_all_resource_revisions: bool = True
    custom_query: str = ""
    missing: str = "zero"

    @property
    def granularity(self) -> timedelta:
        return timedelta(seconds=self.force_granularity)

    @property
    def re_aggregates_rate(self) -> bool:
        return self.re_aggregation_method.startswith("rate:")

    @property
    def additive(self) -> bool:
        """Whether granules add up; otherwise they are a gauge, weighted by time."""
        return (self.re_aggregates_rate or self.aggregation_method.startswith("rate:")
                or self.aggregation_method in ADDITIVE)

    @property
    def holds(self) -> bool:
        return self.missing == "hold"


def parse_args(extra_args: Mapping[str, Any] | None) -> GnocchiArguments:
    """The arguments of a metric.

    :raises Invalid: when they are wrong or not supported; the message has every reason.
    """
    if not isinstance(extra_args or {}, Mapping):
        raise Invalid(f"extra_args: {extra_args!r} is not a mapping")
    values = dict(extra_args or {})
    defaults: dict[str, Any] = {field.name: field.default for field in fields(GnocchiArguments)}
    known = ", ".join(defaults)
    problems = [f"extra_args.{name}: is not known; the gnocchi collector knows {known}"
                for name in values if name not in defaults]
    problems += [f"extra_args.{name}: {values[name]!r} is not {_KINDS[type(default)]}"
                 for name, default in defaults.items()
                 if name in values and not _like(default, values[name])]
    if problems:
        raise Invalid(*problems)
    args = GnocchiArguments(**{name: type(defaults[name])(value) for name, value in values.items()})
    if problems := _problems(args):
        raise Invalid(*problems)
    return args


def _like(default: object, value: object) -> bool:
    """Whether a value is of the default's kind; in metrics.yml a whole number is a Decimal."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int | Decimal) and value == int(value)
    return isinstance(value, str)


def _problems(args: GnocchiArguments) -> list[str]:
    problems = [f"extra_args.{name}: is empty" for name in ("resource_type", "resource_key")
                if not getattr(args, name)]
    if args.aggregation_method.removeprefix("rate:") not in METHODS:
        problems.append(f"extra_args.aggregation_method: {args.aggregation_method!r} "
                        "is no aggregation of Gnocchi")
    if args.re_aggregation_method.removeprefix("rate:") not in RE_AGGREGATIONS:
        problems.append(f"extra_args.re_aggregation_method: {args.re_aggregation_method!r} is not "
                        f"one of {', '.join(sorted(RE_AGGREGATIONS))}, alone or after rate:")
    if args.force_granularity < 1:
        problems.append(f"extra_args.force_granularity: {args.force_granularity} is not supported "
                        "yet: without one Gnocchi mixes all granularities; say the seconds of one")
    if args.missing not in MISSING:
        problems.append(f"extra_args.missing: {args.missing!r} is not one of {', '.join(MISSING)}")
    if args.holds and args.additive:
        problems.append("extra_args.missing: hold is for what is measured, and granules of "
                        f"{args.re_aggregation_method} of {args.aggregation_method} add up")
    if args.holds and args.use_all_resource_revisions:
        problems.append("extra_args.missing: hold with use_all_resource_revisions is not supported "
                        "yet; set use_all_resource_revisions to false")
    return problems


def period_problems(args: GnocchiArguments, period: Period) -> list[str]:
    """What keeps a period from being a whole number of granules."""
    if period.length % args.granularity or (period.begin - EPOCH) % args.granularity:
        return [f"extra_args.force_granularity: {args.force_granularity} s do not divide {period}"]
    return []


def groupby(metric: Metric, args: GnocchiArguments, scope_key: str) -> tuple[str, ...]:
    """The attributes in the grouping, each once.

    The id is always there: without it Gnocchi joins revisions of several resources that start at
    the same time, and answers for one of them.
    """
    return tuple(dict.fromkeys((RESOURCE_ID, args.resource_key, *metric.groupby, scope_key,
                                *metric.metadata)))


def operations(metric: Metric, args: GnocchiArguments) -> Any:
    """The operations of the request; a custom query has its three words replaced."""
    # Gnocchi takes the name for a shell pattern.
    name = _PATTERN.sub(r"[\1]", metric.name)
    if not args.custom_query:
        return ["aggregate", args.re_aggregation_method, ["metric", name, args.aggregation_method]]
    text = args.custom_query.replace("RE_AGGREGATION_METHOD", args.re_aggregation_method)
    text = text.replace("AGGREGATION_METHOD", args.aggregation_method)
    return text.replace("METRIC_NAME", metric.name)


def body(metric: Metric, args: GnocchiArguments, search: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request; without a search Gnocchi would expect ids of metrics."""
    return {"operations": operations(metric, args), "search": search,
            "resource_type": args.resource_type}


def of_scopes(scope_key: str, scopes: Collection[str]) -> dict[str, Any]:
    """The search for the resources of these scopes."""
    return {"in": {scope_key: list(scopes)}}


def window(args: GnocchiArguments, period: Period) -> list[tuple[str, str]]:
    """The parameters that say which granules are wanted.

    The first granule that a ``rate:`` re-aggregation is given has no rate, so that one before the
    period is asked for.  What is held may have been measured in the period before.
    """
    begin = period.begin
    if args.re_aggregates_rate:
        begin -= args.granularity
    elif args.holds:
        begin -= period.length
    return [("start", begin.isoformat()), ("stop", period.end.isoformat()),
            ("granularity", str(args.force_granularity))]
