"""Pages put together are the whole, however they are asked for, and whatever is recorded meanwhile."""
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty_like.db import scopes as rows
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Addition
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.ledger.publication import RevisionPublication
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.reports.pages import PointPages
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.databases import KINDS
from cloudkitty_like.testing.memory import MemoryStorage
from tests.books import HOUR, Books, at, usage
from tests.databases import new_database

COUNTER = count()
SCOPES, METRICS, FLAVORS = ("B", "a", "á"), ("vcpu", "ram"), ("s", "l", "")


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield Books(database)


def record(books, name, number, *points, metric="vcpu"):
    with books.database.read() as tx:
        known = rows.ids(tx, [name])
    state = books.state(name) if known else books.scope(name, at(number).begin)
    books.back_to(state, at(number).begin)
    frames = (usage(at(number), *points, metric=metric),) if points else ()
    books.ledger.record([RatedPeriod(replace(state, due=at(number).begin), at(number), frames)], 1)


def post(books, name, number, flavor, metric="vcpu"):
    labels = {"project_id": name, "flavor": flavor}
    PointIngest(books.database, books.storage, lambda: books.now, "project_id", HOUR).post(
        [PostedPoint(at(number), metric, "h", Decimal(1), Decimal(next(COUNTER)), labels, {})], "somebody")


def listed(pieces):
    return [(scope, frame.period, frame.metric, frame.unit, tuple(frame.groupby), tuple(frame.metadata), *row)
            for scope, frame in pieces for row in frame.rows()]


def by_cursor(dataframes, query, limit):
    page = dataframes.page(query, limit=limit)
    pages = [page]
    while page.next is not None:
        page = dataframes.page(query, limit=limit, after=page.next)
        pages.append(page)
    return pages


def by_offset(dataframes, query, limit):
    first = dataframes.page(query, limit=limit)
    return [first, *(dataframes.page(query, offset=offset, limit=limit)
                     for offset in range(limit, first.total, limit))]


def test_nothing_is_one_empty_page(books):
    dataframes = PointPages(books.database, books.storage)
    for query in (Query(scopes=None), Query(scopes=frozenset()), Query(scopes=None, filters={"x": frozenset({"y"})})):
        page = dataframes.page(query)
        assert (page.total, page.points, page.next) == (0, (), None)
        assert list(dataframes.stream(query)) == []


def test_a_page_cuts_frames_and_says_where_it_goes_on(books):
    record(books, "alice", 0, ("a", "1", "1"), ("b", "2", "2"), ("c", "3", "3"))
    record(books, "alice", 1, ("a", "4", "4"))
    dataframes = PointPages(books.database, books.storage)
    first = dataframes.page(Query(scopes=None), limit=2)
    assert (first.total, [list(frame.groupby["flavor"]) for _, frame in first.points]) == (4, [["a", "b"]])
    second = dataframes.page(Query(scopes=None), limit=2, after=first.next)
    assert [[int(qty) for qty in frame.qty] for _, frame in second.points] == [[3], [4]]
    assert (second.total, second.next) == (4, None)
    assert dataframes.page(Query(scopes=None), offset=2, limit=2) == second
    assert dataframes.page(Query(scopes=None), offset=4).points == ()
    assert dataframes.page(Query(scopes=None), offset=10**9).total == 4


def test_pages_after_one_another_are_of_one_state_of_the_ledger(books):
    for number in range(4):
        record(books, "alice", number, ("a", "1", "1"), ("b", "1", "2"))
    dataframes = PointPages(books.database, books.storage)
    before = listed(dataframes.stream(Query(scopes=None)))
    page = dataframes.page(Query(scopes=None), limit=3)
    found = listed(page.points)
    for number in (0, 1, 2, 3):
        post(books, "alice", number, "0")
        record(books, "alice", number, ("x", "1", "9"))
        page = dataframes.page(Query(scopes=None), limit=2, after=page.next) if page.next else page
        found += listed(page.points) if len(found) < len(before) else []
    assert found == before
    assert page.total == 8
    assert dataframes.page(Query(scopes=None)).total == 8        # four posted, four rated again
    assert listed(dataframes.stream(Query(scopes=None))) != before


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": -1}, {"offset": -1}, {"after": "garbled"}, {"after": ""}])
def test_a_page_that_makes_no_sense_is_refused(asked):
    with new_database("sqlite") as database:
        books = Books(database)
        record(books, "alice", 0, ("a", "1", "1"), ("b", "1", "2"))
        dataframes = PointPages(books.database, books.storage)
        with pytest.raises(Invalid):
            dataframes.page(Query(scopes=None), **asked)
        cursor = dataframes.page(Query(scopes=None), limit=1).next
        with pytest.raises(Invalid):
            dataframes.page(Query(scopes=None), offset=1, after=cursor)
        with pytest.raises(Invalid, match="another period"):
            dataframes.page(Query(scopes=None, period=Period(at(-1).begin, at(0).begin)), after=cursor)


