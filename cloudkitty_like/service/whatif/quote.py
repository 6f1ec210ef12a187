"""What some usage would cost: by the very modules, rules and scopes' rules that rate."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.explanation import ExplainedPoint, rounding
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.service.access import Caller, required
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.pricing.trace import Trace
from cloudkitty_like.service.pricing.usage import SkipPredicates, skips, without_skipped
from cloudkitty_like.service.reports.replay import Explanation

UNKNOWN_UNIT = "undef"


@dataclass(frozen=True, slots=True)
class Resource:
    """So much of a metric with these labels."""

    metric: str
    volume: Decimal
    groupby: Mapping[str, str]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class QuoteService:
    """``rating()`` is the rule-set version of now and what rates by it."""

    rating: Callable[[], tuple[int, Any]]
    metrics: Callable[[], Sequence[Metric]]
    clock: Callable[[], datetime]
    period: timedelta
    scope_key: str
    tariffs: Tariffs | None = None     # to explain by

    def prices(self, caller: Caller, resources: Sequence[Resource], at: datetime | None = None) -> list[Decimal | None]:
        """The price of each, None where no rule has one, by the newest rules, as they hold ``at`` (None: now).

        Each is usage of a period that begins at that very instant, wherever periods begin otherwise: a rule made
        now counts now.

        A resource is its scope's, where its labels name one, else the caller's own.  Forbidden for anybody else's;
        Unavailable where nothing can be rated.

        Each is rated as if its scope used nothing else in the period.  Its price is that of all points that modules
        make of it: 0 where it is dropped or skipped, so that it would not be in the ledger.
        """
        scopes = [self._scope(caller, resource) for resource in resources]
        with _rates():
            _, rate = self.rating()
        period, skip, frames = self._frames(resources, at)
        return [_price(without_skipped(rate(scope, period, [frame]), skip))
                for scope, frame in zip(scopes, frames, strict=True)]

    def explained(self, caller: Caller, resources: Sequence[Resource],
                  at: datetime | None = None) -> list[Sequence[Explanation]]:
        """As :meth:`prices`, but for each resource its points, each with what made its price."""
        if self.tariffs is None:
            raise Unavailable("there is nothing to explain by")
        scopes = [self._scope(caller, resource) for resource in resources]
        with _rates():
            change, pricing = self.tariffs.latest()
        period, skip, frames = self._frames(resources, at)
        explanations = [_explained(*pricing.explain(scope, period, [frame]), skip)
                        for scope, frame in zip(scopes, frames, strict=True)]
        provenance = self.tariffs.provenance(
            change, (part for points in explanations for point in points for part in point.parts))
        return [[replace(point, rules=provenance) for point in points] for points in explanations]

    def _frames(self, resources: Sequence[Resource], at: datetime | None) -> tuple[Period, SkipPredicates, list[Frame]]:
        metrics = self.metrics()
        # Not the ledger's period that contains the instant: rules are chosen by a period's begin.
        period = Period.starting(self.clock() if at is None else at, self.period)
        units = {metric.alt_name: metric.unit for metric in metrics}
        return period, skips(metrics), [_frame(resource, period, units) for resource in resources]

    def _scope(self, caller: Caller, resource: Resource) -> str:
        named = resource.groupby.get(self.scope_key) or resource.metadata.get(self.scope_key)
        if named:
            required(caller, self.scope_key, frozenset({named}))
        return named or caller.own_scope(self.scope_key) or ""


def _frame(resource: Resource, period: Period, units: Mapping[str, str]) -> Frame:
    return Frame.of_usage(
        resource.metric, units.get(resource.metric, UNKNOWN_UNIT), period, [resource.volume],
        {name: [value] for name, value in resource.groupby.items()},
        {name: [value] for name, value in resource.metadata.items()})


@contextmanager
def _rates() -> Iterator[None]:
    """A module that cannot be loaded, or rules that it cannot read, is not what is wrong with the question."""
    try:
        yield
    except Invalid as error:
        raise Unavailable(f"rating failed: {error}") from error


def _price(frames: Sequence[Frame]) -> Decimal | None:
    """Of whatever became of one resource."""
    prices = [price for frame in frames for price in frame.price]
    if prices and all(price is None for price in prices):
        return None
    with money.arithmetic():
        return sum((price for price in prices if price is not None), money.ZERO)


def _explained(frames: Sequence[Frame], trace: Trace, skip: SkipPredicates) -> list[Explanation]:
    explanations = []
    for number, frame in enumerate(frames):
        predicate = skip.get(frame.metric)
        skipped = [False] * len(frame) if predicate is None else predicate.mask(frame)
        for row in range(len(frame)):
            if not skipped[row]:
                parts, point = trace.parts(number, row), ExplainedPoint.of(frame, row)
                explanations.append(Explanation(point, parts, rounding(point.price, parts)))
    return explanations
