from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import Script
from cloudkitty_like.domain.script_diff import ScriptDiff, ended, succeeded

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 10, tzinfo=UTC)


def at(day):
    return None if day is None else NOW + day * DAY


def script(text="a", begin=None, end=None, order=0, description=""):
    return Script(name="n", text=text, order=order, description=description, valid=Validity(at(begin), at(end)))


def after(known, succession):
    """The versions that are known once this has been recorded."""
    found = {number: one for number, one in known.items() if number not in succession.withdrawn}
    found |= {number: new for number, (_, new) in succession.changed.items()}
    return found if succession.added is None else found | {max(known, default=0) + 1: succession.added}


def held(known, when):
    """The text that holds then; at most one does."""
    found = [(one.text, one.order) for one in known.values() if when in one.valid]
    assert len(found) <= 1
    return found[0] if found else None


def test_the_first_version_is_added():
    assert succeeded({}, script(begin=0)) == ScriptDiff(script(begin=0))


def test_a_new_text_ends_the_one_before_it():
    known = {1: script("a", -5)}
    assert succeeded(known, script("b", 0)) == ScriptDiff(script("b", 0), {1: (known[1], script("a", -5, 0))})


def test_the_same_text_goes_on_and_twice_is_once():
    known = {1: script("a", -5)}
    assert not succeeded(known, script("a", 0))
    longer = succeeded(known, script("a", 0, 9, description="d"))
    assert longer == ScriptDiff(None, {1: (known[1], script("a", -5, 9, description="d"))})
    assert not succeeded(after(known, longer), script("a", 1, 9, description="d"))


def test_another_order_is_another_version():
    assert succeeded({1: script(begin=-5)}, script(begin=0, order=1)).added == script(begin=0, order=1)


def test_what_was_to_come_later_is_withdrawn():
    known = {1: script("a", -5, 5), 2: script("b", 5)}
    assert succeeded(known, script("c", 1)) == ScriptDiff(
        script("c", 1), {1: (known[1], script("a", -5, 1))}, {2: known[2]})


def test_a_version_that_holds_from_the_same_start_on_is_replaced():
    known = {1: script("a", None, -9), 2: script("b", -5)}
    assert succeeded(known, script("c", -5)) == ScriptDiff(script("c", -5), {}, {2: known[2]})
    assert succeeded(known, script("c")) == ScriptDiff(script("c"), {}, known)


def test_the_lines_say_what_changes():
    known = {2: script("a", -5, 5), 10: script("b", 5)}
    first, now, second, third = succeeded(known, script("c", 0, 1)).lines()
    assert first.startswith("~ version 2 of n: order 0, text 1f40fc92da24 from 2026-11-05")
    assert now == "  now: from 2026-11-05T00:00:00Z until 2026-11-10T00:00:00Z"
    assert second.startswith("- version 10 of n: ")
    assert third.startswith("+ n: order 0, text ")
    assert third.endswith(" from 2026-11-10T00:00:00Z until 2026-11-11T00:00:00Z")
    assert succeeded({1: script("a", -5)}, script("a", 0, description="d")).lines()[1] == "  now: description 'd'"


def test_it_is_ended_and_what_was_to_come_withdrawn():
    known = {1: script("a", -5, 5), 2: script("b", 5)}
    assert ended(known, at(1), NOW) == ScriptDiff(None, {1: (known[1], script("a", -5, 1))}, {2: known[2]})
    assert ended(known, at(7), NOW) == ScriptDiff(None, {2: (known[2], script("b", 5, 7))})
    assert ended(known, at(-9), NOW) == ScriptDiff(None, {}, known)


def test_an_end_to_come_is_moved_and_one_that_was_is_not():
    known = {1: script("a", -5, 5)}
    assert ended(known, at(9), NOW).changed == {1: (known[1], script("a", -5, 9))}
    assert not ended(known, at(5), NOW)
    with pytest.raises(Conflict, match="it has ended at 2026-11-09"):
        ended({1: script("a", -5, -1)}, NOW, NOW)
    assert ended({1: script("a", -5, -1)}, at(-2), NOW).changed[1][1] == script("a", -5, -2)


def test_a_gap_stays_a_gap():
    known = {1: script("a", -5, 1), 2: script("b", 5)}
    assert ended(known, at(3), NOW) == ScriptDiff(None, {}, {2: known[2]})


releases = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-8, 8), st.none() | st.integers(1, 5)), max_size=6)


@settings(max_examples=200, deadline=None)
@given(releases, st.integers(-9, 14))
def test_at_most_one_version_holds_and_the_past_stays(wanted, day):
    known = {}
    for text, begin, length in wanted:
        new = script(text, begin, None if length is None else begin + length)
        before, then = known, at(day) + timedelta(hours=1)
        known = after(known, succeeded(known, new))
        assert not succeeded(known, new)
        expected = held(before, then) if then < new.valid.begin else (text, 0) if then in new.valid else None
        assert held(known, then) == expected
