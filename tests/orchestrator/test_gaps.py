"""A gap of the source: rating waits, or goes on past it and comes back; unknown is never empty."""
from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cloudkitty_like.db.tables import frame, ledger_tx
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.hole import MISSING, SKIPPED, UNKNOWN, Stretch, sentences
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.orchestrator.gaps import GapPolicy
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from tests.orchestrator.worker import HOUR, MONTH, Bench, Mortal, hourly


def at(hour):
    return MONTH + hour * HOUR


class Site(Bench):
    """Eight hours, of which the source was dead in two."""

    def __init__(self, database, dead=(2, 3), hours=8, scopes=("alice", "bob"), *, after=0, skip=True):
        super().__init__(database, scopes, hours)
        self.collector = Mortal(hourly(scopes, hours))
        self.collector.dead = frozenset(map(at, dead))
        self.policy = GapPolicy(skip=skip, after=timedelta(hours=after), retry_first=timedelta(minutes=1))
        self.desk = CorrectionTasks(database, self.clock, HOUR)

    def worker(self, **settings):
        """One with time: how much it asks at a time does not depend on how busy the machine is."""
        return super().worker(**{"slice_seconds": 60.0, **settings})

    def left(self, kinds=MISSING):
        return {(hole.scope, hole.kind, (hole.period.begin - MONTH) // HOUR, (hole.period.end - MONTH) // HOUR)
                for hole in self.holes.known(kinds)}

    def rated(self, scope="alice"):
        """The hours in which a scope has points that count."""
        return [int(key[1][11:13]) for key in self.sums("scope", "time") if key[0] == scope]

    def changes(self):
        with self.database.read() as tx:
            return [(row.cause, row.author, row.reason) for row in tx.execute(
                select(ledger_tx).where(ledger_tx.c.cause != "rating").order_by(ledger_tx.c.id))]

    def revive(self, *hours):
        """The source knows these hours after all, and an hour has passed."""
        self.collector.dead -= set(map(at, hours))
        self.now += timedelta(hours=1)


def test_i8_m10_rating_waits_at_a_gap_and_the_hint_is_the_command_with_its_times(sqlite):
    site = Site(sqlite, skip=False)
    site.worker().drain()
    assert site.dues() == {"alice": at(2), "bob": at(2)}
    assert site.left() == set()
    error = site.states()["alice"].error
    assert "no sign of life in 2026-11-01T02:00:00Z to 2026-11-01T03:00:00Z" in error
    assert ("cloudkitty-like scopes accept-empty --all --begin 2026-11-01T02:00:00Z --end 2026-11-01T04:00:00Z "
            "--reason 'WHY'") in error
    assert "cloudkitty-like scopes reset --all --to 2026-11-01T04:00:00Z --reason 'WHY'" in error
    assert "gap_policy = skip" in error


def test_i8_m10_where_one_scope_waits_the_hint_names_it(sqlite):
    site = Site(sqlite, skip=False, scopes=("the only one",))
    site.worker().drain()
    assert "accept-empty 'the only one' --begin" in site.states()["the only one"].error


def test_i8_m10_while_the_source_is_silent_there_is_no_gap(sqlite):
    site = Site(sqlite, dead=(5, 6, 7))
    site.worker().drain()
    assert site.dues() == {"alice": at(5), "bob": at(5)}
    assert "--begin 2026-11-01T05:00:00Z --end 2026-11-01T06:00:00Z" in site.states()["alice"].error
    assert "scopes reset" not in site.states()["alice"].error


def test_i8_m10_with_skip_rating_goes_on_and_what_it_left_is_unknown(database):
    site = Site(database)
    site.worker().drain()
    assert site.dues() == {"alice": at(8), "bob": at(8)}
    assert site.rated() == [0, 1, 4, 5, 6, 7]
    assert site.left() == {("alice", UNKNOWN, 2, 4), ("bob", UNKNOWN, 2, 4)}
    assert site.changes() == [
        ("gap", "tester", "the source had no sign of life, and has again at 2026-11-01T04:00:00Z")] * 2
    with database.read() as tx:
        assert not tx.execute(select(frame.c.revision).where(frame.c.begin.in_([at(2), at(3)]))).all()
    assert site.states()["alice"].error is None


def test_i8_m10_a_gap_is_left_behind_when_it_is_old_enough(sqlite):
    site = Site(sqlite, dead=(5, 6), after=2)
    site.worker().drain()
    assert set(site.dues().values()) == {at(6)}, "hour 5 ended two hours ago, hour 6 one"
    site.now = at(9)
    site.worker().drain()
    assert set(site.dues().values()) == {at(9)}
    assert site.left() == {("alice", UNKNOWN, 5, 7), ("bob", UNKNOWN, 5, 7)}


def test_i8_m10_what_the_source_knows_after_all_is_rated_by_a_task(database):
    site = Site(database)
    site.worker().drain()
    site.revive(3)
    site.worker(until=at(8)).drain()
    assert site.rated() == [0, 1, 3, 4, 5, 6, 7]
    assert site.left() == {("alice", UNKNOWN, 2, 3), ("bob", UNKNOWN, 2, 3)}
    assert {(task.scope, task.author, task.reason, task.state) for task in site.desk.tasks()} == {
        (name, "tester", f"the source knows {Period(at(3), at(4))} after all", "done") for name in ("alice", "bob")}
    site.revive(2)
    site.now += HOUR                                   # the pause before the next question has doubled
    site.worker(until=at(8)).drain()
    assert site.rated() == list(range(8))
    assert site.left() == set()


def test_i8_m10_a_gap_that_is_filled_is_one_task_for_each_scope(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.revive(2, 3)
    site.worker(until=at(8)).drain()
    assert [(task.scope, task.period) for task in site.desk.tasks()] == [
        (name, Period(at(2), at(4))) for name in ("alice", "bob")]
    assert site.rated("bob") == list(range(8))


def test_i8_m10_live_periods_are_rated_before_the_source_is_asked_about_old_ones(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.collector.samples += hourly(("alice", "bob"), 1, begin=at(8))
    site.revive(2, 3)
    site.collector.asked.clear()
    site.worker().drain()
    assert [period.begin for _, period, _ in site.collector.asked][:2] == [at(8)] * 2
    assert site.rated() == list(range(9))


def test_i8_m10_the_source_is_not_asked_about_the_same_gap_all_the_time(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.collector.asked.clear()
    for _ in range(24 * 4):
        site.now += timedelta(minutes=15)
        site.worker(until=at(8)).drain()
    assert len(site.collector.asked) <= 2 * 2 * 12     # metrics, periods, doubled pauses of a day


def test_i8_m10_a_source_that_fails_is_not_asked_about_every_hole(sqlite):
    site = Site(sqlite, dead=(1, 2, 3, 4, 5), scopes=("alice",))
    site.worker().drain()

    def failing(metric, period, scopes):
        raise Unavailable("it is down", smaller=False)

    site.collector._failing = failing
    site.now += HOUR
    site.collector.asked.clear()
    site.worker(until=at(8)).drain()
    assert {period.begin for _, period, _ in site.collector.asked} == {at(1)}


def test_i8_m10_what_is_accepted_as_empty_later_is_no_hole_any_more(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.scopes.accept_empty(Period(at(2), at(4)), ["alice"], author="kim", reason="power cut")
    site.worker(until=at(8)).drain()
    assert site.left() == {("bob", UNKNOWN, 2, 4)}
    assert site.left(("accepted",)) == {("alice", "accepted", 2, 4)}
    with sqlite.read() as tx:
        assert tx.execute(select(frame.c.points).where(frame.c.begin.in_([at(2), at(3)]))).scalars().all() == [0, 0]


def test_i8_m10_a_reset_back_makes_a_gap_due_again(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.revive(2, 3)
    site.scopes.reset(["alice"], at(3), author="kim", reason="it was restored")
    assert site.left() == {("alice", UNKNOWN, 2, 3), ("bob", UNKNOWN, 2, 4)}
    site.worker(until=at(8)).drain()
    assert site.left() == set()
    assert site.rated() == site.rated("bob") == list(range(8))


def test_i8_m10_a_period_that_was_rated_before_is_no_hole_when_the_source_has_forgotten_it(sqlite):
    site = Site(sqlite, dead=())
    site.worker().drain()
    site.collector.dead = frozenset({at(2)})
    site.scopes.reset(["alice"], at(1), author="kim", reason="")
    site.worker().drain()
    assert site.dues()["alice"] == at(8)
    assert site.left() == set()
    assert site.rated() == list(range(8))


def test_i8_m10_a_task_over_a_month_goes_past_what_is_still_unknown(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    numbers = site.desk.ask(["alice"], at(0), at(7), author="ann", reason="price list")
    site.worker().drain()
    assert {task.state for task in site.desk.named(numbers)} == {"done"}
    assert site.left() == {("alice", UNKNOWN, 2, 4), ("bob", UNKNOWN, 2, 4)}


def test_i8_m10_quantities_of_the_ledger_do_not_fill_a_hole(sqlite):
    site = Site(sqlite)
    site.worker().drain()
    site.desk.ask(["alice"], at(0), at(7), author="ann", reason="price list", quantities="stored")
    site.worker().drain()
    assert ("alice", UNKNOWN, 2, 4) in site.left()


def test_i8_m10_what_filled_a_hole_can_be_undone_and_is_then_skipped_by_whoever_did_so(database):
    site = Site(database, scopes=("alice",))
    site.worker().drain()
    site.revive(2, 3)
    site.worker(until=at(8)).drain()
    (task,) = site.desk.tasks()
    undo = site.desk.undo([task.id], author="kim", reason="it was restored wrongly")
    site.worker(until=at(8)).drain()
    assert site.left() == {("alice", SKIPPED, 2, 4)}
    assert {(hole.author, hole.reason) for hole in site.holes.known()} == {("kim", "it was restored wrongly")}
    assert site.rated() == [0, 1, 4, 5, 6, 7]
    site.now += 100 * HOUR
    site.worker(until=at(8)).drain()
    assert len(site.desk.tasks()) == 2, "what somebody has undone comes back by itself"
    site.desk.ask(["alice"], at(0), at(7), author="ann", reason="price list", quantities="stored")
    site.worker(until=at(8)).drain()
    assert site.left() == {("alice", SKIPPED, 2, 4)}
    site.desk.undo(undo, author="kim", reason="it was right")
    site.worker(until=at(8)).drain()
    assert site.left() == set()
    assert site.rated() == list(range(8))


def test_i8_m13_a_reset_to_a_later_time_skips_and_a_reset_back_rates(database):
    site = Site(database, skip=False)
    site.worker().drain()
    moved = site.scopes.reset(["alice"], at(4) + timedelta(minutes=5), author="kim", reason="nobody will know")
    assert ([state.identifier for state in moved.forward], moved.begin) == (["alice"], at(4))
    site.worker().drain()
    assert site.dues() == {"alice": at(8), "bob": at(2)}
    assert site.left() == {("alice", SKIPPED, 2, 4)}
    assert site.rated() == [0, 1, 4, 5, 6, 7]
    assert site.changes() == [("skip", "kim", "alice to 2026-11-01T04:00:00Z: nobody will know")]
    site.revive(2, 3)
    site.worker(until=at(8)).drain()
    assert site.left() == {("alice", SKIPPED, 2, 4)}, "what was skipped does not come back by itself"
    site.scopes.reset(["alice"], at(2), author="kim", reason="it was found")
    site.worker(until=at(8)).drain()
    assert site.rated() == list(range(8))
    assert site.left() == set()


def test_i8_m13_a_reset_beyond_what_is_complete_is_refused(sqlite):
    site = Site(sqlite, dead=())
    site.worker().drain()
    site.now += 3 * HOUR
    site.scopes._wait_periods = 2
    with pytest.raises(Invalid, match="beyond the last period that is complete, which ends at 2026-11-01T09"):
        site.scopes.reset(["alice", "bob"], at(10), author="kim", reason="why")
    assert site.dues() == {"alice": at(8), "bob": at(8)}
    site.scopes.reset(["alice", "bob"], at(9), author="kim", reason="why")
    assert site.left() == {("alice", SKIPPED, 8, 9), ("bob", SKIPPED, 8, 9)}


def test_i8_m13_who_skips_says_why(sqlite):
    site = Site(sqlite, skip=False)
    site.worker().drain()
    with pytest.raises(Invalid, match="reason: alice would not be rated up to 2026-11-01T04:00:00Z: say why"):
        site.scopes.reset(["alice"], at(4), author="kim", reason=" ")
    assert site.dues()["alice"] == at(2)


def test_i8_m13_what_was_rated_before_a_reset_back_is_not_skipped_by_one_forward(sqlite):
    site = Site(sqlite, dead=())
    site.worker().drain()
    site.scopes.reset(["alice"], at(2), author="kim", reason="")
    site.scopes.reset(["alice"], at(6), author="kim", reason="that was wrong")
    assert site.left() == set()
    assert site.rated() == list(range(8))


def test_i8_m13_a_hole_can_be_skipped_in_part_and_the_ledger_read_as_it_was(sqlite):
    site = Site(sqlite, scopes=("alice",))
    site.worker().drain()
    with sqlite.read() as tx:
        before = tx.execute(select(ledger_tx.c.id).order_by(ledger_tx.c.id.desc())).scalars().first()
    site.scopes.reset(["alice"], at(1), author="kim", reason="")
    site.scopes.reset(["alice"], at(3), author="lee", reason="one of them")
    assert site.left() == {("alice", SKIPPED, 2, 3)}
    site.worker(until=at(8)).drain()
    assert site.left() == {("alice", SKIPPED, 2, 3), ("alice", UNKNOWN, 3, 4)}
    assert site.holes.of_query(Query(scopes=None, as_of=before)) == [
        Stretch(Period(at(2), at(4)), UNKNOWN, ("alice",), 1)]
    assert site.holes.of_query(Query(scopes={"alice"}, period=Period(at(3), at(9)))) == [
        Stretch(Period(at(3), at(4)), UNKNOWN, ("alice",), 1)]
    assert site.holes.of_query(Query(scopes={"bob"})) == []


def test_i8_m10_many_scopes_are_counted_and_some_named(database):
    site = Site(database, scopes=[f"s{number}" for number in range(8)])
    site.worker().drain()
    (found,) = site.holes.of_query(Query(scopes=None))
    assert found == Stretch(Period(at(2), at(4)), UNKNOWN, ("s0", "s1", "s2", "s3", "s4"), 8)
    assert sentences([found]) == [f"{found.period} is unknown, of s0, s1, s2, s3, s4 and 3 more scopes"]


def test_i8_m10_a_scope_that_somebody_has_moved_is_not_left_behind(sqlite):
    site = Site(sqlite, skip=False)
    site.worker().drain()
    states = list(site.states().values())
    site.scopes.reset(["alice"], at(1), author="kim", reason="")
    moved = site.holes.leave(Period(at(2), at(3)), states, "why", site.now)
    assert moved == {site.states()["bob"].id}
    assert site.left() == {("bob", UNKNOWN, 2, 3)}
    assert site.dues() == {"alice": at(1), "bob": at(3)}


def test_i8_m10_a_gap_of_many_hours_is_one_line_in_the_log(sqlite, caplog):
    site = Site(sqlite, dead=(1, 2, 3, 4, 6))
    site.worker().drain()
    warned = [record.getMessage() for record in caplog.records if "no sign of life" in record.getMessage()]
    assert warned == [
        f"the source had no sign of life from 2026-11-01T0{first}:00:00Z to 2026-11-01T0{last}:00:00Z: "
        "rating goes on past it, which stays unknown until the source knows it" for first, last in ((1, 5), (6, 7))]


def test_i8_m10_a_task_that_somebody_has_cancelled_is_not_back_at_once(sqlite):
    site = Site(sqlite, scopes=("alice",))
    site.worker().drain()
    site.revive(2, 3)
    worker = site.worker(until=at(8))
    worker.cycle()                                     # makes the task, and does not yet work it off
    (task,) = site.desk.tasks(waiting=True)
    site.desk.cancel([task.id], author="kim")
    worker.drain()
    assert len(site.desk.tasks()) == 1
    site.scopes.retry(["alice"])
    worker.drain()
    assert site.rated() == list(range(8))
