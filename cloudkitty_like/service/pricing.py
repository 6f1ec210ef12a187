"""From frames of usage to frames of prices: the rating modules in their order, then one rounding."""
from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from itertools import repeat

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import RatingModule, Tariff
from cloudkitty_like.service import modules

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
                for frame in frames:
                    if not isinstance(frame, Frame) or (frame.period is not period and frame.period != period):
                        raise Invalid(f"the rating module {name} answered {frame!r:.80}, which is no frame of {period}")
        with localcontext(PRICE):
            return [rounded(frame) for frame in frames]


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

    def _module(self, name: str) -> RatingModule:
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
    for one in price:
        if one is None:
            continue
        if not isinstance(one, Decimal):
            return f"a price of {one!r} is no Decimal"
        if not one.is_finite() or abs(one) >= money.POINT_LIMIT - money.QUANTUM:
            return f"a price of {one:.6E} is out of range: a point stays below 10^15 in size"
    return "a price cannot be stored"
