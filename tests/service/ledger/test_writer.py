"""What is recorded counts once, exactly, and stays answerable as it was."""
from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty_like.db.ledger import visibility
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.db.tables import frame as frame_table
from cloudkitty_like.db.tables import revision_block
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.service.ledger.writer import (
    ABANDONED_AFTER,
    FORGOTTEN_AFTER,
    Ledger,
    RatedPeriod,
    establish,
)
from cloudkitty_like.service.operation.verification import differences
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.databases import KINDS
from tests.books import BEGIN, Books, answer, at, usage
from tests.databases import new_database

COUNTER = itertools.count()


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield Books(database)


def test_what_is_recorded_is_reported_and_progress_moves(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "0.1"), ("l", "2", None)),))], ruleset=7)
    assert books.state("alice").due == at(0).end
    (row,) = books.summary.rows(Query(scopes=None, groupby=("scope", "metric")))
    assert (row.key, row.unit) == (("alice", "vcpu"), "h")
    assert (row.sum.qty, row.sum.price, row.sum.points, row.sum.unpriced) == (Decimal(3), Decimal("0.1"), 2, 1)
    assert answer(books, "flavor") == {("l",): (Decimal(0), 1, 1), ("s",): (Decimal("0.1"), 1, 0)}


def test_c51_a_point_without_a_price_is_unpriced_and_one_that_is_free_is_not(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("free", "1", "0"), ("unknown", "1", None)),))], 1)
    assert answer(books, "flavor") == {("free",): (Decimal(0), 1, 0), ("unknown",): (Decimal(0), 1, 1)}


def test_a_period_without_usage_is_recorded_as_such(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), ())], 1)
    assert books.state("alice").due == at(0).end
    with books.database.read() as tx:
        assert index.current(tx, [state.id], at(0))[state.id].ruleset == 1
    assert books.summary.rows(Query(scopes=None, groupby=("scope",))) == []


def test_storing_the_same_again_makes_no_new_revision(books):
    state = books.scope()
    rated = RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "0.1")),))
    books.ledger.record([rated], 1)
    before = books.changes()
    books.back_to(state, at(0).begin)
    books.ledger.record([rated], 1)
    assert books.changes() == before
    assert books.state("alice").due == at(0).end
    assert answer(books) == {(): (Decimal("0.1"), 1, 0)}


def test_c1_rating_again_supersedes_and_the_old_answer_can_be_repeated(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "0.1"), ("l", "1", "5")),))], 1)
    first = books.changes()
    books.back_to(state, at(0).begin)
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "0.2")),))], 2)
    for groupby in ((), ("scope",), ("day",), ("time",)):
        assert list(answer(books, *groupby).values()) == [(Decimal("0.2"), 1, 0)]
        assert list(answer(books, *groupby, as_of=first).values()) == [(Decimal("5.1"), 2, 0)]
    assert answer(books, "flavor") == {("s",): (Decimal("0.2"), 1, 0)}
    assert answer(books, "flavor", as_of=first) == {("l",): (Decimal(5), 1, 0), ("s",): (Decimal("0.1"), 1, 0)}
    assert differences(books.database, books.summary) == []


def test_c3_rating_one_scope_again_leaves_all_others_alone(books):
    states = {name: books.scope(name) for name in ("alice", "bob", "carol")}
    frames = (usage(at(0), ("s", "1", "1"), ("l", "2", "3")),)
    books.ledger.record([RatedPeriod(state, at(0), frames) for state in states.values()], 1)
    books.back_to(states["bob"], at(0).begin)
    books.ledger.record([RatedPeriod(states["bob"], at(0), ())], 1)
    for groupby in (("scope",), ("scope", "flavor"), ("scope", "day"), ("scope", "time")):
        found = answer(books, *groupby)
        assert {key[0] for key in found} == {"alice", "carol"}, groupby
        assert sum(price for price, _, _ in found.values()) == 8, groupby
    assert books.state("alice").due == books.state("carol").due == at(0).end


def test_c4_a_stale_writer_gets_a_conflict_and_changes_nothing(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    with pytest.raises(Conflict):
        books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "2")),))], 1)
    with pytest.raises(Conflict):
        books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    assert answer(books) == {(): (Decimal(1), 1, 0)}


