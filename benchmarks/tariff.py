"""What pricing costs per row: the compiled tariff alone, and with the rounding after it.

``python -m benchmarks.tariff`` prints microseconds of CPU time per row, the
median of several rounds, for large frames and for many small ones.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from time import process_time

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule, Type
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff
from cloudkitty_like.service.pricing.tariffs import Pricing

HOUR = Period.starting(datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))
FLAVORS = [f"m1.{i}" for i in range(20)]
IMAGES = [f"image-{i}" for i in range(6)]
MEMORY = ["512", "1024", "2048", "8192"]
ROUNDS = 7


def rules(quantity: Type | None) -> list[Rule]:
    """About thirty rules on three labels, and thresholds of the quantity if wanted."""
    found = [Rule(service="instance", cost=Decimal("0.01"))]
    found += [Rule(service="instance", field="flavor", value=flavor, cost=Decimal(i + 1).scaleb(-2))
              for i, flavor in enumerate(FLAVORS)]
    found += [Rule(service="instance", field="image", value=image, cost=1 + Decimal(i).scaleb(-1), type="rate",
                   group="" if i % 2 else "images") for i, image in enumerate(IMAGES)]
    found += [Rule(service="instance", field="memory", level=Decimal(1024 * i), cost=Decimal("0.02"), group="memory")
              for i in range(1, 5)]
    if quantity:
        found += [Rule(service="instance", level=Decimal(10**i), cost=Decimal("0.9"), type=quantity, group="quantity")
                  for i in range(1, 4)]
    return found


def frame(rows: int, chance: random.Random) -> Frame:
    return Frame.of_usage(
        "instance", "instance", HOUR, [Decimal(chance.randrange(1, 10**9)).scaleb(-6) for _ in range(rows)],
        {"project_id": ["p"] * rows, "id": [str(chance.random()) for _ in range(rows)],
         "flavor": chance.choices(FLAVORS, k=rows)},
        {"image": chance.choices(IMAGES, k=rows), "memory": chance.choices(MEMORY, k=rows)})


def cost(rate: Callable[[str, Period, Sequence[Frame]], object], frames: Sequence[Frame]) -> float:
    """Microseconds of CPU time per row, rules compiled."""
    spent = []
    for _ in range(ROUNDS + 1):
        begin = process_time()
        for number, one in enumerate(frames):
            rate(f"scope-{number}", HOUR, [one])
        spent.append(process_time() - begin)
    return median(spent[1:]) / sum(map(len, frames)) * 1e6


def main() -> None:
    chance = random.Random(1)
    print("microseconds of CPU time per row")
    print(f"{'rules':>5}  {'thresholds of the quantity':<27}{'frames':>7} x {'rows':<6}{'tariff':>8}{'rounded':>9}")
    for quantity in (None, "rate", "flat"):
        made = rules(quantity)
        tariff = HashmapTariff(made)
        for number, rows in ((20, 1000), (2000, 10)):
            frames = [frame(rows, chance) for _ in range(number)]
            alone, rounded = cost(tariff.rate, frames), cost(Pricing([("hashmap", tariff)]).rate, frames)
            print(f"{len(made):>5}  {quantity or 'none':<27}{number:>7} x {rows:<6}{alone:>8.2f}{rounded:>9.2f}")


if __name__ == "__main__":
    main()
