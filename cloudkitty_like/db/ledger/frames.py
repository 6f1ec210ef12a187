"""Frames of the index: which ones are current, their totals, and the change that published each.

Of a query the functions use its scopes, period and ``as_of``.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.ledger.exact_sums import sum_columns, sum_of
from cloudkitty_like.db.ledger.visibility import visible
from cloudkitty_like.db.ledger.writes import COLLECTED, POSTED
from cloudkitty_like.db.tables import frame, ledger_tx, scope, total
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.posted_point import FramePosition
from cloudkitty_like.domain.query import Query, Sum


@dataclass(frozen=True, slots=True)
class FrameRevision:
    """A frame of the index, and the change that published it."""

    place: FramePosition
    period: Period
    revision: int
    origin: str
    ruleset: int
    points: int
    change: int
    at: datetime
    author: str


@dataclass(frozen=True, slots=True)
class PostedFrame:
    """A current posted frame."""

    revision: int
    period: Period
    digest: bytes


def totals(tx: Connection, query: Query) -> dict[tuple[str, str, str], Sum]:
    """Of collected frames, by scope, metric and unit; those without points are left out."""
    keys = (scope.c.identifier, total.c.metric, total.c.unit)
    source = total.join(frame, frame.c.revision == total.c.revision).join(scope, scope.c.id == frame.c.scope_id)
    rows = tx.execute(select(*keys, *sum_columns(total, tx.dialect.name)).select_from(source).where(
        frame.c.origin == COLLECTED, *_conditions(query)).group_by(*keys))
    sums = {(row[0], row[1], row[2]): sum_of(row[3:]) for row in rows}
    return {key: amount for key, amount in sums.items() if amount.points}


def points(tx: Connection, query: Query) -> int:
    """How many points the collected frames have."""
    source = frame.join(scope, scope.c.id == frame.c.scope_id)
    return int(tx.execute(select(func.sum(frame.c.points)).select_from(source).where(
        frame.c.origin == COLLECTED, *_conditions(query))).scalar() or 0)


def handed_in(tx: Connection, query: Query) -> list[int]:
    """The revisions of frames that were not collected."""
    source = frame.join(scope, scope.c.id == frame.c.scope_id)
    return list(tx.execute(select(frame.c.revision).select_from(source).where(
        frame.c.origin != COLLECTED, *_conditions(query))).scalars())


def of_places(tx: Connection, places: Collection[FramePosition],
              as_of: int) -> dict[FramePosition, list[FrameRevision]]:
    """The frames of these scopes that begin then, in the order of their revisions."""
    revisions: dict[FramePosition, list[FrameRevision]] = {}
    scopes = sorted({place.scope for place in places})
    for begins in chunks(sorted({place.begin for place in places})):
        for identifiers in chunks(scopes):
            for revision in _revisions(tx, [frame.c.begin.in_(begins),
                                            scope.c.identifier.in_(identifiers), visible(as_of)]):
                if revision.place in places:
                    revisions.setdefault(revision.place, []).append(revision)
    return revisions


def collected(tx: Connection, query: Query, most: int) -> list[FrameRevision]:
    """The first ``most`` collected frames by begin and scope, those without points too, from ``query.after`` on."""
    conditions = [frame.c.origin == COLLECTED, *_conditions(query)]
    if query.after is not None:
        conditions.append(frame.c.begin >= query.after[0])
    revisions = sorted(_revisions(tx, conditions, most),
                       key=lambda revision: (revision.place.begin, revision.place.scope))
    return [revision for revision in revisions if query.after is None
            or (revision.place.begin, revision.place.scope) >= query.after]


def current_posted(tx: Connection, places: Collection[FramePosition],
                   scope_ids: Mapping[str, int]) -> dict[FramePosition, PostedFrame]:
    """Return the current posted frames of these places.

    ``scope_ids``: the ids of those scopes of the places that exist.
    """
    scopes = {number: identifier for identifier, number in scope_ids.items()}
    posted: dict[FramePosition, PostedFrame] = {}
    for begins in chunks(list({place.begin for place in places})):
        query = select(frame).where(
            frame.c.begin.in_(begins), frame.c.origin == POSTED, frame.c.current == 1)
        for row in tx.execute(query):
            place = FramePosition(scopes.get(row.scope_id, ""), row.begin)
            if place in places:
                posted[place] = PostedFrame(row.revision, Period(row.begin, row.end),
                                            bytes(row.digest))
    return posted


def other_current_revisions(tx: Connection, begin: datetime, revisions: Collection[int]) -> list[int]:
    """Return the current revisions of any origin that begin then, without these."""
    query = select(frame.c.revision).where(frame.c.begin == begin, frame.c.current == 1)
    return [revision for revision in tx.execute(query).scalars() if revision not in revisions]


def _revisions(tx: Connection, conditions: Collection[ColumnElement[bool]],
               most: int | None = None) -> Iterator[FrameRevision]:
    source = (frame.join(scope, scope.c.id == frame.c.scope_id)
              .join(ledger_tx, ledger_tx.c.id == frame.c.published))
    columns: tuple[ColumnElement[Any], ...] = (
        scope.c.identifier, frame.c.begin, frame.c.end, frame.c.revision, frame.c.origin, frame.c.ruleset,
        frame.c.points, ledger_tx.c.id.label("change"), ledger_tx.c.at, ledger_tx.c.author)
    for row in tx.execute(select(*columns).select_from(source).where(*conditions)
                          .order_by(frame.c.begin, frame.c.revision).limit(most)):
        yield FrameRevision(FramePosition(row.identifier, row.begin), Period(row.begin, row.end),
                            row.revision, row.origin,
                            row.ruleset, row.points, row.change, row.at, row.author)


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions = [visible(query.as_of)]
    if query.scopes is not None:
        conditions.append(scope.c.identifier.in_(query.scopes))
    if query.period is not None:
        conditions += [frame.c.begin >= query.period.begin, frame.c.begin < query.period.end]
    return conditions
