"""Posted points count beside collected ones, once each, whoever posts them how often and in which order."""
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.tables import ledger_tx, revision_block
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.operation.backfill import failures, prepare
from cloudkitty_like.service.operation.scopes import Scopes
from cloudkitty_like.service.operation.verification import differences
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.databases import KINDS
from cloudkitty_like.testing.memory import MemoryStorage
from tests.books import BEGIN, HOUR, NOW, Books, answer, at, usage
from tests.databases import new_database


def posting(books, storage=None):
    return PointIngest(books.database, storage or books.storage, lambda: books.now, "project_id", HOUR)


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield Books(database)


def point(number=0, flavor="s", price="1", scope="alice", **changes):
    made = PostedPoint(at(number), "vcpu", "h", Decimal(2), Decimal(price), {"project_id": scope, "flavor": flavor},
                       {"name": "web"})
    return replace(made, **changes)


def causes(books):
    with books.database.read() as tx:
        return [(row.cause, row.author) for row in tx.execute(ledger_tx.select().order_by(ledger_tx.c.id))]


def due(books, ruleset=1):
    with books.database.read() as tx:
        return {state.identifier for state in rows.due(tx, NOW, length=HOUR, wait_periods=0, ruleset=ruleset)}


def test_a_posted_point_counts_beside_a_collected_one_of_its_period(books):
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "5")),))], 1)
    posting(books).post([point(), point(flavor="l", price="3")], "somebody")
    posting(books).post([point(1)], "somebody")
    for groupby in ((), ("scope",), ("metric",), ("flavor",), ("day",), ("time",)):
        assert sum(price for price, _, _ in answer(books, *groupby).values()) == 10, groupby
    assert answer(books, "flavor") == {("s",): (7, 3, 0), ("l",): (3, 1, 0)}
    assert answer(books, as_of=1) == {(): (5, 1, 0)}
    assert causes(books) == [("rating", "tester"), ("posting", "somebody"), ("posting", "somebody")]
    assert differences(books.database, books.summary) == []


def test_rating_again_leaves_posted_points_and_posting_leaves_progress_and_collected_ones(books):
    state = books.scope()
    posting(books).post([point(price="100")], "somebody")
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "5")),))], 1)
    books.back_to(state, at(0).begin)
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "7")),))], 2)
    posting(books).post([point(price="200")], "somebody")
    assert answer(books) == {(): (207, 2, 0)}
    assert books.state("alice").due == at(0).end
    assert differences(books.database, books.summary) == []


def test_a_body_posted_twice_counts_once_and_is_no_change(books):
    body = [point(), point(flavor="l"), point(1, scope="bob")]
    posting(books).post(body, "somebody")
    before = answer(books, "scope", "flavor", "time")
    posting(books).post(body[::-1], "somebody else")
    posting(books).post([], "nobody")
    assert answer(books, "scope", "flavor", "time") == before
    assert causes(books) == [("posting", "somebody")]


def test_a_point_replaces_the_one_of_the_same_names_and_values(books):
    posting(books).post([point(price="1"), point(price="2")], "somebody")
    assert answer(books) == {(): (2, 1, 0)}
    others = [point(metric="ram"), point(unit="GiB"), point(metadata={"name": "db"}), point(metadata={}),
              point(groupby={"project_id": "alice"}), point(groupby={"project_id": "alice", "name": "web"})]
    posting(books).post(others, "somebody")
    assert answer(books) == {(): (8, 7, 0)}
    posting(books).post([point(price="10", groupby={"flavor": "s", "project_id": "alice"})], "somebody")
    assert answer(books) == {(): (16, 7, 0)}
    assert answer(books, as_of=1) == {(): (2, 1, 0)}
    assert differences(books.database, books.summary) == []


def test_prices_are_kept_as_given_to_twelve_decimals(books):
    posting(books).post([point(price="0.0000000000005", qty=Decimal("1.0000000000015")), point(1, price="-3")], "me")
    found = [(frame.qty, frame.price) for _, frame in books.storage.frames(Query(scopes=None))]
    assert found == [((Decimal("1.000000000002"),), (Decimal(0),)), ((Decimal(2),), (Decimal(-3),))]