def test_a_cursor_shows_nobody_the_points_of_a_scope_not_asked_for(books):
    for name in ("alice", "bob"):
        record(books, name, 0, ("a", "1", "1"), ("b", "1", "2"))
    dataframes = PointPages(books.database, books.storage)
    cursor = dataframes.page(Query(scopes=None), limit=1).next
    page = dataframes.page(Query(scopes=frozenset({"bob"})), after=cursor)
    assert {scope for scope, _ in page.points} <= {"bob"}


class Counting(SqlalchemyStorage):
    """A storage that counts the points it has read."""

    read = 0

    def _frames(self, connection, revisions, found, query=None):
        self.read += len(found)
        return super()._frames(connection, revisions, found, query)


def test_a_short_page_reads_few_points_and_finds_its_place_without_reading_any(books):
    for number in range(6):
        for name in range(20):
            record(books, f"{name:02}", number, *((str(n), "1", "1") for n in range(5)))
    for query, most in ((Query(scopes=None), 50), (Query(scopes=frozenset({"03"})), 40),
                        (Query(scopes=None, filters={"flavor": frozenset("4")}), 200)):
        books.storage = Counting(books.database, shares_transaction=True)
        page = PointPages(books.database, books.storage).page(query, limit=8)
        assert sum(len(frame) for _, frame in page.points) == 8
        assert 8 <= books.storage.read <= most
    books.storage.read = 0
    late = PointPages(books.database, books.storage).page(Query(scopes=None), offset=589, limit=5)
    assert [(scope, len(frame)) for scope, frame in late.points] == [("17", 1), ("18", 4)]
    assert books.storage.read <= 50


def test_a_stream_does_not_show_what_is_being_recorded(books):
    record(books, "alice", 0, ("a", "1", "1"))
    storage = MemoryStorage()
    dataframes = PointPages(books.database, storage)
    state = books.state("alice")
    revisions = RevisionPublication(books.database, storage, lambda: books.now)
    block, first = revisions.allocate(1)

    def publish(tx):
        assert list(dataframes.stream(Query(scopes=None))) == []
        change = index.open_tx(tx, at=books.now, author="", cause="test")
        index.publish(tx, change, [index.Publication(first, state.id, at(3), None, 0, b"0" * 16, 1, {})])

    frame = usage(at(3), ("a", "1", "1"))
    revisions.store(block, [Addition(first, "alice", frame.period, [frame])], publish)
    assert isinstance(dataframes.stream(Query(scopes=None)), Iterator)
    assert list(dataframes.stream(Query(scopes=None))) == [("alice", frame)]


STEPS = st.lists(st.tuples(
    st.booleans(), st.sampled_from(SCOPES), st.integers(0, 4), st.sampled_from(METRICS),
    st.lists(st.sampled_from(FLAVORS), unique=True, max_size=3)), min_size=1, max_size=12)


@st.composite
def queries(draw):
    def some(values):
        return draw(st.none() | st.frozensets(st.sampled_from(values)))

    begin = at(draw(st.integers(-1, 4))).begin - draw(st.sampled_from([0, 1])) * timedelta(minutes=7)
    window = draw(st.none() | st.integers(1, 6).map(lambda hours: Period(begin, begin + hours * HOUR)))
    filters = draw(st.just({}) | st.fixed_dictionaries({"flavor": st.frozensets(st.sampled_from(FLAVORS))}))
    return Query(scopes=some(SCOPES), period=window, metrics=some(METRICS), filters=filters)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_pages_by_cursor_or_by_offset_are_the_stream(kind):
    examples = 60 if kind == "sqlite" else 6

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, asked=st.lists(st.tuples(queries(), st.integers(1, 5)), min_size=2, max_size=3),
           seen=st.none() | st.integers(1, 12))
    def check(steps, asked, seen):
        with new_database(kind) as database:
            books = Books(database)
            for posted, name, number, metric, flavors in steps:
                if posted and flavors:
                    post(books, name, number, flavors[0], metric)
                else:
                    record(books, name, number, *((flavor, "1", str(next(COUNTER))) for flavor in flavors),
                           metric=metric)
            dataframes = PointPages(database, books.storage)
            for query, limit in asked:
                query = replace(query, as_of=seen)
                everything = listed(dataframes.stream(query))
                keys = [(one[1].begin, one[0], one[2]) for one in everything]
                assert keys == sorted(keys)
                assert len(everything) == sum(row.sum.points for row in books.summary.rows(query))
                for pages in (by_cursor(dataframes, query, limit), by_offset(dataframes, query, limit)):
                    assert [one for page in pages for one in listed(page.points)] == everything
                    assert {page.total for page in pages} == {len(everything)}
                    assert all(len(listed(page.points)) == limit for page in pages[:-1])
                    assert all(len(frame) for page in pages for _, frame in page.points)

    check()
