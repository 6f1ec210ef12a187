"""From frames of usage to frames of prices: the rating modules in their order, then one rounding."""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from itertools import repeat
from typing import Any

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.explanation import PricePart, Provenance
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import RatingModule, Tariff
from cloudkitty_like.service.pricing import modules
from cloudkitty_like.service.pricing.trace import Trace, check

DIGITS = len(str(money.POINT_LIMIT)) - 1 + money.PLACES
# Where more digits than this would be needed, quantize refuses: the range is checked on the way.
PRICE = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])


class Pricing:
    """Everything that rates at one rule change, ready to run.  Thread-safe if the tariffs are."""

    def __init__(self, tariffs: Sequence[tuple[str, Tariff]]) -> None:
        self._tariffs = tuple(tariffs)

    def rate(self, scope: str, period: Period, frames: Sequence[Frame]) -> list[Frame]:
        """The frames of one scope and period, all metrics, with prices rounded half-even to 12 decimals.

        Invalid, naming module or metric, where a module fails for a reason in
        its rules or the data, answers nonsense, or a price is out of range.
        """
        with money.arithmetic():
            for name, tariff in self._tariffs:
                frames = tariff.rate(scope, period, frames)
                check(name, frames, period)
        with localcontext(PRICE):
            return [rounded(frame) for frame in frames]

    __call__ = rate

    @property
    def side_by_side(self) -> int:
        """Scopes that can be rated at a time, as rating waits for other processes; 0: it waits for none."""
        return max((getattr(tariff, "side_by_side", 0) for _, tariff in self._tariffs), default=0)

    def explain(self, scope: str, period: Period, frames: Sequence[Frame]) -> tuple[list[Frame], Trace]:
        """What ``rate`` answers to the same, and what made each price of it."""
        trace = Trace(frames)
        with money.arithmetic():
            for name, tariff in self._tariffs:
                trace.through(name, tariff, scope, period)
        with localcontext(PRICE):
            return [rounded(frame) for frame in trace.frames], trace

    @property
    def modules(self) -> tuple[str, ...]:
        """Their names, in the order in which they run."""
        return tuple(name for name, _ in self._tariffs)


class Tariffs:
    """Pricings by rule change; the last few are kept, and a module is made once."""

    def __init__(self, database: Database, load: Callable[[str], RatingModule], keep: int = 4) -> None:
        self._database, self._load, self._keep = database, load, keep
        self._modules: dict[str, RatingModule] = {}
        self._pricings: OrderedDict[int, Pricing] = OrderedDict()
        self._lock = threading.Lock()

    def at(self, change: int) -> Pricing:
        """What rates by the rules and modules as recorded at this change.

        Whatever a module raises while it is loaded or reads its rules is
        raised here: nothing is rated without it.
        """
        with self._lock:
            pricing = self._pricings.get(change)
            if pricing is None:
                active = modules.active(self._database, change, self._module)
                pricing = Pricing([(name, module.tariff(change)) for name, module in active])
                self._pricings[change] = pricing
                while len(self._pricings) > self._keep:
                    self._pricings.popitem(last=False)
            self._pricings.move_to_end(change)
            return pricing

    def latest(self) -> tuple[int, Pricing]:
        """The newest rule change, and what rates by it."""
        with self._database.read() as tx:
            change = rules.latest(tx)
        return change, self.at(change)

    def trial(self, documents: Mapping[str, Any]) -> Pricing:
        """What rates by the newest rules, but these modules, by name, on or off, by these rules and no others.

        Invalid, with every reason, where a module has no use for such a
        document, or there is no module of that name.
        """
        with self._database.read() as tx:
            change = rules.latest(tx)
        tariffs: list[tuple[str, Tariff]] = []
        problems: list[str] = []
        with self._lock:
            for name, module in modules.active(self._database, change, self._module, tuple(documents)):
                candidate: Any = getattr(module, "candidate", None)
                if name not in documents:
                    tariffs.append((name, module.tariff(change)))
                elif candidate is None:
                    problems.append(f"the rating module {name} cannot try rules that are not recorded")
                else:
                    tariffs.append((name, candidate(documents[name])))
        problems += [f"no rating module is called {name!r}" for name in documents
                     if name not in dict(tariffs) and not problems]
        if problems:
            raise Invalid(*problems)
        return Pricing(tariffs)

    def provenance(self, change: int, parts: Iterable[PricePart]) -> dict[tuple[str, str], Provenance]:
        """Where the rules behind these parts come from as they were known at a change, by module and id."""
        rule_ids: dict[str, set[str]] = {}
        for part in parts:
            if part.rule is not None:
                rule_ids.setdefault(part.module, set()).add(part.rule)
        provenances: dict[tuple[str, str], Provenance] = {}
        for name, ids in rule_ids.items():
            with self._lock:
                lookup: Any = getattr(self._module(name), "provenance", None)
            if lookup is not None:
                provenances.update(((name, identity), provenance) for identity, provenance
                                   in lookup(change, sorted(ids)).items())
        return provenances

    def _module(self, name: str) -> RatingModule:
        """The module of that name, made where it was not; under the lock."""
        if name not in self._modules:
            self._modules[name] = self._load(name)
        return self._modules[name]


def rounded(frame: Frame) -> Frame:
    """The frame with its prices as they are stored; to be called in the context PRICE."""
    price = frame.price
    if frame.unpriced == len(price):
        return frame
    try:
        if frame.unpriced:
            exact: list[Decimal | None] = [None if p is None else Decimal.quantize(p, money.QUANTUM) for p in price]
            wrong = any(p is not None and p.is_nan() for p in exact)
        else:
            exact = list(map(Decimal.quantize, price, repeat(money.QUANTUM)))  # type: ignore[arg-type]
            wrong = any(map(Decimal.is_nan, exact))  # type: ignore[arg-type]
    except (InvalidOperation, TypeError):
        wrong = True
    if wrong:
        raise Invalid(f"{frame.metric}: {_wrong(price)}")
    return frame.with_price(exact)


def _wrong(price: Sequence[object]) -> str:
    """What is wrong with the first price that cannot be stored."""
    for value in price:
        if value is None:
            continue
        if not isinstance(value, Decimal):
            return f"a price of {value!r} is no Decimal"
        if not value.is_finite() or abs(value) >= money.POINT_LIMIT - money.QUANTUM:
            return f"a price of {value:.6E} is out of range: a point stays below 10^15 in size"
    return "a price cannot be stored"