def test_a_period_has_any_length_of_whole_seconds(books):
    half = timedelta(milliseconds=500)
    odd = Period(BEGIN + half, BEGIN + timedelta(seconds=7) + half)
    posting(books).post([point(period=odd), point(period=Period(BEGIN + HOUR, BEGIN + timedelta(days=40)))], "me")
    assert [frame.period for _, frame in books.storage.frames(Query(scopes=None))] == [
        Period(BEGIN, BEGIN + timedelta(seconds=7)), Period(BEGIN + HOUR, BEGIN + timedelta(days=40))]
    with pytest.raises(Conflict, match="cannot end at"):
        posting(books).post([point(1), point(2)], "me")
    assert answer(books) == {(): (2, 2, 0)}


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_kept(books):
    year = timedelta(days=365)
    body = [
        point(), point(groupby={"flavor": "s"}), point(qty=Decimal("NaN"), price=Decimal("Infinity")),
        point(qty=Decimal(10**15)), point(metric=""), point(unit="u" * 65), point(metric="a\0b"),
        point(scope="\ud800"), point(period=Period(at(0).begin, at(0).begin + timedelta(milliseconds=999))),
        point(period=Period(at(0).begin - 60 * year, at(0).end)), point(period=Period(at(0).begin, at(1).end)),
    ]
    with pytest.raises(Invalid) as caught:
        posting(books).post(body, "somebody")
    assert [problem.partition(" (")[0] for problem in caught.value.problems] == [
        "point 2", "point 3", "point 3", *(f"point {number}" for number in range(4, 12))]
    assert "'project_id'" in caught.value.problems[0]
    assert books.changes() == 0
    with books.database.read() as tx:
        assert rows.everything(tx) == []
    with pytest.raises(Invalid, match="and 30 more problems"):
        posting(books).post([point(metric="")] * 50, "somebody")


def test_what_is_out_of_range_as_a_total_is_refused_whole(books):
    huge = Decimal(10**15 - 1)
    body = [point(scope="new"), *(point(flavor=str(n), price=huge) for n in range(9100))]
    with pytest.raises(Invalid, match="out of range"):
        posting(books).post(body, "somebody")
    posting(books).post([point(0, str(n), huge) for n in range(5000)], "somebody")
    with pytest.raises(Invalid, match="out of range"):        # of the day
        posting(books).post([point(scope="new"), *(point(1, str(n), huge) for n in range(5000))], "somebody")
    assert answer(books, "scope") == {("alice",): (5000 * huge, 5000, 0)}
    with books.database.read() as tx:
        assert rows.identifiers(tx) == ["alice"]
        assert tx.execute(revision_block.select()).all() == []


def test_a_scope_that_was_only_posted_about_is_rated_when_a_fetcher_finds_it(books):
    posting(books).post([point()], "somebody")
    assert due(books) == set()
    assert not books.state("alice").found
    later = NOW + HOUR
    with books.database.write() as tx:
        found = [Scope(name, "project_id", "file", "prometheus") for name in ("alice", "bob")]
        assert rows.register(tx, found, later) == ["bob", "alice"]
        assert rows.register(tx, found, later + HOUR) == []
    assert due(books) == {"alice", "bob"}
    state = books.state("alice")
    assert (state.scope.fetcher, state.scope.collector, state.seen_at) == ("file", "prometheus", later)
    posting(books).post([point(1)], "somebody")
    assert books.state("alice") == state
    assert answer(books, "scope") == {("alice",): (2, 2, 0)}


def test_rating_the_past_on_demand_leaves_out_what_no_fetcher_has_found(books):
    posting(books).post([point()], "somebody")
    books.scope("bob")
    scopes = Scopes(books.database, lambda: books.now, HOUR)
    prepare(books.database, scopes, at(-5).begin, author="somebody")
    assert books.state("alice").starts_at is None
    assert books.state("bob").due == at(-5).begin
    assert [scope for scope, _ in failures(books.database, at(0).end)] == ["bob"]


