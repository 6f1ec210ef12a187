"""From an answer of Prometheus to a frame, row by row."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period

SHOWN = 5
"""Bad rows of a scope that are named."""

SeriesSamples = tuple[Sequence[tuple[str, ...]], Sequence[str]]
"""Rows of labels, and their samples."""


def quantities_of(metric: Metric, answers: Mapping[str, SeriesSamples]) -> Iterator[Decimal] | None:
    """Those of all scopes, one after the other; None where it has to be found out whose is none."""
    with suppress(Invalid):
        return iter(metric.quantities([value for _, values in answers.values()
                                       for value in values]))
    return None


def frame_of(metric: Metric, period: Period, names: Sequence[str], answer: SeriesSamples,
           quantities: Iterator[Decimal] | None) -> Frame:
    """The frame of one scope's answer, whose labels are ``names``; Invalid, naming each bad row."""
    rows, values = answer
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    try:
        return Frame.of_usage(
            metric.alt_name, metric.unit, period,
            metric.quantities(values) if quantities is None else islice(quantities, len(values)),
            {name: columns[name] for name in metric.groupby},
            {name: columns[name] for name in metric.metadata},
        )
    except Invalid as error:
        raise Invalid(*_bad_rows(metric, names, answer) or (f"{metric.name}: {error}",)) from None


def _bad_rows(metric: Metric, names: Sequence[str], answer: SeriesSamples) -> list[str]:
    """Each row that is no quantity, with its labels."""
    problems = []
    for row, value in zip(*answer, strict=True):
        try:
            metric.quantity(value)
        except Invalid as error:
            labels = ", ".join(f"{name}={cell!r}" for name, cell in zip(names, row, strict=True)
                               if cell)
            problems.append(f"{metric.name} of {labels}: {error}")
    if len(problems) > SHOWN:
        problems[SHOWN:] = [f"{metric.name}: {len(problems) - SHOWN} more rows like these"]
    return problems
