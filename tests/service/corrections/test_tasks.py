"""Requests to rate periods again."""
from __future__ import annotations

import pytest
from sqlalchemy import update

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.tables import reprocess_task
from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from tests.books import BEGIN, HOUR, NOW, Books, at


@pytest.fixture
def desk(database):
    books = Books(database)
    for name in ("alice", "bob"):
        books.back_to(books.scope(name), at(10).begin)
    return CorrectionTasks(database, lambda: NOW, HOUR)


def ask(desk, *names, first=0, last=0, reason="why"):
    desk.ask(names, at(first).begin, at(last).begin, author="ann", reason=reason)


def problems(desk, *names, **other):
    with pytest.raises(Invalid) as raised:
        ask(desk, *names, **other)
    return raised.value.problems


def test_a_request_is_kept_for_each_scope_with_its_last_period(desk):
    ask(desk, "bob", "alice", first=2, last=4)
    found = desk.tasks()
    assert [(one.scope, one.period, one.reason, one.author, one.created_at, one.due, one.ended_at)
            for one in found] == [(name, Period(at(2).begin, at(5).begin), "why", "ann", NOW, None, None)
                                  for name in ("bob", "alice")]
    assert [one.scope for one in desk.tasks(["alice"])] == ["alice"]
    assert desk.tasks(["bogus"]) == []


def test_it_is_all_scopes_or_none(desk):
    ask(desk, "bob", first=3, last=3)
    assert len(problems(desk, "alice", "bob", last=9)) == 1
    assert len(problems(desk, "alice", "bogus")) == 1
    assert len(problems(desk, "ALL", last=10)) == 3
    assert len(desk.tasks()) == 1


def test_requests_that_share_a_period_exclude_each_other_until_one_has_ended(desk):
    ask(desk, "alice", first=2, last=4)
    for first, last in ((0, 2), (4, 6), (3, 3), (0, 9)):
        assert "waiting already" in problems(desk, "alice", first=first, last=last)[0]
    ask(desk, "alice", first=0, last=1)
    ask(desk, "alice", first=5, last=9)
    ask(desk, "bob", first=2, last=4)
    with desk.database.write() as tx:
        tx.execute(update(reprocess_task).values(ended_at=NOW))
    ask(desk, "alice", first=0, last=9)


def test_only_what_is_rated_is_rated_again(desk):
    ask(desk, "alice", first=9, last=9)
    (problem,) = problems(desk, "bob", first=9, last=10)
    assert problem.startswith("scope 'bob' is not rated up to 2026-10-31T09:00:00Z: it is up to 2026-10-31T08:00:00Z")


def test_c48_everything_that_is_wrong_is_said_and_dates_the_right_way_round(desk):
    assert problems(desk, "ALL", "alice", first=3, last=1, reason=" ") == (
        "scope_ids: either ALL or ids, not both", "reason: is empty",
        "end_reprocess_time: 2026-10-30T23:00:00Z is before start_reprocess_time, 2026-10-31T01:00:00Z")
    assert problems(desk) == ("scope_ids: is empty",)


def test_times_within_a_period_are_told_its_begin(desk):
    with pytest.raises(Invalid) as raised:
        desk.ask(["alice"], BEGIN + HOUR / 4, BEGIN + 5 * HOUR / 2, author="", reason="why")
    assert raised.value.problems == (
        "start_reprocess_time: 2026-10-30T22:15:00Z is not the begin of a rating period; 2026-10-30T22:00:00Z is",
        "end_reprocess_time: 2026-10-31T00:30:00Z is not the begin of a rating period; 2026-10-31T00:00:00Z is")


def test_all_leaves_out_those_that_have_not_begun(sqlite):
    books = Books(sqlite)
    desk = CorrectionTasks(sqlite, lambda: NOW, HOUR)
    with sqlite.write() as tx:
        rows.register(tx, [Scope("new", fetcher="tests", collector="tests")], NOW)
    assert problems(desk, "ALL") == ("scope_ids: no scope is rated yet",)
    books.back_to(books.scope("alice"), at(1).begin)
    ask(desk, "ALL")
    assert [one.scope for one in desk.tasks()] == ["alice"]
    assert "is not rated up to" in problems(desk, "new")[0]


def test_tasks_that_are_asked_for_together_have_numbers_that_follow_each_other(desk):
    numbers = desk.ask(["ALL"], at(0).begin, at(0).begin, author="ann", reason="why")
    assert numbers == [1, 2]
    assert [one.id for one in desk.cancel([2], author="ann")] == [2]
    assert [one.id for one in desk.cancel([1, 2], author="ann")] == [1]
    with pytest.raises(Conflict):
        desk.cancel([1, 2], author="ann")
    with pytest.raises(NotFound) as raised:
        desk.cancel([1, 7, 8], author="ann")
    assert str(raised.value).splitlines() == ["there is no task 7", "there is no task 8"]


def test_without_an_active_scope_all_is_none(sqlite):
    Books(sqlite)
    with pytest.raises(Invalid, match="no scope is active"):
        ask(CorrectionTasks(sqlite, lambda: NOW, HOUR), "ALL")