def test_of_writers_at_the_same_time_one_wins(books):
    state = books.scope()
    start, outcomes = threading.Barrier(3), []

    def write(price):
        start.wait()
        try:
            books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", price)),))], 1)
            outcomes.append(Decimal(price))
        except Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(price,)) for price in ("1", "2", "3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (winner,) = [outcome for outcome in outcomes if outcome is not None]
    assert len(outcomes) == 3
    assert answer(books) == {(): (winner, 1, 0)}


def test_one_conflicting_scope_takes_the_whole_transaction_back(books):
    alice, bob = books.scope("alice"), books.scope("bob")
    books.ledger.record([RatedPeriod(alice, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    batch = [RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "9")),)) for state in (bob, alice)]
    with pytest.raises(Conflict):
        books.ledger.record(batch, 1)
    assert answer(books, "scope") == {("alice",): (Decimal(1), 1, 0)}
    assert books.state("bob").due == BEGIN


def test_a_window_takes_frames_by_their_begin(books):
    state = books.scope()
    for number in range(30):       # from the 30th at 22:00 to the 1st at 04:00
        books.ledger.record([RatedPeriod(state, at(number), (usage(at(number), ("s", "1", "1")),))], 1)
        state = books.state("alice")
    for begin, end in ((0, 30), (0, 1), (2, 26), (1, 27), (2, 30), (3, 25), (26, 30), (25, 26)):
        window = Period(at(begin).begin, at(end).begin)
        assert answer(books, period=window) == {(): (Decimal(end - begin), end - begin, 0)}, window
        late = Period(window.begin + timedelta(minutes=1), window.end + timedelta(minutes=1))
        assert answer(books, period=late)[()][1] == end - begin - 1 + (end < 30), late
    assert answer(books, "day") == {
        ("2026-10-30",): (Decimal(2), 2, 0), ("2026-10-31",): (Decimal(24), 24, 0), ("2026-11-01",): (Decimal(4), 4, 0)}


def test_a_total_out_of_range_is_refused_before_anything_is_written(books):
    state = books.scope()
    huge = Decimal(10**15 - 1)
    points = [(str(n), huge, huge) for n in range(9100)]
    with pytest.raises(Invalid, match="out of range"):
        books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), *points),))], 1)
    assert books.changes() == 0
    assert books.state("alice").due == BEGIN


def test_settings_that_do_not_fit_the_ledger_are_refused_with_the_way_out(books):
    establish(books.database, period_seconds=3600, scope_key="project_id")
    with pytest.raises(Invalid) as caught:
        establish(books.database, period_seconds=60, scope_key="tenant")
    assert len(caught.value.problems) == 2
    assert "period" in caught.value.problems[0]
    assert "scope_key" in caught.value.problems[1]
    assert "new database" in caught.value.hint


class Elsewhere(SqlalchemyStorage):
    """A storage that does not share the index's transactions, and that may fail or be overtaken after appending."""

    then = staticmethod(lambda: None)

    def append(self, additions, transaction=None):
        super().append(additions, transaction)
        self.then()


@pytest.fixture
def apart():
    with new_database("sqlite") as database, new_database("sqlite") as points:
        books = Books(database)
        books.storage = Elsewhere(points)
        books.ledger = Ledger(database, books.storage, lambda: books.now, "tester")
        books.summary = Summary(database, books.storage)
        yield books


def crash():
    raise KeyboardInterrupt


def test_points_of_a_crash_before_publishing_are_never_counted_and_later_forgotten(apart):
    state = apart.scope()
    rated = RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))
    apart.storage.then = crash
    with pytest.raises(KeyboardInterrupt):
        apart.ledger.record([rated], 1)
    assert answer(apart, "flavor") == {}
    apart.storage.then = lambda: None
    apart.ledger.record([rated], 1)
    assert answer(apart, "flavor") == {("s",): (Decimal(1), 1, 0)}
    assert apart.ledger.sweep() == 0
    apart.now += ABANDONED_AFTER + timedelta(seconds=1)
    assert apart.ledger.sweep() == 1
    assert apart.ledger.sweep() == 0
    assert apart.storage.sums(Query(scopes=None, groupby=("flavor",)))[0].sum.points == 1
    apart.now += FORGOTTEN_AFTER
    assert apart.ledger.sweep() == 1
    with apart.database.read() as tx:
        assert tx.execute(revision_block.select()).all() == []
    assert apart.storage.sums(Query(scopes=None, groupby=("flavor",)))[0].sum.points == 1


