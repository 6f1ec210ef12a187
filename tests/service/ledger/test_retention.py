"""Points that are old are forgotten, and nobody takes what is left for all there was."""
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloudkitty_like.db.tables import appended, frame, point
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.retention import RetentionBounds
from cloudkitty_like.service.corrections.tasks import CorrectionTasks
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.ledger.retention import Retention
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.operation.verification import differences
from cloudkitty_like.service.reports.pages import PointPages
from tests.books import BEGIN, HOUR, NOW, Books, answer, at, usage
from tests.databases import new_database

DAY = timedelta(days=1)


class Archive(Books):
    """Four periods of two scopes; the second one rated twice, a day later."""

    def __init__(self, database):
        super().__init__(database)
        for name in ("alice", "bob"):
            self.scope(name)
            for number in range(4):
                self.rate(name, number, "1")
        self.then = self.changes()
        self.now += DAY
        for name in ("alice", "bob"):
            state = self.state(name)
            self.back_to(state, at(1).begin)
            self.rate(name, 1, "3")
            self.back_to(state, at(4).begin)

    def rate(self, name, number, price):
        frames = (usage(at(number), ("s", "1", price), ("l", "2", None)),)
        self.ledger.record([RatedPeriod(self.state(name), at(number), frames)], 1)

    @property
    def retention(self):
        return Retention(self.database, self.storage, lambda: self.now + DAY)

    def stored(self):
        """Numbers of the revisions that have points."""
        with self.database.read() as tx:
            found = set(tx.execute(select(point.c.revision)).scalars())
            assert found <= set(tx.execute(select(appended.c.revision)).scalars())
        return found

    def current(self):
        with self.database.read() as tx:
            return set(tx.execute(select(frame.c.revision).where(frame.c.current == 1)).scalars())


@pytest.fixture
def archive(database):
    return Archive(database)


@pytest.fixture
def quick(sqlite):
    return Archive(sqlite)


def verified(books):
    assert differences(books.database, books.summary) == []


def test_superseded_points_go_and_their_totals_stay(archive):
    bounds = RetentionBounds(archive.now + HOUR, None)
    by_time, before = answer(archive, "scope", "time"), answer(archive, "scope", "time", as_of=archive.then)
    extent = archive.retention.extent(bounds)
    assert (extent.revisions, extent.current, extent.points, extent.scopes) == (2, 0, 4, 2)
    assert (extent.first, extent.last) == (at(1).begin, at(1).end)
    assert archive.retention.purge(bounds, author="ann") == 2
    assert archive.stored() == archive.current()
    assert answer(archive, "scope", "time") == by_time
    assert answer(archive, "scope", "time", as_of=archive.then) == before
    verified(archive)
    assert archive.retention.extent(bounds).revisions == archive.retention.purge(bounds, author="ann") == 0


def test_what_was_superseded_later_stays(quick):
    assert quick.retention.purge(RetentionBounds(quick.now, None), author="ann") == 0
    assert len(quick.stored()) == 10


def test_as_of_before_it_points_are_refused_and_not_answered_short(archive):
    labels = Query(scopes=None, groupby=("flavor",), as_of=archive.then)
    whole = archive.summary.rows(labels)
    archive.retention.purge(RetentionBounds(archive.now + HOUR, None), author="ann")
    for ask in (lambda: archive.summary.rows(labels), lambda: list(archive.summary.frames(labels)),
                lambda: PointPages(archive.database, archive.storage).page(labels)):
        with pytest.raises(Invalid, match="no longer kept"):
            ask()
    assert archive.summary.rows(Query(scopes=None, groupby=("flavor",), as_of=archive.changes() - 1)) != whole
    # Of periods that were not superseded they are all there, as of any change.
    alone = Query(scopes=frozenset({"bob"}), period=at(2), groupby=("flavor",), as_of=archive.then)
    assert len(archive.summary.rows(alone)) == 2


def test_points_of_old_periods_go_the_current_ones_too(archive):
    bounds = RetentionBounds(None, at(1).end)
    totals = answer(archive, "scope", "metric"), answer(archive, "time"), answer(archive, "day")
    assert archive.retention.extent(bounds).current == 4
    assert archive.retention.purge(bounds, author="ann") == 6
    assert len(archive.stored()) == 4
    assert (answer(archive, "scope", "metric"), answer(archive, "time"), answer(archive, "day")) == totals
    verified(archive)
    with pytest.raises(Invalid, match="points of periods up to 2026-10-31T00:00:00Z are no longer kept"):
        archive.summary.rows(Query(scopes=None, groupby=("flavor",)))
    later = Query(scopes=None, period=at(2), groupby=("flavor",))
    assert [row.sum.points for row in archive.summary.rows(later)] == [2, 2]


