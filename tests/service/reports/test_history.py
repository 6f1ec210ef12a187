"""Who has changed what, when and why."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.retention import RetentionBounds
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.service.corrections.publisher import CorrectionPublisher, TaskRecorder
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from cloudkitty_like.service.hashmap import apply as rules
from cloudkitty_like.service.ledger.holes import Holes
from cloudkitty_like.service.ledger.retention import Retention
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.pricing.modules import Modules
from cloudkitty_like.service.reports.history import LEDGER, RULES, ChangeHistory, HistoryFilter
from tests.books import BEGIN, HOUR, NOW, Books, at, usage


def applied(books, *wanted, reason="why", author="ann"):
    rules.apply(books.database, wanted, rules.RuleApplication(books.now, retroactive=True),
                Change(books.now, author, "apply", reason))


def rule(cost, **more):
    return Rule(service="vcpu", type="flat", cost=Decimal(cost), **more)


def rated(books, name, number, price):
    books.ledger.record([RatedPeriod(books.state(name), at(number), (usage(at(number), ("s", "1", price)),))], 1)


def reprocess(books, prices, *names):
    """What a worker does with a task of several periods, at these prices."""
    desk = CorrectionTasks(books.database, lambda: books.now, HOUR)
    numbers = desk.ask(names, at(0).begin, at(len(prices) - 1).begin, author="ann", reason="new price")
    for number, price in enumerate(prices):
        tasks = {task.scope_id: task for task in desk.named(numbers)}
        corrections = CorrectionPublisher(books.database, books.storage, lambda: books.now)
        TaskRecorder(books.database, corrections, tasks).record(
            [RatedPeriod(books.state(name), at(number), (usage(at(number), ("s", "1", price)),)) for name in names], 2)
    return numbers


@pytest.fixture
def books(database):
    made = Books(database)
    for name in ("alice", "bob"):
        made.scope(name)
        for number in range(3):
            rated(made, name, number, "1")
    return made


def told(books, **wanted):
    return [(one.kind, one.author, one.cause, one.summary)
            for one in ChangeHistory(books.database).entries(HistoryFilter(**wanted))]


def test_what_is_rated_for_the_first_time_is_told_only_when_everything_is_asked_for(books):
    assert told(books) == []
    assert told(books, everything=True) == [
        (LEDGER, "tester", "rating", f"1 period of 1 scope in {at(number)}, 0 superseded, price +1")
        for _ in range(2) for number in range(3)]


def test_the_periods_of_one_request_are_one_entry_with_the_difference_of_price(books):
    reprocess(books, ["1.5", "0.25", "1"], "alice", "bob")
    (entry,) = ChangeHistory(books.database).entries(HistoryFilter())
    assert (entry.first, entry.last) == (7, 9)
    assert (entry.author, entry.cause, entry.reason) == ("ann", "reprocess", "new price")
    assert (entry.period, entry.scopes, entry.published, entry.superseded) == (Period(at(0).begin, at(2).end), 2, 6, 6)
    assert plain(entry.price) == "-0.5"
    assert entry.summary == f"6 periods of 2 scopes in {entry.period}, 6 superseded, price -0.5"
    (entry,) = ChangeHistory(books.database).entries(HistoryFilter(scopes=["alice"]))
    assert (entry.scopes, entry.published, plain(entry.price)) == (1, 3, "-0.25")


def test_a_reset_is_told_and_what_it_led_to(books):
    Scopes(books.database, lambda: books.now, HOUR).reset(["alice"], BEGIN, author="ann", reason="wrong flavor")
    rated(books, "alice", 0, "2")
    assert told(books) == [(LEDGER, "ann", "reset", "1 scope taken back"), (
        LEDGER, "tester", "rating", f"1 period of 1 scope in {at(0)}, 1 superseded, price +1")]
    books.scope("ali")                  # no part of a name is a name
    assert told(books, scopes=["bob"]) == told(books, scopes=["ali"]) == []
    assert len(told(books, scopes=["alice"])) == 2


def test_changes_of_rules_and_modules_are_counted(books):
    applied(books, rule(1), rule(2, scope="alice"))
    applied(books, rule(3), author="bea", reason="dearer")
    Modules(books.database).decide("noop", Change(books.now, "bea", "modules"), enabled=True, priority=None)
    found = ChangeHistory(books.database).entries(HistoryFilter(kinds=(RULES,)))
    assert [(one.first, one.author, one.cause, one.reason, one.summary) for one in found] == [
        (1, "ann", "apply", "why", "rules: 2 added; names: 1 added"),
        (2, "bea", "apply", "dearer", "rules: 1 changed, 1 removed"),
        (3, "bea", "modules", "", "modules: noop added")]


def test_rules_of_other_scopes_do_not_concern_a_scope(books):
    applied(books, rule(1, scope="alice"))
    applied(books, rule(1, scope="alice"), rule(2, scope="bob"))
    assert [one.first
            for one in ChangeHistory(books.database).entries(HistoryFilter(scopes=["bob"], kinds=(RULES,)))] == [2]


def test_what_was_accepted_and_what_was_forgotten_is_told(books):
    Scopes(books.database, lambda: books.now, HOUR).accept_empty(at(7), ["alice"], author="ann", reason="it was off")
    books.now += timedelta(days=1)
    Retention(books.database, books.storage, lambda: books.now).purge(RetentionBounds(None, at(0).end), author="bea")
    assert [(one[1], one[2]) for one in told(books)] == [("ann", "accept-empty"), ("bea", "purge")]
    assert [one[1] for one in told(books, scopes=["bob"])] == ["bea"]
    assert [one[1] for one in told(books, end=NOW + timedelta(hours=1))] == ["ann"]
    assert [one[1] for one in told(books, begin=NOW + timedelta(hours=1))] == ["bea"]


def test_a_scope_that_is_unknown_is_named(books):
    with pytest.raises(NotFound, match="'carol'"):
        told(books, scopes=["alice", "carol"])


def test_two_requests_of_one_author_for_one_reason_are_two_entries(books):
    reprocess(books, ["2"], "alice")
    books.now += HOUR
    reprocess(books, ["3"], "alice")
    found = ChangeHistory(books.database).entries(HistoryFilter())
    assert [plain(one.price) for one in found] == ["1", "1"]


def test_i8_m13_who_skipped_is_told_and_why(books):
    scopes = Scopes(books.database, lambda: books.now, HOUR)
    due = next(state.due for state in scopes.states() if state.identifier == "alice")
    scopes.reset(["alice"], due + 2 * HOUR, author="kim", reason="the source was moved")
    (entry,) = ChangeHistory(books.database).entries(HistoryFilter(scopes=["alice"]))
    assert (entry.author, entry.cause, entry.scopes) == ("kim", "skip", 1)
    assert entry.summary == f"1 scope skipped in {Period(due, due + 2 * HOUR)}"
    assert entry.reason.endswith(": the source was moved")
    assert ChangeHistory(books.database).entries(HistoryFilter(scopes=["bob"])) == []


def test_i8_m10_a_gap_is_one_entry(books):
    scopes, holes = Scopes(books.database, lambda: books.now, HOUR), Holes(books.database, lambda: books.now, "tester")
    due = scopes.states()[0].due
    for hour in range(3):
        holes.leave(Period.starting(due + hour * HOUR, HOUR), scopes.states(), "it was off", books.now)
    (entry,) = ChangeHistory(books.database).entries(HistoryFilter())
    assert entry.summary == f"2 scopes unknown in {Period(due, due + 3 * HOUR)}"
    assert (entry.cause, entry.last - entry.first) == ("gap", 2)