def test_a_writer_whose_points_were_given_up_meanwhile_cannot_publish_them(apart):
    state = apart.scope()

    def sleep_too_long():
        apart.now += ABANDONED_AFTER + timedelta(seconds=1)
        assert apart.ledger.sweep() == 1

    apart.storage.then = sleep_too_long
    with pytest.raises(Conflict):
        apart.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    assert answer(apart, "flavor") == {}
    assert apart.state("alice").due == BEGIN


def test_a_reader_that_has_seen_the_index_does_not_count_what_is_published_after(apart):
    state = apart.scope()
    apart.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "1")),))], 1)
    with apart.database.read() as tx:
        hidden, max_revision = visibility.invisible_revisions(tx, None, None)
    apart.back_to(state, BEGIN)
    apart.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "2")),))], 1)
    (row,) = apart.storage.sums(Query(scopes=None, groupby=("flavor",)), hidden, max_revision)
    assert row.sum.price == 1


AMOUNTS = st.decimals(min_value=-10**6, max_value=10**6, places=12, allow_nan=False, allow_infinity=False)
POINTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), AMOUNTS, st.one_of(st.none(), AMOUNTS)),
                  max_size=3, unique_by=lambda point: point[0])
STEPS = st.lists(st.tuples(st.integers(0, 30), POINTS), min_size=1, max_size=4)


def expected(model, groupby, window):
    sums = defaultdict(lambda: [Decimal(0), 0, 0])
    for number, points in model.items():
        begin = at(number).begin
        if begin not in window:
            continue
        for flavor, _, price in points:
            cells = {"day": f"{begin:%Y-%m-%d}", "flavor": flavor}
            found = sums[tuple(cells[name] for name in groupby)]
            found[0] += price or 0
            found[1] += 1
            found[2] += price is None
    return {key: tuple(found) for key, found in sums.items()}


@pytest.mark.slow
@pytest.mark.parametrize("examples", [60, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_points_totals_and_days_agree_whatever_is_superseded_when(kind, examples):
    with new_database(kind) as database:
        books = Books(database)

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(steps=STEPS, bounds=st.tuples(st.integers(0, 15), st.integers(16, 31)))
        def check(steps, bounds):
            name = f"scope {next(COUNTER)}"
            state, model, history = books.scope(name), {}, []
            for number, points in steps:
                books.back_to(state, at(number).begin)
                frames = (usage(at(number), *points),) if points else ()
                books.ledger.record([RatedPeriod(replace(state, due=at(number).begin), at(number), frames)], 1)
                model = model | {number: points}
                history.append((books.changes(), model))
            window = Period(at(bounds[0]).begin, at(bounds[1]).begin)
            everything = Period(at(0).begin, at(40).begin)
            groupings = ((), ("day",), ("flavor",), ("day", "flavor"))
            for groupby, seen in itertools.product(groupings, (window, everything)):
                query = Query(period=seen, scopes=frozenset({name}), groupby=groupby)
                assert answer(books, *groupby, period=seen, scopes=query.scopes) == expected(model, groupby, seen)
                for change, past in history:
                    assert answer(books, *groupby, period=seen, scopes=query.scopes, as_of=change) == \
                        expected(past, groupby, seen)

        check()
        assert differences(database, books.summary) == []
        with database.read() as tx:
            assert tx.execute(frame_table.select().where(frame_table.c.superseded.is_not(None))).first() is not None


def test_a_day_out_of_range_is_refused_and_sums_beyond_64_bits_are_exact(books):
    huge = Decimal(10**15 - 1)
    points = [(str(n), huge, -huge) for n in range(5000)]
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), *points),))], 1)
    with pytest.raises(Invalid, match="out of range"):
        books.ledger.record([RatedPeriod(books.state("alice"), at(1), (usage(at(1), *points),))], 1)
    for name in ("bob", "carol"):
        books.ledger.record([RatedPeriod(books.scope(name), at(0), (usage(at(0), *points),))], 1)
    total = 3 * 5000 * huge
    (row,) = books.summary.rows(Query(scopes=None, groupby=("metric",)))
    assert (row.sum.qty, row.sum.price, row.sum.points) == (total, -total, 15000)
    assert books.summary.points(Query(scopes=None, groupby=("metric",))) == [row]
