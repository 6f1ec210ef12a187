"""How many points begin when and are of whom: where a page of points lies, found without reading a point.

All questions here are about what counts as of ``query.as_of``; of the query's
restrictions all are heeded but ``filters``, which the index knows nothing of.
"""
from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, select

from cloudkitty_like.db.ledger.visibility import visible
from cloudkitty_like.db.tables import frame, scope, total
from cloudkitty_like.domain.query import Query


def points(tx: Connection, query: Query) -> int:
    """How many there are in all."""
    return int(tx.execute(_counting(query)).scalar() or 0)


def by_begin(tx: Connection, query: Query, most: int | None = None) -> list[tuple[datetime, int]]:
    """The begins of the periods that have points, in order, and how many; only the first ``most`` of them."""
    statement = _counting(query, frame.c.begin).order_by(frame.c.begin).limit(most)
    return [(begin, int(count)) for begin, count in tx.execute(statement)]


def by_scope(tx: Connection, query: Query, begin: datetime) -> list[tuple[str, int]]:
    """The scopes that have points in periods that begin then, in the order of Python's text, and how many."""
    statement = _counting(query, scope.c.identifier).where(frame.c.begin == begin)
    return sorted((identifier, int(count)) for identifier, count in tx.execute(statement))


def _counting(query: Query, *keys: ColumnElement[Any]) -> Select[Any]:
    """The keys, then the number of points, of each key that has any."""
    where: FromClause = frame
    count = frame.c.points
    conditions = [visible(query.as_of)]
    if query.metrics is not None:
        where, count = where.join(total, total.c.revision == frame.c.revision), total.c.points
        conditions.append(total.c.metric.in_(query.metrics))
    if query.scopes is not None or scope.c.identifier in keys:
        where = where.join(scope, scope.c.id == frame.c.scope_id)
    if query.scopes is not None:
        conditions.append(scope.c.identifier.in_(query.scopes))
    if query.period is not None:
        conditions += [frame.c.begin >= query.period.begin, frame.c.begin < query.period.end]
    return select(*keys, func.sum(count)).select_from(where).where(*conditions, count > 0).group_by(*keys)
