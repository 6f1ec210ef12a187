"""From the granules of a group to the usage of a period, and from groups to frames."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from cloudkitty_like.client.gnocchi import MeasuredGroup
from cloudkitty_like.collector.gnocchi_query import GnocchiArguments
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period

SHOWN = 5
"""Bad groups of a scope that are named."""


def label(value: Any) -> str:
    """The text of an attribute; nothing where the resource has none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def weighted(metric: Metric, args: GnocchiArguments, period: Period) -> Metric:
    """The metric whose raw value is the sum of granules.

    A gauge weighs by time: each granule counts with its share of the period.  The share is a
    factor, which stays a fraction until the one rounding.
    """
    if args.additive:
        return metric
    return replace(metric, factor=metric.factor * Fraction(args.force_granularity, period.seconds))


def total(group: MeasuredGroup, args: GnocchiArguments, period: Period) -> Decimal | None:
    """The sum of a group's granules in the period, exactly; None where it has none there.

    :raises Invalid: when a value is no finite number.
    :raises Unavailable: when the granules are not those that were asked for.
    """
    series = {}
    for begin, seconds, raw in group.measures.measures.aggregated:
        if seconds != args.force_granularity:
            raise Unavailable(f"Gnocchi answers with granules of {seconds:g} s where "
                              f"{args.force_granularity} s were asked for")
        if begin in series:
            raise Unavailable(f"Gnocchi answers twice for the granule at {begin.isoformat()}")
        series[begin] = money.number(bytes(raw).decode())
    inside = [value for begin, value in series.items() if begin in period]
    if not inside:
        return None
    if args.holds:
        inside = []
        before = [begin for begin in series if begin < period.begin]
        latest = series[max(before)] if before else None
        for granule in period.split(args.granularity):
            latest = series.get(granule.begin, latest)
            inside += [] if latest is None else [latest]
    with money.arithmetic():
        return sum(inside, money.ZERO)


def frame_of(metric: Metric, args: GnocchiArguments, period: Period,
             groups: Sequence[MeasuredGroup]) -> Frame | None:
    """The frame of one scope's groups; None where none of them has a granule in the period.

    :raises Invalid: when a value is no quantity; the message names the groups.
    """
    converted = weighted(metric, args, period)
    quantities, rows, problems = [], [], []
    for group in groups:
        row = {name: label(group.group[name]) for name in metric.labels}
        try:
            raw = total(group, args, period)
            if raw is not None:
                quantities.append(converted.quantity(raw))
                rows.append(row)
        except Invalid as error:
            problems.append(f"{metric.name} of {label(group.group['id'])}: {error}")
    if len(problems) > SHOWN:
        problems[SHOWN:] = [f"{metric.name}: {len(problems) - SHOWN} more groups like these"]
    if problems:
        raise Invalid(*problems)
    if not rows:
        return None
    return Frame.of_usage(
        metric.alt_name, metric.unit, period, quantities,
        {name: [row[name] for row in rows] for name in metric.groupby},
        {name: [row[name] for row in rows] for name in metric.metadata})
