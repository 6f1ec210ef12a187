from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import Rule, Validity, overlaps
from cloudkitty_like.domain.rule_diff import amended

T = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 9)]
OLD, NOW, NEXT = T[1], T[3], T[5]


def rule(cost, begin=None, end=None, **attributes):
    return Rule(service="s", cost=Decimal(cost), valid=Validity(begin, end), **attributes)


def after(stored, wanted, effective=NOW, retroactive=False):
    """What is stored afterwards, by id; new rules get ids of their own."""
    done = amended(stored, wanted, effective, retroactive)
    left = {key: one for key, one in stored.items() if key not in done.withdrawn}
    left.update({key: now for key, (_, now) in done.changed.items()})
    taken = len(stored) + 1000
    left.update({f"new-{taken + i}": one for i, one in enumerate(done.added)})
    return left


def values(stored, wanted, **options):
    return sorted(after({str(i): one for i, one in enumerate(stored)}, wanted, **options).values(), key=str_of)


def str_of(one):
    return str(one), one.valid.begin or T[0] - timedelta(days=999), one.cost


def test_a_new_rule_without_a_start_holds_from_always():
    assert values([], [rule(1)]) == [rule(1)]
    assert values([], [rule(1, OLD, NEXT)]) == [rule(1, OLD, NEXT)]


def test_a_changed_cost_ends_the_old_rule_and_starts_the_new_one_at_the_effective_time():
    assert values([rule(1)], [rule(2)]) == [rule(1, None, NOW), rule(2, NOW)]
    assert values([rule(1)], [rule(2)], effective=NEXT) == [rule(1, None, NEXT), rule(2, NEXT)]
    assert values([rule(1)], [rule(1, type="rate")]) == [rule(1, None, NOW), rule(1, NOW, type="rate")]


def test_retroactively_a_changed_cost_holds_over_the_old_rules_whole_validity():
    assert values([rule(1, OLD)], [rule(2)], retroactive=True) == [rule(2, OLD)]
    assert values([rule(1, OLD, NEXT)], [rule(2)], retroactive=True) == [rule(2, OLD)]
    assert values([rule(1, None, OLD), rule(2, OLD)], [rule(3)], retroactive=True) == [rule(1, None, OLD), rule(3, OLD)]


def test_a_removed_rule_ends_at_the_effective_time_and_one_that_has_not_begun_is_withdrawn():
    assert values([rule(1)], []) == [rule(1, None, NOW)]
    assert values([rule(1, None, NEXT), rule(2, NEXT)], []) == [rule(1, None, NOW)]
    assert values([rule(1, None, OLD)], []) == [rule(1, None, OLD)]


def test_retroactively_a_removed_rule_is_gone_but_those_that_had_ended_stay():
    assert values([rule(1, None, OLD), rule(2, OLD)], [], retroactive=True) == [rule(1, None, OLD)]


def test_a_rule_that_ended_and_comes_back_starts_at_the_effective_time():
    assert values([rule(1, None, OLD)], [rule(1)]) == [rule(1, None, OLD), rule(1, NOW)]
    assert values([rule(1, None, OLD)], [rule(1)], retroactive=True) == [rule(1, None, OLD), rule(1, OLD)]


def test_an_end_can_be_given_moved_and_taken_back():
    assert values([rule(1)], [rule(1, None, NEXT)]) == [rule(1, None, NEXT)]
    assert values([rule(1, None, NEXT)], [rule(1)]) == [rule(1)]
    assert values([rule(1, None, NEXT)], [rule(1, None, T[6])]) == [rule(1, None, T[6])]


def test_a_change_planned_for_later_can_be_written_down_and_taken_back():
    planned = [rule(1, None, NEXT), rule(2, NEXT)]
    assert values([rule(1)], planned) == planned
    assert values(planned, planned) == planned
    assert values(planned, [rule(1)]) == [rule(1)]
    assert values(planned, [rule(2)]) == [rule(1, None, NOW), rule(2, NOW)]


def test_a_start_in_the_past_that_contradicts_what_is_stored_needs_to_be_retroactive():
    for stored, wanted in (
        ([rule(1)], rule(2, OLD)), ([rule(1)], rule(1, OLD)), ([rule(1)], rule(1, None, OLD)),
        ([rule(1, NEXT)], rule(1, OLD)), ([rule(1, OLD)], rule(1, T[0], OLD)),
    ):
        with pytest.raises(Invalid, match="retroactive"):
            values(stored, [wanted])
        assert wanted in values(stored, [wanted], retroactive=True)