def test_the_fetcher_s_scopes_are_registered_over_posted_ones_once(books):
    posting(books).post([point()], "somebody")
    scopes = Scopes(books.database, lambda: books.now, HOUR)
    for expected in (["alice"], []):
        assert scopes.register(["alice"], key="project_id", fetcher="file", collector="file") == expected


def test_of_posters_at_the_same_time_none_is_lost(books):
    start, failed = threading.Barrier(4), []

    def post(number):
        start.wait()
        try:
            for n in range(3):
                posting(books).post([point(flavor=f"{number} {n}"), point(1, "same")], "somebody")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert answer(books, "time") == {("2026-10-30T22:00:00Z",): (12, 12, 0), ("2026-10-30T23:00:00Z",): (1, 1, 0)}
    assert differences(books.database, books.summary) == []


class Overtaken(SqlalchemyStorage):
    """A storage apart, during whose first write somebody else does something."""

    then = None

    def append(self, additions, transaction=None):
        super().append(additions, transaction)
        then, self.then = self.then, None
        if then is not None:
            then()


def test_who_was_overtaken_looks_again(books):
    with new_database("sqlite") as points:
        storage = Overtaken(points)
        books.summary = Summary(books.database, storage)
        storage.then = lambda: posting(books, storage).post([point(price="10"), point(flavor="l")], "faster")
        posting(books, storage).post([point(price="20")], "slower")
        assert answer(books, "flavor") == {("s",): (20, 1, 0), ("l",): (1, 1, 0)}
        assert causes(books) == [("posting", "faster"), ("posting", "slower")]
        with books.database.read() as tx:
            assert tx.execute(revision_block.select()).all() == []
        assert sum(len(frame) for _, frame in storage.frames(Query(scopes=None))) == 4      # and none of the attempt


def test_the_first_thing_that_a_ledger_holds_may_be_posted():
    with new_database("sqlite") as database:
        storage = MemoryStorage()
        PointIngest(database, storage, lambda: NOW, "project_id", HOUR).post([point()], "somebody")
        assert [scope for scope, _ in storage.frames(Query(scopes=None))] == ["alice"]
        with pytest.raises(Invalid, match="does not fit this ledger"):
            PointIngest(database, storage, lambda: NOW, "tenant", HOUR).post(
                [point(groupby={"tenant": "x"})], "somebody")


BODIES = st.lists(st.builds(
    point, number=st.integers(0, 3), flavor=st.sampled_from("abc"), scope=st.sampled_from(["alice", "bob"]),
    price=st.integers(-5, 5), metric=st.sampled_from(["vcpu", "ram"]),
    metadata=st.sampled_from([{}, {"name": "web"}, {"name": "db", "tier": ""}])), min_size=1, max_size=8)


def identity(one):
    return (one.period, one.metric, one.unit, *map(frozenset, (one.groupby.items(), one.metadata.items())))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_of_each_point_counts_whatever_bodies_it_came_in(kind):
    examples = 60 if kind == "sqlite" else 8

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies=st.lists(BODIES, min_size=1, max_size=4), shuffled=st.randoms())
    def check(bodies, shuffled):
        with new_database(kind) as database, new_database("sqlite") as second:
            books, other = Books(database), Books(second)
            state = books.scope()
            books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("a", "1", "1000")),))], 1)
            for body in bodies:
                posting(books).post(body, "somebody")
            last = {identity(one): one for body in bodies for one in body}
            expected = sum(one.price for one in last.values())
            assert answer(books) == {(): (1000 + expected, 1 + len(last), 0)}
            assert differences(database, books.summary) == []
            remaining = list(last.values())
            shuffled.shuffle(remaining)
            for one in remaining:
                posting(other).post([one], "somebody")
            for groupby in (("scope", "metric", "time"), ("flavor", "name", "tier"), ("day",)):
                apart = answer(books, *groupby, as_of=1)
                both = answer(books, *groupby)
                alone = answer(other, *groupby)
                assert {key: both[key][0] - apart.get(key, (0,))[0] for key in both} == {
                    key: alone.get(key, (0,))[0] for key in both}

    check()
