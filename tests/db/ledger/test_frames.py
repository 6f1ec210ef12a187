"""The frames of the index, on each database."""
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from cloudkitty_like.db.ledger import frames
from cloudkitty_like.domain.posted_point import FramePosition, PostedPoint
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.ledger.writer import RatedPeriod
from tests.books import BEGIN, HOUR, Books, at, usage

POINT = PostedPoint(at(0), "vcpu", "h", Decimal(2), Decimal(1), {"project_id": "alice"}, {})
ALICE = FramePosition("alice", BEGIN)


@pytest.fixture
def books(database):
    """Alice's first hour was collected, then posted to twice; the next hour was posted to."""
    books = Books(database)
    state = books.scope()
    books.ledger.record([RatedPeriod(state, at(0), (usage(at(0), ("s", "1", "5")),))], 1)
    posting = PointIngest(database, books.storage, lambda: books.now, "project_id", HOUR)
    posting.post([POINT, replace(POINT, period=at(1))], "somebody")
    posting.post([replace(POINT, qty=Decimal(3))], "somebody")
    return books


def test_the_last_posted_frame_of_a_place_stands(books):
    scopes = {"alice": books.state("alice").id}
    with books.database.read() as tx:
        revisions = frames.of_places(tx, {ALICE}, books.changes())[ALICE]
        standing = frames.current_posted(tx, {ALICE, FramePosition("bob", BEGIN)}, scopes)
    (posted,) = [one.revision for one in revisions if one.origin == "posted"]
    assert standing.keys() == {ALICE}
    assert (standing[ALICE].revision, standing[ALICE].period) == (posted, at(0))


def test_beside_some_frames_are_the_others_that_begin_then(books):
    with books.database.read() as tx:
        both = frames.other_current_revisions(tx, BEGIN, ())
        assert len(both) == 2
        assert frames.other_current_revisions(tx, BEGIN, both[:1]) == both[1:]
        assert frames.other_current_revisions(tx, at(5).begin, ()) == []