def test_retroactively_a_wanted_rule_cuts_those_that_had_ended():
    assert values([rule(1, None, T[2])], [rule(2, T[0], T[1])], retroactive=True) == [
        rule(1, None, T[0]), rule(2, T[0], T[1]), rule(1, T[1], T[2])]


def test_a_name_or_a_description_changes_in_place():
    assert values([rule(1, OLD)], [rule(1, name="n")]) == [rule(1, OLD, name="n")]
    assert values([rule(1, None, OLD)], [rule(1, None, OLD, description="d")]) == [rule(1, None, OLD, description="d")]


def test_a_rule_keeps_its_id_through_its_changes():
    assert after({"a": rule(1)}, [rule(1, None, NEXT)]) == {"a": rule(1, None, NEXT)}
    assert after({"a": rule(1, OLD)}, [rule(2)], retroactive=True) == {"a": rule(2, OLD)}
    assert after({"a": rule(1)}, [rule(2)])["a"] == rule(1, None, NOW)
    assert after({"a": rule(1, NEXT)}, [rule(1, T[6])]) == {"a": rule(1, T[6])}
    both = {"a": rule(1, None, NEXT), "b": rule(2, NEXT)}
    assert after(both, [rule(2)])["b"] == rule(2, NOW)


def test_rules_of_other_keys_do_not_meddle():
    one, other = rule(1, field="f", value="a"), rule(1, field="f", value="b")
    done = amended({"a": one, "b": other}, [one, replace(other, cost=Decimal(2))], NOW)
    assert (list(done.changed), done.unchanged, len(done.added)) == (["b"], 1, 1)


def test_the_difference_is_told_rule_by_rule():
    done = amended({"a": rule(1), "b": rule("0.5", group="g"), "c": rule(1, NEXT, group="h")},
                   [rule(2), rule(3, scope="p", name="n"), rule("0.50", group="g", name="x")], NOW)
    assert done
    assert done.lines() == [
        "~ s: flat 1 from always\n  now: from always until 2026-01-04T00:00:00Z",
        "+ s: flat 2 from 2026-01-04T00:00:00Z",
        "~ s, group g: flat 0.5 from always\n  now: name 'x'",
        "- s, group h: flat 1 from 2026-01-06T00:00:00Z",
        "+ s, scope p: flat 3 from always",
    ]
    assert not amended({"a": rule(1)}, [rule("1.0")], NOW)


# --- changes that move back -----------------------------------------------------------------------

PLANNED = {"a": rule(1, None, NEXT), "b": rule(2, NEXT)}


def test_i8_m3_a_later_change_that_moves_back_is_marked():
    done = amended(PLANNED, [rule(2)], NOW)
    assert done.moved_back == {"a", "b"}
    assert done.lines() == [
        ("! s: flat 1 from always until 2026-01-06T00:00:00Z\n"
         "  now: from always until 2026-01-04T00:00:00Z (its end of 2026-01-06T00:00:00Z moves back)"),
        ("! s: flat 2 from 2026-01-06T00:00:00Z\n"
         "  now: from 2026-01-04T00:00:00Z (its change of 2026-01-06T00:00:00Z moves back)"),
    ]
    assert done.moves() == ["s: flat 2 from 2026-01-06T00:00:00Z would hold from 2026-01-04T00:00:00Z on"]


@pytest.mark.parametrize(("stored", "wanted", "effective", "moved"), [
    ({"b": rule(2, NEXT)}, [rule(2)], NOW, {"b"}),                           # one that was to begin later
    ({"a": rule(1, None, NOW), "b": rule(2, NOW)}, [rule(2)], OLD, {"a", "b"}),      # a change that has been
    ({"a": rule(1, None, T[4]), "b": rule(2, NEXT)}, [rule(2)], NOW, {"a", "b"}),    # with nothing in between
    ({"a": rule(1, None, T[4]), "b": rule(3, T[4], NEXT), "c": rule(2, NEXT)}, [rule(2)], NOW, {"a", "c"}),
    ({"a": rule(1, None, NEXT)}, [], NOW, {"a"}),                            # a removal that was to be later
    (PLANNED, [rule(1)], NOW, set()),                                        # taken back
    (PLANNED, [rule(3)], NOW, set()),                                        # replaced
    (PLANNED, [], NOW, set()),                                               # removed
    (PLANNED, [rule(1, None, T[4]), rule(2, T[4])], NOW, set()),             # the file says when
    (PLANNED, [rule(2, NOW)], NOW, set()),
    (PLANNED, [rule(1, None, NEXT), rule(2, NEXT)], NOW, set()),
    (PLANNED, [rule(2)], NEXT, set()), (PLANNED, [rule(2)], T[6], set()),    # no earlier than it is
    ({"a": rule(1, None, NEXT)}, [rule(3)], NOW, set()),                     # another price before it was to end
    ({"a": rule(1)}, [rule(2)], NOW, set()), ({"a": rule(1)}, [], NOW, set()),
])
def test_i8_m3_only_what_the_effective_time_moves_is_marked(stored, wanted, effective, moved):
    assert amended(stored, wanted, effective).moved_back == moved


