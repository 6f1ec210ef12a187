"""The past is corrected behind live rating: whatever fails, is cancelled or comes in between."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.db.tables import frame, ledger_tx
from cloudkitty_like.domain.errors import Conflict, Invalid, Unavailable
from cloudkitty_like.domain.query import Query
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.testing.collector import Sample
from tests.orchestrator.worker import HOUR, METRICS, MONTH, Bench


def at(hour):
    return MONTH + hour * HOUR


def priced(price):
    return lambda scope, period, frames: [one.with_price([Decimal(price)] * len(one)) for one in frames]


class Past(Bench):
    """Everything is rated, at 2 a point; then something changes, and is asked to be corrected."""

    def __init__(self, database, scopes=("alice", "bob"), hours=5, **more):
        super().__init__(database, scopes, hours, **more)
        self.worker().drain()
        self.desk = CorrectionTasks(database, self.clock, HOUR)

    def reprice(self, price):
        self.rate, self.ruleset = priced(price), self.ruleset + 1

    def ask(self, *names, first=0, last=4, **more):
        return self.desk.ask(names or ["ALL"], at(first), at(last), author="ann", reason="new prices", **more)

    def task(self, number):
        return self.desk.named([number])[0]

    def frames(self):
        with self.database.read() as tx:
            return tx.execute(select(frame)).all()

    def prices(self, as_of=None):
        rows = Summary(self.database, self.storage).rows(Query(scopes=None, groupby=("scope", "time"), as_of=as_of))
        return {(row.key[0], (row.key[1][11:13])): row.sum.price for row in rows}

    def points(self):
        """By scope and hour, from the points themselves."""
        rows = Summary(self.database, self.storage).points(Query(scopes=None, groupby=("scope", "time")))
        return {(row.key[0], (row.key[1][11:13])): row.sum.price for row in rows}

    def collected(self):
        """The begins of the periods that the source was asked about, in order."""
        return [period.begin for _, period, _ in self.collector.asked][::len(METRICS)]

    def change(self):
        with self.database.read() as tx:
            return index.last_tx(tx)


@pytest.fixture
def past(sqlite):
    return Past(sqlite)


def test_a_task_supersedes_its_periods_and_the_past_can_be_read_as_it_was(database):
    past = Past(database)
    before, change = past.prices(), past.change()
    past.reprice(3)
    (number,) = past.ask("alice", first=1, last=2)
    past.worker().drain()
    task = past.task(number)
    assert (task.state, task.changed, task.due, task.ended_at) == ("done", 2, at(3), past.now)
    assert past.prices() == past.points() == {**before, ("alice", "01"): 6, ("alice", "02"): 6}
    assert past.prices(as_of=change) == before
    totals = past.desk.totals([task])[number]
    assert {kind: (one.price_whole, one.points) for kind, one in totals.before.items()} == {
        ("cpu", "h"): (4, 2), ("ram", "MB"): (4, 2)}
    assert {kind: (one.price_whole, one.qty_whole, one.points) for kind, one in totals.after.items()} == {
        ("cpu", "h"): (6, 5, 2), ("ram", "MB"): (6, 5, 2)}
    with past.database.read() as tx:
        found = tx.execute(select(ledger_tx).where(ledger_tx.c.id > change)).all()
    assert {(one.author, one.cause, one.reason) for one in found} == {("ann", "reprocess", "new prices")}


def test_c2_the_last_period_is_superseded_and_not_doubled(database):
    past = Past(database)
    past.collector.samples = [sample for sample in past.collector.samples if sample.metric != "ram"]     # fewer series
    past.ask("alice", first=3, last=4)
    past.worker().drain()
    assert past.prices() == past.points()
    assert [past.prices()["alice", f"0{hour}"] for hour in range(5)] == [4, 4, 4, 2, 2]
    current = [(row.scope_id, row.begin) for row in past.frames() if row.current]
    assert len(current) == len(set(current)) == 10


def test_c1_a_reset_leaves_no_hole_and_a_task_after_it_neither(past):
    past.reprice(3)
    past.ask("bob", first=1, last=3)
    past.scopes.reset(["alice", "bob"], at(2), author="tester", reason="")
    assert set(past.prices().values()) == {4}          # nothing is gone while it is due
    past.worker().drain()
    assert [past.prices()[scope, f"0{hour}"] for scope in ("alice", "bob") for hour in range(5)] == [
        4, 4, 6, 6, 6, 4, 6, 6, 6, 6]


def test_rating_again_by_the_same_rules_from_the_same_usage_makes_no_revision(past):
    before = past.frames(), past.change()
    for quantities in ("source", "stored"):
        numbers = past.ask(quantities=quantities)
        past.worker().drain()
        assert [(past.task(number).state, past.task(number).changed) for number in numbers] == [("done", 0)] * 2
        totals = past.desk.totals(past.desk.named(numbers))
        assert all(one.before == one.after != {} for one in totals.values())
    assert (past.frames(), past.change()) == before


def test_scopes_that_share_a_period_are_collected_together(past):
    past.ask()
    del past.collector.asked[:]
    past.worker().drain()
    assert len(past.collector.asked) == 5 * len(METRICS)
    assert {scopes for _, _, scopes in past.collector.asked} == {("alice", "bob")}


def test_live_periods_go_first(past):
    past.ask("alice")
    past.now += HOUR
    past.collector.samples += [Sample(at(5), "cpu", "1", {"project_id": name}) for name in ("alice", "bob")]
    del past.collector.asked[:]
    past.worker(slice_seconds=0.0).drain()
    assert past.collected() == [at(hour) for hour in (5, 0, 1, 2, 3, 4)]


def test_between_two_periods_of_a_task_what_is_live_comes_first(past):
    past.ask("alice")

    def passes(metric, period, scopes):
        past.now = at(6)               # while the first period is rated again, a live one ends
        return {}

    past.collector._failing = passes
    del past.collector.asked[:]
    past.worker(slice_seconds=60).drain()
    assert past.collected() == [at(hour) for hour in (0, 5, 1, 2, 3, 4)]


def test_c45_a_source_that_fails_leaves_the_task_waiting_and_nobody_else(past):
    before = past.prices()
    past.reprice(3)
    alice, bob = past.ask()
    wrong = {"bob": Unavailable("no answer")}
    past.collector._failing = lambda metric, period, scopes: wrong
    past.worker().drain()
    assert (past.task(alice).state, past.task(bob).state, past.task(bob).error) == ("done", "failing", "no answer")
    assert past.task(bob).retry_at == past.now + timedelta(seconds=30)
    assert {key: price for key, price in past.prices().items() if key[0] == "bob"} == {
        key: price for key, price in before.items() if key[0] == "bob"}
    assert past.states()["bob"].error is None
    wrong.clear()
    past.worker().drain()
    assert past.task(bob).state == "failing"
    past.now += timedelta(seconds=30)
    past.worker().drain()
    assert (past.task(bob).state, past.task(bob).error) == ("done", None)
    assert set(past.prices().values()) == {6}


def test_an_empty_answer_supersedes_only_where_it_is_proven(past):
    before = past.prices()
    (number,) = past.ask("alice", last=0)
    past.collector.samples, past.collector.proven = [], False
    past.worker().drain()
    assert past.prices() == before
    assert past.task(number).state == "failing"
    assert past.task(number).error.startswith(f"the source has no sign of life in {past.task(number).period}: ")
    past.collector.proven = True
    past.now += timedelta(minutes=1)
    past.worker(until=at(5)).drain()
    assert past.task(number).state == "done"
    assert past.prices() == {key: price for key, price in before.items() if key != ("alice", "00")}


def test_a_task_whose_rating_fails_is_parked_until_the_rules_change(past):
    def failing(scope, period, frames):
        raise Invalid("rule 7 is wrong")

    (number,) = past.ask("alice")
    past.rate, past.ruleset = failing, 2
    past.worker().drain()
    assert (past.task(number).state, past.task(number).error) == ("parked", "rule 7 is wrong")
    past.now += 24 * HOUR
    past.worker(until=at(5)).drain()
    assert past.task(number).failures == 1
    past.reprice(5)
    past.worker(until=at(5)).drain()
    assert past.task(number).state == "done"


def test_what_the_ledger_keeps_can_be_rated_again_when_the_source_has_forgotten(past):
    past.reprice(3)
    past.collector.samples, asked = [], len(past.collector.asked)
    past.ask(quantities="stored")
    past.worker().drain()
    assert set(past.points().values()) == {6}
    assert len(past.collector.asked) == asked


def test_periods_that_were_never_rated_are_rated_from_the_source_and_left_alone_from_the_ledger(past):
    begins = at(-2)
    past.collector.samples.append(Sample(begins, "cpu", "7", {"project_id": "alice"}))
    (stored,) = past.ask("alice", first=-2, last=-1, quantities="stored")
    past.worker().drain()
    assert (past.task(stored).state, past.task(stored).changed) == ("done", 0)
    assert len(past.prices()) == 10
    (number,) = past.ask("alice", first=-2, last=-1)
    past.worker().drain()
    assert past.prices()["alice", "22"] == 2
    assert past.task(number).changed == 2


def test_c52_a_cancelled_task_stops_and_what_it_did_stays(past):
    past.reprice(3)
    (number,) = past.ask("alice")
    past.worker(slice_seconds=0.0).cycle()
    assert past.task(number).state == "running"
    assert [task.id for task in past.desk.cancel([number], author="bea")] == [number]
    past.worker().drain()
    task = past.task(number)
    assert (task.state, task.cancelled_by, task.due) == ("cancelled", "bea", at(1))
    assert past.prices()["alice", "00"] == 6
    assert past.prices()["alice", "01"] == 4
    with pytest.raises(Conflict, match="cancelled already"):
        past.desk.cancel([number], author="bea")


def test_what_is_cancelled_while_it_is_worked_on_is_not_published(past):
    past.reprice(3)
    before = past.prices()
    alice, bob = past.ask()

    def cancelled(metric, period, scopes):
        if past.task(alice).ended_at is None:
            past.desk.cancel([alice], author="bea")
        return {}

    past.collector._failing = cancelled
    past.worker().drain()
    assert {key: price for key, price in past.prices().items() if key[0] == "alice"} == {
        key: price for key, price in before.items() if key[0] == "alice"}
    assert past.task(bob).state == "done"


def test_c45_a_reset_in_between_is_waited_for(past):
    past.reprice(3)
    (number,) = past.ask("alice", first=2, last=3)

    def reset(metric, period, scopes):
        past.collector._failing = lambda *_: {}
        past.scopes.reset(["alice"], at(1), author="tester", reason="")
        return {}

    past.collector._failing = reset
    past.worker().drain()
    assert past.task(number).state == "done"
    assert past.prices()["alice", "00"] == 4
    assert {past.prices()["alice", f"0{hour}"] for hour in (1, 2, 3, 4)} == {6}
    assert past.task(number).changed == 0              # live rating came first, by the same rules


def test_a_scope_that_is_switched_off_keeps_its_task_waiting(past):
    (number,) = past.ask("alice")
    past.scopes.activate(["alice"], False)
    past.worker().drain()
    assert past.task(number).state == "waiting"
    past.scopes.activate(["alice"], True)
    past.worker().drain()
    assert past.task(number).state == "done"


def test_an_undo_brings_the_former_content_back_as_a_new_revision(database):
    past = Past(database)
    before, frames = past.prices(), past.frames()
    past.reprice(3)
    numbers = past.ask()
    past.worker().drain()
    corrected, change = past.prices(), past.change()
    undos = past.desk.undo(numbers, author="bea", reason="a mistake")
    past.worker().drain()
    assert past.prices() == past.points() == before
    assert past.prices(as_of=change) == corrected
    current = [row for row in past.frames() if row.current]
    assert sorted((row.scope_id, row.begin, row.digest, row.ruleset) for row in current) == sorted(
        (row.scope_id, row.begin, row.digest, row.ruleset) for row in frames)
    assert {row.task for row in current} == set(undos)
    again = past.desk.undo(undos, author="ann", reason="no mistake after all")
    past.worker().drain()
    assert past.prices() == past.points() == corrected
    assert [past.task(number).changed for number in again] == [5, 5]
    with pytest.raises(Invalid, match="to have it back undo that one"):
        past.desk.undo(numbers, author="bea", reason="once more")


def test_an_undo_leaves_what_somebody_else_has_changed_since(past):
    past.reprice(3)
    (number,) = past.ask("alice")
    past.worker().drain()
    past.reprice(7)
    past.ask("alice", first=1, last=2)
    past.worker().drain()
    (undo,) = past.desk.undo([number], author="bea", reason="a mistake")
    past.worker().drain()
    assert [past.prices()["alice", f"0{hour}"] for hour in range(5)] == [4, 14, 14, 4, 4]
    assert (past.task(undo).changed, past.task(undo).left_alone) == (3, 2)


def test_an_undo_of_a_first_rating_leaves_nothing_and_can_be_undone(past):
    past.collector.samples.append(Sample(at(-1), "cpu", "7", {"project_id": "alice"}))
    (number,) = past.ask("alice", first=-1, last=-1)
    past.worker().drain()
    assert past.prices()["alice", "23"] == 2
    (undo,) = past.desk.undo([number], author="bea", reason="not theirs")
    past.worker().drain()
    assert ("alice", "23") not in past.prices()
    past.desk.undo([undo], author="bea", reason="theirs")
    past.worker().drain()
    assert past.points()["alice", "23"] == 2


def test_only_what_has_ended_and_changed_something_can_be_undone(past):
    (number,) = past.ask("alice")
    with pytest.raises(Invalid, match="has not ended"):
        past.desk.undo([number], author="bea", reason="why")
    past.worker().drain()
    with pytest.raises(Invalid, match="nothing was changed"):
        past.desk.undo([number], author="bea", reason="why")
    with pytest.raises(Invalid, match="reason"):
        past.desk.undo([number], author="bea", reason=" ")


def test_tasks_alone_can_be_worked_off(past):
    past.reprice(3)
    past.ask()
    past.now += HOUR
    past.worker().correct()
    assert set(past.prices().values()) == {6}
    assert set(past.dues().values()) == {at(5)}


def test_what_is_done_in_two_halves_is_done_as_in_one(sqlite):
    past = Past(sqlite)
    past.reprice(3)
    past.ask(first=0, last=1)
    past.ask(first=2, last=4)
    past.worker().drain()
    assert set(past.prices().values()) == {6}
