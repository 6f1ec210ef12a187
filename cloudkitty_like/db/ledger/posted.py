"""What was posted, as the index knows it."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.ledger.writes import POSTED
from cloudkitty_like.db.tables import frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.posted_point import Place


@dataclass(frozen=True, slots=True)
class Standing:
    """A current posted frame."""

    revision: int
    period: Period
    digest: bytes


def standing(tx: Connection, places: Collection[Place], scope_ids: Mapping[str, int]) -> dict[Place, Standing]:
    """The current posted frames of these places; ``scope_ids`` are those of their scopes that exist."""
    scopes = {number: identifier for identifier, number in scope_ids.items()}
    found: dict[Place, Standing] = {}
    for begins in chunks(list({place.begin for place in places})):
        query = select(frame).where(frame.c.begin.in_(begins), frame.c.origin == POSTED, frame.c.current == 1)
        for row in tx.execute(query):
            place = Place(scopes.get(row.scope_id, ""), row.begin)
            if place in places:
                found[place] = Standing(row.revision, Period(row.begin, row.end), bytes(row.digest))
    return found


def beside(tx: Connection, begin: datetime, revisions: Collection[int]) -> list[int]:
    """The current revisions, of whatever origin, that begin then, but for these."""
    query = select(frame.c.revision).where(frame.c.begin == begin, frame.c.current == 1)
    return [revision for revision in tx.execute(query).scalars() if revision not in revisions]
