"""What holds of corrections however they are cut, stopped and repeated; and what they cost."""
from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from tests.databases import new_database
from tests.orchestrator.test_corrections import Past, at

pytestmark = pytest.mark.slow

HOURS = 6
SCOPES = ("alice", "bob")
few = settings(max_examples=12, deadline=None)
prices = st.dictionaries(st.tuples(st.sampled_from(SCOPES), st.integers(0, HOURS - 1)), st.integers(0, 5), max_size=8)


def by(table):
    """Rates some periods at other prices than 2."""
    def rate(scope, period, frames):
        price = Decimal(table.get((scope, period.begin.hour), 2))
        return [one.with_price([price] * len(one)) for one in frames]
    return rate


def outcome(past):
    """All that can be asked about what counts now."""
    current = sorted((row.scope_id, row.begin, row.digest, row.ruleset, row.points) for row in past.frames()
                     if row.current)
    return past.prices(), past.points(), current


def summed(totals):
    """The totals of several tasks together: before and after, by metric."""
    sums = ({}, {})
    for one in totals.values():
        for side, found in zip(sums, one, strict=True):
            for kind, amounts in found.items():
                side[kind] = side.get(kind, Amounts()).plus(amounts)
    return sums


def corrected(database, table, windows):
    """A ledger in which these windows were rated again, one request after the other; and what the tasks came to."""
    past = Past(database, SCOPES, HOURS)
    past.rate, past.ruleset = by(table), 2
    numbers = []
    for first, last in windows:
        numbers += past.ask(first=first, last=last)
        past.worker().drain()
    return outcome(past), summed(past.desk.totals(past.desk.named(numbers)))


@few
@given(prices, st.integers(0, HOURS - 2))
def test_two_halves_are_one_whole(table, middle):
    with new_database("sqlite") as one, new_database("sqlite") as other:
        whole = corrected(one, table, [(0, HOURS - 1)])
        assert corrected(other, table, [(middle + 1, HOURS - 1), (0, middle)]) == whole


@few
@given(prices, st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=3))
def test_cancelled_and_asked_for_again_is_as_undisturbed(table, stops):
    with new_database("sqlite") as one, new_database("sqlite") as other:
        expected, _ = corrected(one, table, [(0, HOURS - 1)])
        past = Past(other, SCOPES, HOURS)
        past.rate, past.ruleset = by(table), 2
        for cycles, apart in stops:
            numbers = past.ask(last=HOURS - 1)
            for _ in range(cycles):
                past.worker(slice_seconds=0.0).cycle()         # one period each
            past.desk.cancel(numbers[:1] if apart else numbers, author="bea")
            if apart:
                past.worker().drain()
        past.ask(last=HOURS - 1)
        past.worker().drain()
        assert outcome(past) == expected


@few
@given(prices)
def test_an_undo_is_as_if_nothing_had_been_and_its_undo_as_if_it_had_not(table):
    with new_database("sqlite") as database:
        past = Past(database, SCOPES, HOURS)
        before = outcome(past)
        past.rate, past.ruleset = by(table), 2
        numbers = past.ask()
        past.worker().drain()
        after = outcome(past)
        for expected in (before, after, before):
            numbers = past.desk.undo(numbers, author="bea", reason="why")
            past.worker().drain()
            assert outcome(past) == expected


class Kept(Past):
    """On the tables of a database, where what was collected is kept beside what a script has made of it."""

    def worker(self, **settings):
        if not isinstance(self.storage, SqlalchemyStorage):
            self.storage = SqlalchemyStorage(self.database, shares_transaction=True)
            self.ledger._storage = self.ledger._revisions._storage = self.storage
        return super().worker(**settings)


class Dropping(Kept):
    """Rates as a script may: drops points."""

    def __init__(self, database, dropped):
        self.dropped = dropped
        super().__init__(database, SCOPES, HOURS)

    def worker(self, **settings):
        self.rate = self.scripted
        return super().worker(**settings)

    def scripted(self, scope, period, frames):
        return [one.with_price([Decimal(self.ruleset)] * len(one)) for one in frames
                if (scope, period.begin.hour, one.metric) not in self.dropped]


@few
@given(st.sets(st.tuples(st.sampled_from(SCOPES), st.integers(0, HOURS - 1), st.sampled_from(("cpu", "ram"))),
               max_size=8),
       st.sets(st.tuples(st.sampled_from(SCOPES), st.integers(0, HOURS - 1), st.sampled_from(("cpu", "ram"))),
               max_size=8))
def test_what_the_ledger_keeps_is_as_good_as_the_source(first, then):
    found = []
    for quantities in ("source", "stored"):
        with new_database("sqlite") as database:
            past = Dropping(database, first)
            past.dropped, past.ruleset = then, 2
            past.ask(quantities=quantities)
            past.worker().drain()
            found.append(outcome(past))
            past.ask(quantities=quantities)
            count = len(past.frames())
            past.worker().drain()
            assert len(past.frames()) == count         # unchanged rules and usage make no revision
    assert found[0] == found[1]


@pytest.mark.parametrize("quantities", ["source", "stored"])
def test_questions_to_the_database_do_not_grow_with_scopes(sqlite, quantities):
    asked = []

    def counted(past):
        past.rate, past.ruleset = by({}), past.ruleset + 1
        past.ask(last=2, quantities=quantities)
        del asked[:]
        past.worker(until=at(0)).drain()
        return len(asked)

    event.listen(sqlite.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    few_scopes = counted(Past(sqlite, [f"s{number}" for number in range(3)], 3))
    with new_database("sqlite") as other:
        event.listen(other.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        assert counted(Past(other, [f"s{number}" for number in range(60)], 3)) <= few_scopes
