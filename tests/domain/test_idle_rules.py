"""Rules that never make a difference: told by looking at them, shown by rating."""
from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.idle_rules import LEVEL, NEGATIVE, RATE, idle_rules
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule, Validity, overlaps
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = Period(WHEN, WHEN.replace(hour=1))


def rule(cost, **more):
    return Rule(service="s", cost=Decimal(cost), **more)


def rate(cost="0.9", **more):
    return rule(cost, type="rate", **more)


def reasons(*rules):
    return [why for _, why in idle_rules(rules)]


SMALL, LARGE = {"field": "flavor", "value": "small"}, {"field": "flavor", "value": "large"}


@pytest.mark.parametrize(("rules", "expected"), [
    ([rule(-1)], [NEGATIVE]),
    ([rule(1, level=Decimal(-1))], [LEVEL]),
    ([rule(1, field="f", level=Decimal("-2.5"))], [LEVEL]),
    ([rule(1, level=Decimal("-0.99")), rule(-1, level=Decimal(5)), rate(-1), rule(1)], []),
    ([rate()], [RATE]),
    ([rate(), rule(0)], []),                                     # free on purpose, and met
    ([rate(), rule(-1)], [RATE, NEGATIVE]),
    ([rate(group="g"), rule(1)], [RATE]),
    ([rate(group="_DEFAULT_"), rule(1)], []),                    # another name of no group
    ([rate(**SMALL), rule(1, **SMALL)], []),
    ([rate(**SMALL), rule(1, **LARGE)], [RATE]),                 # no point has both
    ([rate(**SMALL), rule(1, field="image", value="i")], []),
    ([rate(), rule(1, field="f", level=Decimal(1))], []),        # rate x c x qty
    ([rate(), rule(1, level=Decimal(1))], [RATE]),               # c as it is
    # only one threshold counts
    ([rate(level=Decimal(1)), rule(1, field="f", level=Decimal(2))], [RATE]),
    ([rate(level=Decimal(1)), rule(1)], []),
    ([rate(scope="a"), rule(1, scope="b")], [RATE]),
    ([rate(scope="a"), rule(1)], []), ([rate(), rule(1, scope="b")], []),
    ([rate(valid=Validity(end=WHEN)), rule(1, valid=Validity(WHEN))], [RATE]),
])
def test_i8_m4_what_never_applies_is_told_with_its_reason(rules, expected):
    assert sorted(reasons(*rules)) == sorted(expected)


RULES = st.lists(st.builds(
    lambda cost, kind, what, group: rule(cost, type=kind, group=group, **what),
    st.sampled_from([-1, 0, 1, 2]), st.sampled_from(["flat", "rate"]),
    st.sampled_from([{}, SMALL, LARGE, {"field": "image", "value": "i"}, {"level": Decimal(-1)},
                     {"level": Decimal(2)},
                     {"field": "size", "level": Decimal(-3)},
                     {"field": "size", "level": Decimal(4)}]),
    st.sampled_from(["", "g"])), max_size=6)


def total(rules):
    """Price of every kind of point, 0 where there is none."""
    kinds = [(qty, flavor, image, size) for qty in (0, 1, 3) for flavor in ("small", "large", "odd")
             for image in ("i", "j") for size in ("1", "9")]
    frame = Frame.of_usage("s", "u", HOUR, [Decimal(one[0]) for one in kinds],
                           {"flavor": [one[1] for one in kinds],
                            "image": [one[2] for one in kinds]},
                           {"size": [one[3] for one in kinds]})
    (rated,) = HashmapTariff(rules).rate("a", HOUR, [frame])
    labels = zip(rated.groupby["flavor"], rated.groupby["image"], rated.metadata["size"],
                 strict=True)
    return {(qty, *label): price or 0
            for qty, label, price in zip(rated.qty, labels, rated.price, strict=True)}


@settings(max_examples=300, deadline=None)
@given(RULES)
def test_i8_m4_without_an_idle_rule_every_price_is_the_same(rules):
    unique = []
    for one in rules:
        if not list(overlaps([*unique, one])):
            unique.append(one)
    for lazy, why in idle_rules(unique):
        others = [one for one in unique if one is not lazy]
        if why == RATE and lazy.level is not None and any(one.level is not None for one in others):
            # of several thresholds it may still be the one that counts
            continue
        assert total(others) == total(unique), (lazy, why)
