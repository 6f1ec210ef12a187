"""Whatever sources and people do, each period of a scope is rated, or a hole, or due: one of them, and told."""
from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloudkitty_like.db.tables import frame, reprocess_task
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.gaps import GapPolicy
from cloudkitty_like.service.operation.verification import differences
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database
from tests.orchestrator.test_gaps import Site, at
from tests.orchestrator.worker import HOUR, hourly

HOURS, LATER = 6, 4
SCOPES = ("alice", "bob")
hours = st.integers(0, HOURS + LATER - 1)
spans = st.tuples(hours, st.integers(1, 4))
some = st.sampled_from([("alice",), ("bob",), SCOPES])
steps = st.one_of(
    st.tuples(st.just("die"), hours), st.tuples(st.just("revive"), spans),
    st.tuples(st.just("policy"), st.booleans()), st.tuples(st.just("pass"), st.integers(1, 3)),
    st.tuples(st.just("reset"), some, hours), st.tuples(st.just("accept"), some, spans),
    st.tuples(st.just("ask"), some, spans, st.sampled_from(["source", "stored"])),
    st.tuples(st.just("undo"), st.integers(0, 5)), st.tuples(st.just("rate"), st.integers(1, 3)))


class World(Site):
    """An installation to which things happen."""

    def __init__(self, database):
        super().__init__(database, dead=(), hours=HOURS)
        self.collector.samples = hourly(SCOPES, HOURS + LATER)
        self.worker().discover()
        self.believed = set()          # what anybody has accepted as empty, by scope and hour

    def happens(self, step):
        """One thing; what is refused changes nothing."""
        what, *how = step
        with suppress(Invalid, Conflict):
            getattr(self, f"_{what}")(*how)

    def _die(self, hour):
        self.collector.dead |= {at(hour)}

    def _revive(self, span):
        self.collector.dead -= {at(hour) for hour in range(span[0], sum(span))}
        self.now += timedelta(minutes=2)

    def _policy(self, skip):
        self.policy = GapPolicy(skip=skip, after=timedelta(0), retry_first=timedelta(minutes=1))

    def _pass(self, count):
        self.now = min(self.now + count * HOUR, at(HOURS + LATER))

    def _reset(self, scopes, hour):
        self.scopes.reset(scopes, at(hour), author="kim", reason="why")

    def _accept(self, scopes, span):
        self.scopes.accept_empty(Period(at(span[0]), at(sum(span))), scopes, author="kim", reason="why")
        self.believed |= {(scope, at(hour)) for scope in scopes for hour in range(span[0], sum(span))}

    def _ask(self, scopes, span, quantities):
        self.desk.ask(scopes, at(span[0]), at(sum(span) - 1), author="ann", reason="why", quantities=quantities)

    def _undo(self, which):
        ended = [task.id for task in self.desk.tasks() if task.ended_at is not None]
        if ended:
            self.desk.undo([ended[which % len(ended)]], author="bea", reason="why")

    def _rate(self, cycles):
        self.ruleset += cycles - 1
        worker = self.worker(slice_seconds=0.0)
        for _ in range(cycles):
            worker.cycle()

    # --- what there is -------------------------------------------------------------------------

    def frames(self):
        """The points of the current frame of each scope and period; those apart that say nothing about usage."""
        undos = select(reprocess_task.c.id).where(reprocess_task.c.kind == "undo")
        with self.database.read() as tx:
            names = {state.id: name for name, state in self.states().items()}
            undone = set(tx.execute(undos).scalars())
            return {(names[row.scope_id], row.begin): (row.points, row.task in undone)
                    for row in tx.execute(select(frame).where(frame.c.current == 1))}

    def check(self):
        """Each period is one of rated, hole, due."""
        frames, holes = self.frames(), Counter(
            (hole.scope, begin.begin) for hole in self.holes.known() for begin in hole.period.split(HOUR))
        assert not {key: count for key, count in holes.items() if count > 1}
        for name, state in self.states().items():
            if state.first is None:
                assert not [key for key in holes if key[0] == name]
                continue
            assert all(state.first <= begin < state.due for scope, begin in holes if scope == name), "a hole is due"
            for period in Period(state.first, state.due).split(HOUR) if state.due > state.first else ():
                key = name, period.begin
                points, undone = frames.get(key, (None, False))
                if key in holes:
                    assert not points, f"{key} is a hole, and rated"
                else:
                    assert points is not None, f"{key} is neither rated nor a hole"
                    assert points or key in self.believed, f"{key} was taken for empty, undone: {undone}"


def lived(database, story):
    world = World(database)
    for step in story:
        world.happens(step)
        world.check()
    # In the end the source knows everything, and whoever skipped takes it back.
    world._revive((0, HOURS + LATER))
    world.now = at(HOURS + LATER + 48)
    world.collector.dead = frozenset(at(hour) for hour in range(HOURS + LATER, HOURS + LATER + 48))
    world.worker(until=at(HOURS + LATER)).drain()
    world.check()
    assert not [hole for hole in world.holes.known() if hole.kind == "unknown"]
    world.scopes.reset(list(world.states()), at(0), author="kim", reason="all of it")
    world.worker(until=at(HOURS + LATER)).drain()
    world.check()
    assert world.holes.known() == []
    assert {name: len(world.rated(name)) for name in SCOPES} == dict.fromkeys(SCOPES, HOURS + LATER)
    assert differences(database, Summary(database, world.storage)) == []


@settings(max_examples=12, deadline=None)
@given(st.lists(steps, min_size=4, max_size=12))
def test_i8_m10_m13_each_period_is_rated_or_a_hole_or_due(story):
    with new_database("sqlite") as database:
        lived(database, story)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_i8_m10_m13_each_period_is_rated_or_a_hole_or_due_on_every_database(kind):
    @settings(max_examples=100 if kind == "sqlite" else 10, deadline=None)
    @given(st.lists(steps, min_size=6, max_size=20))
    def lives(story):
        with new_database(kind) as database:
            lived(database, story)

    lives()


