"""Work on several threads, where what takes long is put back for what has not begun."""
from __future__ import annotations

import threading
from time import monotonic, sleep

import pytest

from cloudkitty_like.domain import patience
from cloudkitty_like.orchestrator.concurrent_rating import ConcurrentRating


def patiently(seconds):
    """Wait as what waits for a process does."""
    until = monotonic() + seconds
    while monotonic() < until:
        patience.check()
        sleep(0.01)
    return seconds


def at_once(item):
    return 0.2


def test_everything_is_done_and_none_twice():
    done = list(ConcurrentRating(lambda item: item, at_once, 3, threading.Event()).groups(range(1000)))
    assert sorted(number for group in done for number in group) == list(range(1000))


def test_nothing_is_no_group():
    assert list(ConcurrentRating(lambda item: item, at_once, 3, threading.Event()).groups([])) == []


def test_what_ends_is_not_waited_for_any_longer():
    begun = monotonic()
    assert list(ConcurrentRating(patiently, at_once, 2, threading.Event()).groups([0.01])) == [[0.01]]
    assert monotonic() - begun < 0.7


@pytest.mark.slow
def test_i8_b10_what_takes_long_is_put_back_for_what_has_not_begun_and_then_has_its_time():
    groups = ConcurrentRating(patiently, at_once, 2, threading.Event()).groups([2.5, 2.6, 2.7, 0.01, 0.02, 0.03])
    begun = monotonic()
    assert sorted(next(groups)) == [0.01, 0.02, 0.03]
    assert monotonic() - begun < 2.4           # two are given up after 0.2 s each; then comes the lull
    assert sorted(number for group in groups for number in group) == [2.5, 2.6, 2.7]


def test_i8_b10_what_takes_long_goes_on_where_it_holds_nobody_up():
    begun = []

    def work(seconds):
        begun.append(seconds)
        return patiently(seconds)

    groups = list(ConcurrentRating(work, at_once, 2, threading.Event()).groups([0.6, *[0.01] * 20]))
    assert sum(map(len, groups)) == 21
    assert begun.count(0.6) == 1


def test_i8_b10_told_to_stop_it_leaves_what_is_not_done():
    stop, begun = threading.Event(), monotonic()
    threading.Timer(0.3, stop.set).start()
    groups = list(ConcurrentRating(patiently, at_once, 2, stop).groups([0.01, 60, 60, 60]))
    assert groups == [[0.01]]
    assert monotonic() - begun < 5


def test_who_goes_away_waits_only_for_what_cannot_be_ended():
    groups = ConcurrentRating(patiently, at_once, 2, threading.Event()).groups([0.01, 60, 0.01])
    assert next(groups) == [0.01, 0.01]
    begun = monotonic()
    groups.close()
    assert monotonic() - begun < 1