def test_a_period_that_is_rated_again_has_its_points_again(quick):
    quick.retention.purge(RetentionBounds(None, at(4).begin), author="ann")
    for name in ("alice", "bob"):
        quick.back_to(quick.state(name), BEGIN)
        for number in range(4):
            quick.rate(name, number, "7")
    assert sum(row.sum.price for row in quick.summary.rows(Query(scopes=None, groupby=("flavor",)))) == 56
    verified(quick)


def test_quantities_that_are_forgotten_cannot_be_rated_again(quick):
    quick.retention.purge(RetentionBounds(None, at(0).end), author="ann")
    desk = CorrectionTasks(quick.database, lambda: quick.now, HOUR)
    with pytest.raises(Invalid, match="no longer kept"):
        desk.ask(["alice"], at(0).begin, at(1).begin, author="ann", reason="why", quantities="stored")
    desk.ask(["alice"], at(1).begin, at(2).begin, author="ann", reason="why", quantities="stored")
    desk.ask(["bob"], at(0).begin, at(1).begin, author="ann", reason="why")


def test_nothing_is_posted_to_a_frame_whose_points_are_forgotten(quick):
    posting = PointIngest(quick.database, quick.storage, lambda: quick.now, "project_id", HOUR)

    def posted(name):
        labels = {"project_id": "alice", "flavor": name}
        return PostedPoint(at(0), "gift", "h", Decimal(1), Decimal(1), labels, {})

    posting.post([posted("a")], "ann")
    quick.retention.purge(RetentionBounds(None, at(0).end), author="ann")
    with pytest.raises(Invalid, match="no longer kept"):
        posting.post([posted("b")], "ann")


def test_bounds_that_make_no_sense_are_refused(quick):
    for bounds, said in ((RetentionBounds(None, None), "say what"),
                         (RetentionBounds(NOW + 9 * DAY, None), "superseded-before"),
                         (RetentionBounds(None, NOW + 9 * DAY), "rated-before")):
        for ask in (quick.retention.extent, lambda one: quick.retention.purge(one, author="ann")):
            with pytest.raises(Invalid, match=said):
                ask(bounds)


class Failing:
    """A storage that fails after so many portions, before or after it has forgotten them."""

    def __init__(self, storage, portions, *, after):
        self.portions, self.after, self.storage = count(portions, -1), after, storage
        self.shares_transaction = storage.shares_transaction

    def purge(self, revisions):
        left = next(self.portions)
        if left or self.after:
            self.storage.purge(revisions)
        if not left:
            raise KeyboardInterrupt

    def __getattr__(self, name):
        return getattr(self.storage, name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("portions", range(3))
def test_whenever_it_is_killed_everything_is_right_and_it_goes_on(quick, portions, after):
    small = Retention(quick.database, Failing(quick.storage, portions, after=after), lambda: quick.now + DAY, portion=2)
    bounds = RetentionBounds(quick.now + HOUR, at(1).end)
    with pytest.raises(KeyboardInterrupt):
        small.purge(bounds, author="ann")
    verified(quick)
    with pytest.raises(Invalid):
        list(quick.summary.frames(Query(scopes=None, period=at(0), as_of=None)))
    quick.retention.purge(bounds, author="ann")
    assert len(quick.stored()) == 4
    verified(quick)


def test_a_reader_of_points_that_go_meanwhile_is_told(quick):
    reading = quick.summary.frames(Query(scopes=None))
    next(reading)
    quick.retention.purge(RetentionBounds(None, at(4).begin), author="ann")
    with pytest.raises(Invalid, match="no longer kept"):
        list(reading)


@settings(max_examples=25, deadline=None)
@given(st.integers(-1, 5), st.integers(-2, 2))
def test_whatever_the_bounds_totals_stay_and_points_are_whole_or_refused(ended, superseded):
    with new_database("sqlite") as database:
        books = Archive(database)
        totals = answer(books, "scope", "metric", "time")
        points = {number: books.summary.points(Query(scopes=None, period=at(number), groupby=("flavor",)))
                  for number in range(4)}
        books.retention.purge(RetentionBounds(books.now + superseded * HOUR, at(ended).end), author="ann")
        assert answer(books, "scope", "metric", "time") == totals
        verified(books)
        for number in range(4):
            query = Query(scopes=None, period=at(number), groupby=("flavor",))
            if number <= ended:
                with pytest.raises(Invalid):
                    books.summary.points(query)
            else:
                assert books.summary.points(query) == points[number]
