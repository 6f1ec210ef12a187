"""What the ledger keeps of revisions, current ones or not: their points, and what was collected for them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger.revisions import forgotten, other_revisions
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Storage

SECOND = timedelta(seconds=1)


class RevisionReader:
    """Reads revisions of one period, at most one of each scope, for all scopes at once."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self._storage = database, storage

    def rated(self, period: Period, revisions: Mapping[str, int]) -> dict[str, list[Frame]]:
        """The rated frames of these revisions, both by scope; one without points has none."""
        if not revisions:
            return {}
        with self._database.read() as tx:
            others = other_revisions(tx, period.begin, revisions.values())
        query = Query(scopes=frozenset(revisions), period=Period.starting(period.begin, SECOND))
        frames: dict[str, list[Frame]] = {scope: [] for scope in revisions}
        for scope, frame in self._storage.frames(query, others, max(revisions.values())):
            frames[scope].append(frame)
        return frames

    def collected(self, revisions: Mapping[str, int]) -> dict[str, list[Frame]]:
        """What was kept beside these revisions, as it was collected; absent where that is just the rated rows."""
        beside = self._storage.all_collected(revisions.values())
        return {scope: beside[revision] for scope, revision in revisions.items() if revision in beside}

    def quantities(self, period: Period, revisions: Mapping[str, int]) -> dict[str, Sequence[Frame]]:
        """What these revisions were rated from: frames without prices, by scope.

        Conflict where points of them are being forgotten.
        """
        beside = self.collected(revisions)
        rest = {scope: revision for scope, revision in revisions.items() if scope not in beside}
        rated = {scope: [frame.with_price([None] * len(frame)) for frame in frames]
                 for scope, frames in self.rated(period, rest).items()}
        with self._database.read() as tx:
            if forgotten(tx, period.begin, revisions.values()):        # marked before they go
                raise Conflict(f"points of {period} were forgotten meanwhile")
        return {**rated, **beside}
