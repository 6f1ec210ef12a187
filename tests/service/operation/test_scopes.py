"""What an operator does to scopes."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.db.tables import scope_reset
from cloudkitty_like.domain.errors import Invalid, NotFound, Unavailable
from cloudkitty_like.domain.period import Period
from tests.orchestrator.worker import HOUR, MONTH, Bench


def at(hour):
    return MONTH + hour * HOUR


@pytest.fixture
def bench(database):
    made = Bench(database)
    made.worker().drain()
    return made


def priced(bench, price):
    bench.ruleset += 1
    bench.rate = lambda scope, period, frames: [frame.with_price([Decimal(price)] * len(frame)) for frame in frames]


def prices(bench):
    return {key[1]: price for key, (price, _) in bench.sums("scope", "time").items() if key[0] == "alice"}


def test_c1_reset_rates_the_frame_it_names_again_and_leaves_no_hole(bench):
    before = prices(bench)
    priced(bench, 3)
    bench.scopes.reset(["alice"], at(2) + timedelta(minutes=59), author="tester", reason="new prices")
    assert bench.dues() == {"alice": at(2), "bob": at(5)}
    assert prices(bench) == before, "reset deleted what was rated"
    bench.worker().drain()
    assert bench.dues()["alice"] == at(5)
    assert list(prices(bench).values()) == [Decimal(4)] * 2 + [Decimal(6)] * 3
    assert {price for key, (price, _) in bench.sums("scope", "time").items() if key[0] == "bob"} == {Decimal(4)}


def test_c3_reset_of_one_scope_touches_no_other(bench):
    with bench.database.read() as tx:
        before = tx.execute(text("SELECT count(*) FROM frame WHERE superseded IS NULL")).scalar()
    bench.scopes.reset(["alice"], at(0), author="tester", reason="")
    priced(bench, 5)
    bench.worker().drain()
    with bench.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM frame WHERE superseded IS NULL")).scalar() == before
        assert tx.execute(text("SELECT count(*) FROM frame WHERE superseded IS NOT NULL")).scalar() == 5


def test_rating_again_with_nothing_changed_makes_no_new_revision(bench):
    bench.scopes.reset(["alice", "bob"], at(0), author="tester", reason="")
    bench.worker().drain()
    with bench.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM frame")).scalar() == 10


def test_a_reset_to_before_the_first_period_moves_the_begin(bench):
    bench.scopes.reset(["alice"], MONTH - 2 * HOUR, author="tester", reason="")
    assert bench.states()["alice"].first == MONTH - 2 * HOUR
    bench.worker().drain()
    assert bench.dues()["alice"] == at(5)


def test_i8_m13_a_reset_of_all_takes_each_where_it_can_and_none_beyond_what_is_complete(bench):
    bench.scopes.reset(["bob"], at(1), author="tester", reason="")
    moved = bench.scopes.reset(["alice", "bob"], at(3), author="kim", reason="all from there")
    assert [[state.identifier for state in some] for some in (moved.back, moved.forward, moved.starting)] == [
        ["alice"], ["bob"], []]
    assert set(bench.dues().values()) == {at(3)}
    with pytest.raises(Invalid, match="beyond the last period that is complete, which ends at 2026-11-01T05:00:00Z"):
        bench.scopes.reset(["alice", "bob"], at(6), author="tester", reason="")
    assert set(bench.dues().values()) == {at(3)}
    with bench.database.read() as tx:
        rows = tx.execute(text("SELECT author, cause, reason FROM ledger_tx ORDER BY id DESC LIMIT 2")).all()
    assert {tuple(row) for row in rows} == {("kim", "skip", "bob to 2026-11-01T03:00:00Z: all from there"),
                                            ("kim", "reset", "alice to 2026-11-01T03:00:00Z: all from there")}


def test_a_reset_is_on_record(bench):
    bench.scopes.reset(["bob", "alice"], at(1), author="kim", reason="wrong factor")
    with bench.database.read() as tx:
        row = tx.execute(text("SELECT author, cause, reason FROM ledger_tx ORDER BY id DESC LIMIT 1")).one()
        kept = {(row.was_due, row.due) for row in tx.execute(select(scope_reset))}
    assert tuple(row) == ("kim", "reset", "alice, bob to 2026-11-01T01:00:00Z: wrong factor")
    assert kept == {(at(5), at(1))}


def test_a_reset_of_no_scope_is_no_change(bench):
    with bench.database.read() as tx:
        before = index.last_tx(tx)
    bench.scopes.reset([], at(1), author="kim", reason="none is known yet")
    with bench.database.read() as tx:
        assert index.last_tx(tx) == before


def test_c23_thousands_of_scopes_can_be_reset_at_once(database):
    bench = Bench(database, [f"{n:08}-of-a-length-that-projects-have" for n in range(3000)])
    bench.scope_discovery.look(timedelta(0))
    bench.scopes.reset(bench.fetcher.known, MONTH, author="tester", reason="all")
    assert {state.starts_at for state in bench.states().values()} == {MONTH}


def test_unknown_scopes_are_named(bench):
    for act in (lambda: bench.scopes.activate(["alice", "nobody", "no one"], False),
                lambda: bench.scopes.reset(["nobody", "no one"], at(1), author="tester", reason=""),
                lambda: bench.scopes.retry(["nobody", "no one"])):
        with pytest.raises(NotFound, match=r"(?s)'no one'.*'nobody'"):
            act()
    assert bench.states()["alice"].active


def test_a_scope_that_is_switched_off_is_left_alone_until_it_is_on_again(bench):
    bench.scopes.activate(["alice"], False)
    bench.scopes.reset(["alice", "bob"], at(3), author="tester", reason="")
    bench.worker().drain()
    assert bench.dues() == {"alice": at(3), "bob": at(5)}
    bench.scopes.activate(["alice"], True)
    bench.worker().drain()
    assert bench.dues()["alice"] == at(5)


def test_retry_forgets_errors_and_says_whose(bench):
    states = bench.states()
    bench.failures.keep([(states["alice"], "source", Unavailable("away")), (states["bob"], "rating", Invalid("bad"))],
                        bench.ruleset)
    assert bench.scopes.retry(["alice"]) == ["alice"]
    assert (bench.states()["alice"].error, bench.states()["alice"].retry_at) == (None, None)
    assert bench.states()["bob"].parked_ruleset == bench.ruleset
    assert bench.scopes.retry(None) == ["bob"]
    assert bench.states()["bob"].parked_ruleset is None
    assert bench.scopes.retry(None) == []


def test_a_reset_makes_a_scope_due_at_once_whatever_was_wrong_with_it(database):
    bench = Bench(database)
    samples, bench.collector.samples = bench.collector.samples, []
    bench.worker().drain()
    assert bench.states()["alice"].retry_at is not None
    bench.collector.samples = samples
    bench.scopes.reset(["alice"], at(1), author="tester", reason="")
    bench.worker().drain()
    assert bench.dues() == {"alice": at(5), "bob": None}


def test_accepting_that_there_was_nothing_needs_a_reason_and_is_on_record(bench):
    with pytest.raises(Invalid, match="reason"):
        bench.scopes.accept_empty(Period(at(1), at(2)), None, author="tester", reason=" ")
    bench.scopes.accept_empty(Period(at(1), at(2)), None, author="kim", reason="power cut")
    with bench.database.read() as tx:
        row = tx.execute(text("SELECT author, cause, reason FROM ledger_tx ORDER BY id DESC LIMIT 1")).one()
    assert row.cause == "accept-empty"
    assert "power cut" in row.reason
