from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import ALWAYS, Rule, Validity, overlaps

T = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
RULE = Rule(service="instance", field="flavor", value="m1", cost=Decimal("0.1"))


def test_a_validity_is_half_open_and_open_ended_where_it_says_nothing():
    valid = Validity(T[1], T[2])
    assert [when in valid for when in T] == [False, True, False, False, False]
    assert all(when in ALWAYS for when in T)
    assert [when in Validity(None, T[2]) for when in T] == [True, True, False, False, False]
    assert [when in Validity(T[2], None) for when in T] == [False, False, True, True, True]


def test_c15_a_validity_is_kept_in_utc_and_a_naive_time_is_refused():
    east = timezone(timedelta(hours=2))
    assert Validity(datetime(2026, 1, 1, 2, tzinfo=east)).begin == T[0]
    assert Validity(datetime(2026, 1, 1, 2, tzinfo=east)).begin.tzinfo is UTC
    with pytest.raises(Invalid, match="time zone"):
        Validity(datetime(2026, 1, 1))


def test_a_validity_ends_after_it_begins():
    for end in (T[0], T[1]):
        with pytest.raises(Invalid, match="not after its start"):
            Validity(T[1], end)


BOUNDS = st.sampled_from([None, *T])
VALIDITIES = st.tuples(BOUNDS, BOUNDS).filter(lambda b: None in b or b[0] < b[1]).map(lambda b: Validity(*b))
INSTANTS = [T[0] - timedelta(days=1), *(when + timedelta(hours=h) for when in T for h in (0, 12)),
            T[-1] + timedelta(days=9)]


@given(VALIDITIES, VALIDITIES)
def test_c18_validities_overlap_where_they_share_an_instant(one, other):
    shared = any(when in one and when in other for when in INSTANTS)
    assert one.overlaps(other) == other.overlaps(one) == shared


@given(VALIDITIES, BOUNDS)
def test_a_validity_is_what_it_is_until_an_instant_and_since_it(valid, cut):
    until, since = valid.until(cut), valid.since(cut)
    for when in INSTANTS:
        assert (until is not None and when in until) == (when in valid and (cut is None or when < cut))
        assert (since is not None and when in since) == (when in valid and (cut is None or when >= cut))


@pytest.mark.parametrize(("changes", "problem"), [
    ({"service": ""}, "service: is empty"),
    ({"field": ""}, "field: is empty"),
    ({"value": ""}, "value: is empty"),
    ({"service": "x" * 256}, "service: longer"),
    ({"name": "x" * 256}, "name: longer"),
    ({"description": "x" * 4001}, "description: longer"),
    ({"group": "a\x00b"}, "group: .* cannot be stored"),
    ({"scope": "\ud800"}, "scope: .* cannot be stored"),
    ({"type": "fixed"}, "type: 'fixed'"),
    ({"cost": Decimal("NaN")}, "cost: NaN"),
    ({"cost": Decimal("-Infinity")}, "cost: -Infinity"),
    ({"cost": Decimal(10**12)}, "cost: .* before the point"),
    ({"cost": Decimal("1E-29")}, "cost: .* decimals"),
    ({"cost": Decimal("1E-400")}, "cost: .* decimals"),
    ({"level": Decimal(1)}, "level: .* not both"),
    ({"field": None}, "value: .* needs the field"),
    ({"value": None}, "field: .* needs a value"),
    ({"value": None, "level": Decimal(10**15)}, "level: .* before the point"),
])
def test_what_is_no_rule_is_refused(changes, problem):
    with pytest.raises(Invalid, match=problem):
        replace(RULE, **changes)


def test_everything_that_is_wrong_with_a_rule_is_said_at_once():
    with pytest.raises(Invalid) as refused:
        Rule(service="", cost=Decimal("NaN"), type="x", value="v")
    assert len(refused.value.problems) == 4


def test_the_largest_and_the_finest_numbers_are_accepted():
    for cost in ("999999999999." + "9" * 28, "1E-28", "0E-100", "1." + "0" * 60, "-5"):
        assert replace(RULE, cost=Decimal(cost)).cost == Decimal(cost)


def test_what_cloudkitty_accepts_and_never_applies_is_accepted_and_never_applies():
    assert replace(RULE, cost=Decimal(-1)).never_applies
    assert not replace(RULE, cost=Decimal(-1), type="rate").never_applies
    threshold = replace(RULE, value=None, level=Decimal(-1))
    assert threshold.never_applies
    assert not replace(threshold, level=Decimal("-0.99"), cost=Decimal(-1)).never_applies


def test_c18_two_rules_of_one_key_may_follow_each_other_but_not_overlap():
    first, second = replace(RULE, valid=Validity(None, T[1])), replace(RULE, cost=Decimal(2), valid=Validity(T[1]))
    assert not list(overlaps([first, second]))
    assert list(overlaps([first, RULE, second])) == [(first, RULE), (RULE, second)]


def test_c18_a_closed_rule_that_covers_the_start_of_an_open_one_overlaps():
    closed, opened = replace(RULE, valid=Validity(T[0], T[3])), replace(RULE, valid=Validity(T[1]))
    assert list(overlaps([closed, opened])) == [(closed, opened)]


def test_c20_two_thresholds_of_one_level_for_everybody_overlap():
    one = Rule(service="s", level=Decimal(100), cost=Decimal(1))
    assert list(overlaps([one, replace(one, level=Decimal("1E+2"), cost=Decimal(2), type="rate")]))


def test_one_mapping_of_the_service_per_group_and_scope():
    one = Rule(service="s", cost=Decimal(1))
    assert list(overlaps([one, replace(one, cost=Decimal(2))]))
    assert list(overlaps([one, replace(one, group="_DEFAULT_")]))
    assert not list(overlaps([one, replace(one, group="g"), replace(one, scope="p"), replace(one, scope=""),
                              replace(one, service="t"), replace(one, level=Decimal(0))]))


def test_rules_of_a_name_are_no_conflict_c18():
    one = replace(RULE, name="n")
    assert not list(overlaps([one, replace(one, value="m2")]))


def test_a_rule_says_what_it_is_for():
    assert str(RULE) == "instance, flavor=m1"
    assert str(replace(RULE, value=None, level=Decimal("4.0E+3"), group="g", scope="p")) == (
        "instance, flavor >= 4000, group g, scope p")
    assert str(Rule(service="s", level=Decimal(1), cost=Decimal(1))) == "s, quantity >= 1"


@pytest.mark.parametrize(("validity", "other", "left"), [
    ((0, 9), (3, 5), [(0, 3), (5, 9)]), ((0, 9), (0, 5), [(5, 9)]), ((0, 9), (5, 12), [(0, 5)]),
    ((0, 9), (0, 9), []), ((3, 5), (0, 9), []), ((0, 3), (3, 5), [(0, 3)]), ((None, None), (3, None), [(None, 3)]),
    ((None, None), (None, 3), [(3, None)]), ((None, 3), (None, None), []), ((5, None), (0, 3), [(5, None)])])
def test_what_is_left_of_a_validity_besides_another(validity, other, left):
    def days(span):
        return Validity(*(None if day is None else datetime(2026, 1, 1 + day, tzinfo=UTC) for day in span))

    assert days(validity).without(days(other)) == [days(part) for part in left]
