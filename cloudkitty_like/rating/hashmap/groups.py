"""The arithmetic of a group: from the rules that a row meets to its price, as a line, and to the parts of its price.

The table of what a threshold does to its group is in :mod:`cloudkitty_like.rating.hashmap.tariff`.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from math import prod
from operator import attrgetter
from typing import NamedTuple

from cloudkitty_like.domain import money
from cloudkitty_like.domain.explanation import EXACT, PricePart
from cloudkitty_like.domain.rule import Rule

MODULE = "hashmap"
ONE = Decimal(1)
RuleIdentity = Callable[[Rule], str | None]
_LEVEL = attrgetter("level")


class PriceLine(NamedTuple):
    """The price of a row that meets some rules: ``slope * qty + offset``."""

    slope: Decimal
    offset: Decimal


@dataclass(frozen=True, slots=True)
class MatchedRules:
    """The rules of one group that a row meets, by what they do: what is first in each list counts, or all rates do."""

    flats: Sequence[Rule]              # mappings, the dearest first
    rates: Sequence[Rule]              # mappings
    thresholds: Sequence[Rule]         # the highest first; of equal ones the quantity's, then the fields by name

    @property
    def threshold(self) -> Rule | None:
        return self.thresholds[0] if self.thresholds else None

    def line(self) -> PriceLine:
        """Its price; to be called in the context EXACT."""
        flat = self.flats[0].cost if self.flats else money.ZERO
        rate = prod((rule.cost for rule in self.rates), start=ONE)
        threshold = self.threshold
        if threshold is None:
            return PriceLine(rate * flat, money.ZERO)
        if threshold.type == "rate":
            return PriceLine(rate * flat * threshold.cost, money.ZERO)
        if threshold.field is None:
            return PriceLine(rate * flat, threshold.cost)
        return PriceLine(rate * (flat + threshold.cost), money.ZERO)


def thresholds(rules: Iterable[Rule]) -> list[Rule]:
    """The thresholds among the rules, the lowest level first."""
    return sorted((rule for rule in rules if rule.level is not None), key=_LEVEL)


def line(rules: Sequence[Rule]) -> PriceLine | None:
    """The price of a row that meets exactly these rules; None where there are none."""
    with localcontext(EXACT):
        lines = [group.line() for group in grouped(rules)]
        if not lines:
            return None
        return PriceLine(sum((price_line.slope for price_line in lines), money.ZERO),
                         sum((price_line.offset for price_line in lines), money.ZERO))


def grouped(rules: Iterable[Rule]) -> list[MatchedRules]:
    """The rules by group, these by name; whatever the order of the rules."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.key[4], []).append(rule)
    return [_group(groups[name]) for name in sorted(groups)]


def _group(rules: Sequence[Rule]) -> MatchedRules:
    if len(rules) == 1:                # most are so, and there may be one for every value of a label
        alone = rules[0]
        return MatchedRules((), (), rules) if alone.level is not None else (
            MatchedRules(rules, (), ()) if alone.type == "flat" else MatchedRules((), rules, ()))
    mappings = sorted((rule for rule in rules if rule.level is None), key=_place)
    flats = sorted((rule for rule in mappings if rule.type == "flat"), key=lambda rule: -rule.cost)
    reached = sorted(thresholds(rules), key=_place)
    return MatchedRules(flats, [rule for rule in mappings if rule.type == "rate"],
                        sorted(reached, key=_LEVEL, reverse=True))


def _place(rule: Rule) -> tuple[str, str]:
    return rule.field or "", rule.value or ""


# --- the same, told rule by rule --------------------------------------------------------------------


def parts(rules: Sequence[Rule], qty: Decimal, unit: str, identity: RuleIdentity) -> tuple[PricePart, ...]:
    """What each of the rules that a row of this quantity meets adds to its price: their sum is the line's value."""
    with localcontext(EXACT):
        return tuple(part for group in grouped(rules) for part in _of_group(group, qty, unit, identity))


def _of_group(group: MatchedRules, qty: Decimal, unit: str, identity: RuleIdentity) -> Iterator[PricePart]:
    def part(rule: Rule, amount: Decimal, how: str) -> PricePart:
        return PricePart(MODULE, amount, f"{called(rule)}: {how}", identity(rule))

    def times(rule: Rule) -> str:
        return f"{money.plain(rule.cost)} x {money.plain(qty)} {unit}".rstrip()

    running, threshold = money.ZERO, group.threshold
    for rule in group.flats[:1]:
        running = rule.cost * qty
        yield part(rule, running, times(rule))
    for rule in group.flats[1:]:
        yield part(rule, money.ZERO, f"{times(rule)}, but {called(group.flats[0])} is dearer")
    if threshold is not None and threshold.type == "flat" and threshold.field is not None:
        running += threshold.cost * qty
        yield part(threshold, threshold.cost * qty, times(threshold))
    for rule in group.rates:
        yield part(rule, running * (rule.cost - ONE), f"{money.plain(running)} x {money.plain(rule.cost)}")
        running *= rule.cost
    if threshold is not None and threshold.type == "rate":
        yield part(threshold, running * (threshold.cost - ONE),
                   f"{money.plain(running)} x {money.plain(threshold.cost)}")
    elif threshold is not None and threshold.field is None:
        yield part(threshold, threshold.cost, money.plain(threshold.cost))
    for rule in group.thresholds[1:]:
        yield part(rule, money.ZERO, f"{money.plain(rule.cost)}, but {called(group.thresholds[0])} goes before it")


def called(rule: Rule) -> str:
    """A rule in the words of an explanation: its kind, what it is for, and its group."""
    kind = kind_of(rule)
    if rule.level is not None:
        what = f"{'quantity' if rule.field is None else rule.field} >= {money.plain(rule.level)}"
    else:
        what = rule.service if rule.field is None else f"{rule.field}={rule.value}"
    group = f" in group {rule.key[4]}" if rule.key[4] else ""
    own = "" if rule.scope is None else f" of scope {rule.scope}"
    return f"{kind} {what}{group}{own}"


def kind_of(rule: Rule) -> str:
    """``mapping`` or ``threshold``."""
    return "mapping" if rule.level is None else "threshold"
