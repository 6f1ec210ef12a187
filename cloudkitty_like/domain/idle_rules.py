"""Rules that can never price anything, by the arithmetic of hashmap alone.

The arithmetic is that of :mod:`cloudkitty_like.rating.hashmap.tariff`: a flat
mapping of negative cost and a threshold of level -1 or less never apply, and a
rate acts on nothing but the flat cost of its own group.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudkitty_like.domain.rule import Rule

NEGATIVE = "a flat mapping of negative cost never applies; a discount is a rate below 1"
LEVEL = "a threshold of level -1 or less never applies"
RATE = ("a rate multiplies the flat cost of its own group, and no flat rule there can meet the same points: "
        "it comes to 0")

ServiceGroup = tuple[str, str]
"""A service and a group."""


def idle_rules(rules: Iterable[Rule]) -> Iterator[tuple[Rule, str]]:
    """Every rule that never prices anything beside the others, and why."""
    rules = list(rules)
    flats: dict[ServiceGroup, list[Rule]] = {}
    for rule in rules:
        if rule.type == "flat" and not rule.never_applies:
            flats.setdefault(_place(rule), []).append(rule)
    for rule in rules:
        if rule.never_applies:
            yield rule, NEGATIVE if rule.level is None else LEVEL
        elif rule.type == "rate" and not any(_multiplies(rule, flat) for flat in flats.get(_place(rule), ())):
            yield rule, RATE


def _place(rule: Rule) -> ServiceGroup:
    return rule.service, rule.key[4]


def _multiplies(rate: Rule, flat: Rule) -> bool:
    """Whether there may be a point whose flat cost is that of ``flat``, times ``rate``."""
    if flat.level is not None and (rate.level is not None or flat.field is None):
        # Of two thresholds one counts, and what a threshold of the quantity adds is not multiplied.
        return False
    if rate.level is None and flat.level is None and rate.field is not None and rate.field == flat.field \
            and rate.value != flat.value:
        return False                       # one label has one value
    return ((rate.scope is None or flat.scope is None or rate.scope == flat.scope)
            and rate.valid.overlaps(flat.valid))
