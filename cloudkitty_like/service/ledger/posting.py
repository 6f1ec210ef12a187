"""Points handed in from outside: kept beside what was collected, and counted with it."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import scopes as scope_rows
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import visibility, writes
from cloudkitty_like.db.ledger.frames import PostedFrame, current_posted, other_current_revisions
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.frame import Frame, digest
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.posted_point import (
    SHOWN,
    FramePosition,
    PostedFramePoints,
    PostedPoint,
    by_place,
)
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.domain.scope_state import POSTED_ONLY
from cloudkitty_like.ports import Addition, Storage
from cloudkitty_like.service.ledger.publication import Clock, RevisionPublication
from cloudkitty_like.service.ledger.writer import establish, totals_of

SECOND = timedelta(seconds=1)
ATTEMPTS = 20
NO_RULES = 0                           # the rule-set version of prices that were given


@dataclass(frozen=True, slots=True)
class _Change:
    """The frames that a place is to have, and the revision that they replace."""

    place: FramePosition
    frames: tuple[Frame, ...]
    digest: bytes
    expected: int | None               # None: there is none

    @property
    def period(self) -> Period:
        return self.frames[0].period


class PointIngest:
    """Records posted points.  Safe beside any number of other writers."""

    def __init__(self, database: Database, storage: Storage, clock: Clock, scope_key: str,
                 period: timedelta) -> None:
        self._database, self._storage, self._clock = database, storage, clock
        self._scope_key, self._period = scope_key, period
        self._revisions = RevisionPublication(database, storage, clock)

    def post(self, points: Sequence[PostedPoint], author: str) -> None:
        """Make these points count, all or none, at the prices they have.

        A point replaces the posted one of the same scope, begin, metric, unit
        and labels; all others stay.  Invalid, all reasons at once, where a
        point is wrong; Conflict where its period ends at another time than
        what was posted for the scope and begin before.
        """
        posted = by_place(points, self._scope_key)
        if not posted:
            return
        establish(self._database, period_seconds=self._period // SECOND, scope_key=self._scope_key)
        for left in reversed(range(ATTEMPTS)):
            changes = self._changes(posted)
            try:
                self._record(changes, author)
            except Conflict:
                # Somebody else has posted to one of these places, or found one of these scopes: look again.
                if not left:
                    raise
            else:
                return

    def _changes(self, posted: Mapping[FramePosition, PostedFramePoints]) -> list[_Change]:
        """What has to be recorded so that these points count."""
        with self._database.read() as tx:
            current = current_posted(tx, posted.keys(),
                                     scope_rows.ids(tx, {place.scope for place in posted}))
        problems = [
            f"scope {place.scope!r} has posted points from {current[place].period}: "
            f"others that begin then cannot end at {instant(points.period.end)}"
            for place, points in posted.items()
            if place in current and current[place].period != points.period
        ]
        if problems:
            raise Conflict("\n".join(problems[:SHOWN]))
        kept = self._kept(current)
        changes = []
        for place, points in posted.items():
            whole = PostedFramePoints(points.period, kept.get(place, ()))
            whole.update(points)
            frames = whole.frames()
            new_digest, before = digest(frames), current.get(place)
            if before is None or before.digest != new_digest:
                changes.append(_Change(place, frames, new_digest,
                                       None if before is None else before.revision))
        return changes

    def _kept(self,
              current: Mapping[FramePosition, PostedFrame]) -> dict[FramePosition, list[Frame]]:
        """The frames of these revisions."""
        frames: dict[FramePosition, list[Frame]] = {}
        for begin in {place.begin for place in current}:
            here = {place.scope: current[place].revision
                    for place in current if place.begin == begin}
            query = Query(scopes=frozenset(here), period=Period.starting(begin, SECOND))
            with self._database.read() as tx:
                invisible, max_revision = visibility.invisible_revisions(tx, None, query.period, query.scopes)
                invisible = [*invisible, *other_current_revisions(tx, begin, here.values())]
            for scope, frame in self._storage.frames(query, set(invisible) - set(here.values()), max_revision):
                frames.setdefault(FramePosition(scope, begin), []).append(frame)
            with self._database.read() as tx:
                # What is forgotten is marked before it goes.
                visibility.require_points(tx, None, query.period, query.scopes)
        return frames

    def _record(self, changes: Sequence[_Change], author: str) -> None:
        if not changes:
            return
        totals = [totals_of(change.frames) for change in changes]
        block, first = self._revisions.allocate(len(changes))
        numbered = list(enumerate(changes, first))

        def publish(tx: Connection) -> None:
            ids = self._registered(tx, {change.place.scope for change in changes})
            number = writes.open_tx(tx, at=self._clock(), author=author, cause="posting")
            writes.publish(tx, number, [
                writes.Publication(revision, ids[change.place.scope], change.period,
                                   change.expected, NO_RULES, change.digest,
                                   sum(map(len, change.frames)), total, writes.POSTED)
                for (revision, change), total in zip(numbered, totals, strict=True)])

        self._revisions.store(
            block, [Addition(revision, change.place.scope, change.period, change.frames)
                    for revision, change in numbered], publish)

    def _registered(self, tx: Connection, scopes: Collection[str]) -> dict[str, int]:
        """The rows of these scopes, made where there are none: nobody rates them until a fetcher finds them."""
        scope_rows.register(tx, [Scope(scope, self._scope_key, POSTED_ONLY)
                                 for scope in sorted(scopes)], self._clock())
        return scope_rows.ids(tx, scopes)
