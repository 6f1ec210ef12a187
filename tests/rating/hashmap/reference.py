"""HashMap the slow way: point by point, rule by rule, with an accumulator, to compare the compiled tariff with."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import Any

from cloudkitty_like.domain.rule import Rule


def in_force(rules: Iterable[Rule], service: str, scope: str, when: datetime) -> list[Rule]:
    """First everybody's rules, then the scope's, which replace those of the same parent, group and value or level."""
    table: dict[object, Rule] = {}
    for tier in (None, scope):
        for rule in rules:
            begun = rule.valid.begin is None or rule.valid.begin <= when
            ended = rule.valid.end is not None and rule.valid.end <= when
            if (rule.service, rule.scope) == (service, tier) and begun and not ended:
                table[rule.field, rule.group, rule.value, rule.level] = rule
    return list(table.values())


def price(rules: list[Rule], qty: Decimal, labels: Mapping[str, str]) -> Decimal | None:
    """The price of one point under these rules; None where none is met.  To 300 digits."""
    groups: dict[str, dict[str, Any]] = {}
    with localcontext(Context(prec=300)):
        for rule in _met(rules, qty, labels):
            so_far = groups.setdefault(rule.group, {"flat": Decimal(0), "rate": Decimal(1), "threshold": None})
            if rule.level is not None:
                if so_far["threshold"] is None or rule.level > so_far["threshold"].level:
                    so_far["threshold"] = rule
            elif rule.type == "rate":
                so_far["rate"] *= rule.cost
            else:
                so_far["flat"] = max(so_far["flat"], rule.cost)
        return sum((_of_group(**so_far, qty=qty) for so_far in groups.values()), Decimal(0)) if groups else None


def _met(rules: list[Rule], qty: Decimal, labels: Mapping[str, str]) -> Iterator[Rule]:
    """The service's before the fields', these by name; without those that never apply."""
    for rule in sorted(rules, key=lambda rule: rule.field or ""):
        label = str(qty) if rule.field is None else labels.get(rule.field, "")
        if label == "":
            continue
        if rule.level is not None:
            if rule.level > -1 and Decimal(label) >= rule.level:
                yield rule
        elif (rule.field is None or rule.value == label) and not (rule.type == "flat" and rule.cost < 0):
            yield rule


def _of_group(flat: Decimal, rate: Decimal, threshold: Rule | None, qty: Decimal) -> Decimal:
    if threshold is None:
        return rate * flat * qty
    match threshold.field is None, threshold.type:
        case False, "flat":
            return rate * (flat + threshold.cost) * qty
        case False, "rate":
            return rate * threshold.cost * flat * qty
        case True, "flat":
            return rate * flat * qty + threshold.cost
        case _:
            return rate * flat * qty * threshold.cost
