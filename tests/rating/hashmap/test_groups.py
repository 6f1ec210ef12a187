"""What each rule did to a price adds up to the price, and says which rule it was."""
from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.explanation import EXACT, total
from cloudkitty_like.domain.rule import Rule, overlaps
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff
from tests.rating.hashmap.test_tariff import GOLDEN, HOUR, field, frame, point, rule

D = Decimal
COSTS = st.decimals(-50, 50, places=4)
NUMBERS = st.sampled_from([D(text) for text in ("-5", "-1", "0", "0.5", "1", "3", "8")])
GROUPS = st.sampled_from(["", "_DEFAULT_", "a", "b"])


@st.composite
def rule_sets(draw) -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for number in range(draw(st.integers(0, 14))):
        name = draw(st.sampled_from([None, "x", "y"]))
        level = draw(st.none() | NUMBERS)
        value = draw(st.sampled_from(["1", "3"])) if name is not None and level is None else None
        one = Rule(service="compute", field=name, value=value, level=level, cost=draw(COSTS), group=draw(GROUPS),
                   type=draw(st.sampled_from(["flat", "rate"])), scope=draw(st.sampled_from([None, None, "s"])))
        if not any(True for _ in overlaps([*found.values(), one])):
            found[f"rule-{number}"] = one
    return found


@settings(max_examples=500, deadline=None)
@given(rule_sets(), st.lists(st.tuples(st.decimals(-100, 100, places=12), st.sampled_from(["", "0", "1", "3", "9"]),
                                       st.sampled_from(["1", "3"])), min_size=1, max_size=6))
def test_the_parts_of_a_price_add_up_to_it_exactly(rules, rows):
    usage = frame([(str(qty), {"x": x, "y": y}) for qty, x, y in rows])
    before = [None if number % 2 else D("0.25") for number in range(len(usage))]
    tariff = HashmapTariff(rules)
    for given_frame in (usage, usage.with_price(before)):
        explained = tariff.explain("s", HOUR, [given_frame])
        (answer,) = tariff.rate("s", HOUR, [given_frame])
        assert explained.frames == [answer]
        for old, new, parts in zip(given_frame.price, answer.price, explained.parts[0], strict=True):
            with localcontext(EXACT):
                assert total(parts) == (new or 0) - (old or 0)
            assert old is not None or bool(parts) == (new is not None)
            named = [part.rule for part in parts]
            assert len(set(named)) == len(named)
            assert set(named) <= rules.keys()
            assert {part.module for part in parts} <= {"hashmap"}


def told(rules, *rows, scope="s"):
    """Amount and words of every part of every row."""
    explained = HashmapTariff(rules).explain(scope, HOUR, [frame(list(rows))])
    return [[(part.amount, part.what) for part in parts] for parts in explained.parts[0]]


def test_the_worked_figures_of_cloudkitty_are_told_rule_by_rule():
    (row,) = told(GOLDEN, point("2", "m1.tiny", "a41f", "512", "1"))
    assert row == [
        (2, "mapping compute: 1 x 2 unit"),
        (D("2.84"), "mapping flavor=m1.tiny in group test: 1.42 x 2 unit"),
        (D("0.4"), "threshold memory >= 128 in group test: 0.2 x 2 unit"),
        (D("0.324"), "mapping image=a41f in group test: 3.24 x 1.1"),
        (0, "threshold memory >= 64 in group test: 0.15, but threshold memory >= 128 in group test goes before it"),
    ]


def test_what_was_outranked_is_told_as_a_part_of_nothing():
    rules = [rule("1"), field("flavor", "f", "3"), rule("9", level=D(1)), rule("0.5", level=D(2), type="rate")]
    (row,) = told(rules, ("4", {"flavor": "f"}))
    assert row == [
        (12, "mapping flavor=f: 3 x 4 unit"), (0, "mapping compute: 1 x 4 unit, but mapping flavor=f is dearer"),
        (-6, "threshold quantity >= 2: 12 x 0.5"),
        (0, "threshold quantity >= 1: 9, but threshold quantity >= 2 goes before it")]


def test_a_scopes_own_rule_is_told_as_such_and_what_it_replaces_is_not():
    rules = [rule("1"), rule("0.5", scope="own")]
    assert told(rules, ("2", {}), scope="own") == [[(1, "mapping compute of scope own: 0.5 x 2 unit")]]
    assert told(rules, ("2", {})) == [[(2, "mapping compute: 1 x 2 unit")]]


def test_c51_a_row_that_no_rule_meets_has_no_parts():
    assert told([field("flavor", "f", "3")], ("2", {"flavor": "g"})) == [[]]


def test_a_price_of_nothing_but_rates_is_told():
    assert told([rule("3", type="rate")], ("2", {})) == [[(0, "mapping compute: 0 x 3")]]