# --- properties ----------------------------------------------------------------------------------

INSTANTS = sorted({when + timedelta(hours=h) for when in T for h in (-12, 0, 12)})


@st.composite
def histories(draw):
    """Rules of two keys without overlaps."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        begin, end = draw(st.sampled_from([None, *T])), draw(st.sampled_from([None, *T]))
        if begin is None or end is None or begin < end:
            one = rule(draw(st.sampled_from([1, 2])), begin, end, group=draw(st.sampled_from(["", "g"])),
                       name=draw(st.sampled_from(["", "n"])))
            if not list(overlaps([*found, one])):
                found.append(one)
    return found


def prices(rules, when):
    return {one.key: one.prices_like for one in rules if when in one.valid}


@settings(max_examples=500)
@given(histories(), histories(), st.sampled_from(T), st.sampled_from(T), st.booleans())
def test_applying_twice_is_applying_once_also_later_and_nothing_overlaps(stored, wanted, effective, later, retroactive):
    assume(later >= effective)
    before = {str(i): one for i, one in enumerate(stored)}
    try:
        now = after(before, wanted, effective, retroactive)
    except Invalid:
        assume(False)
    assert not list(overlaps(now.values()))
    assert not amended(now, wanted, effective, retroactive)
    assert not amended(now, wanted, later)
    assert not amended(now, wanted, later, retroactive=True)


@settings(max_examples=500)
@given(histories(), histories(), st.sampled_from(T))
def test_what_was_before_stays_and_what_is_wanted_holds_afterwards(stored, wanted, effective):
    try:
        now = values(stored, wanted, effective=effective)
    except Invalid:
        assume(False)
    known = {one.key for one in stored}
    for when in INSTANTS:
        past, future = prices(stored, when), prices(wanted, when)
        new = {key: how for key, how in future.items() if key not in known}
        expected = {**past, **new} if when < effective else future
        assert prices(now, when) == expected


@settings(max_examples=500)
@given(histories(), histories(), st.sampled_from(T))
def test_i8_m3_a_price_that_no_start_asks_for_comes_no_earlier_without_a_mark(stored, wanted, effective):
    try:
        done = amended({str(i): one for i, one in enumerate(stored)}, wanted, effective)
    except Invalid:
        assume(False)
    moved = {done.changed[identity][0].key for identity in done.moved_back}
    for before, after in done.changed.values():
        asked = [one.valid.begin for one in wanted if one.key == before.key]
        if (before.valid.begin or T[0]) > effective == after.valid.begin and effective not in asked:
            assert before.key in moved


@settings(max_examples=500)
@given(histories(), histories(), st.sampled_from(T))
def test_retroactively_everything_that_says_when_holds_then(stored, wanted, effective):
    now = values(stored, wanted, effective=effective, retroactive=True)
    for one in wanted:
        for when in INSTANTS:
            if when in one.valid and (one.valid.begin is not None or when >= effective):
                assert prices(now, when)[one.key] == one.prices_like
    ended = [one for one in stored if one.valid.is_over(effective)]
    for when in INSTANTS:
        asked = prices(wanted, when)
        for key, how in prices(ended, when).items():
            assert key in asked or prices(now, when)[key] == how


@settings(max_examples=300)
@given(histories(), st.sampled_from(T), st.booleans(), st.booleans())
def test_a_rule_set_applied_to_itself_is_no_change(stored, now, retroactive, all_of_them):
    wanted = [one for one in stored if all_of_them or not one.valid.is_over(now)]
    assert not amended({str(i): one for i, one in enumerate(stored)}, wanted, now, retroactive)


@settings(max_examples=300)
@given(histories(), st.sampled_from(T), st.booleans())
def test_onto_nothing_the_wanted_rules_are_stored_as_they_are(wanted, now, retroactive):
    assert sorted(values([], wanted, effective=now, retroactive=retroactive), key=repr) == sorted(wanted, key=repr)
