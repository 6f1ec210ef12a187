"""What some usage would cost: by the very modules, rules and scopes' rules that rate."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.service.access import Caller, required

UNKNOWN_UNIT = "undef"


@dataclass(frozen=True, slots=True)
class Resource:
    """So much of a metric with these labels."""

    metric: str
    volume: Decimal
    groupby: Mapping[str, str]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Quotes:
    """``rating()`` is the rule-set version of now and what rates by it."""

    rating: Callable[[], tuple[int, Any]]
    metrics: Callable[[], Sequence[Metric]]
    clock: Callable[[], datetime]
    period: timedelta
    scope_key: str

    def prices(self, caller: Caller, resources: Sequence[Resource]) -> list[Decimal | None]:
        """The price of each, None where no rule has one, at the rules that hold now.

        A resource is its scope's, where its labels name one, else the caller's own.  Forbidden for anybody else's;
        Unavailable where nothing can be rated.
        """
        units = {metric.alt_name: metric.unit for metric in self.metrics()}
        try:
            _, rate = self.rating()
        except Invalid as error:
            # A module that cannot be loaded, or rules that it cannot read: not what is wrong with the question.
            raise Unavailable(f"rating failed: {error}") from error
        now = Period.containing(self.clock(), self.period)
        scopes = [self._scope(caller, one) for one in resources]
        prices: dict[int, Decimal | None] = {}
        for scope in dict.fromkeys(scopes):
            numbers = [number for number, other in enumerate(scopes) if other == scope]
            frames = [_frame(resources[number], now, units) for number in numbers]
            for number, frame in zip(numbers, rate(scope, now, frames), strict=True):
                prices[number] = frame.price[0] if len(frame) else money.ZERO
        return [prices[number] for number in range(len(resources))]

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
