"""Which revisions count for a reader, and that what counts can still be read.

Retention forgets points and keeps totals (:mod:`cloudkitty_like.db.ledger.retention`).
Two settings say how far it went, so that whoever reads elsewhere need not look:
``points_from``, an instant in seconds: all current frames that end later have
their points; and ``points_as_of``, a ledger change: so have, as of it or any
later one, those that were superseded.
"""
from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.chunks import CHUNK
from cloudkitty_like.db.tables import frame, ledger_setting, revision_block, scope
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import EPOCH, Period, instant

LAST_REVISION, POINTS_FROM, POINTS_AS_OF = "last_revision", "points_from", "points_as_of"


def visible(as_of: int | None) -> ColumnElement[bool]:
    """Frames that count, now or as of a ledger change."""
    if as_of is None:
        return frame.c.superseded.is_(None)
    return and_(frame.c.published <= as_of, or_(frame.c.superseded.is_(None), frame.c.superseded > as_of))


def invisible_revisions(tx: Connection, as_of: int | None, period: Period | None,
                        scopes: Collection[str] | None = None, *, forgotten: bool = False) -> tuple[list[int], int]:
    """Revisions that must not count for a reader of this period and these scopes, and the last one it may count.

    Superseded, not yet published, or being appended by somebody right now.
    Invalid where points that count are forgotten; with ``forgotten`` these are hidden too.
    """
    settings = _numbers(tx)
    restricted = _restriction(period, scopes)
    counts = visible(as_of)
    if forgotten:
        counts = and_(counts, frame.c.forgotten.is_(None))
    else:
        _check(tx, settings, as_of, period, restricted)
    revisions = list(tx.execute(select(frame.c.revision).where(~counts, *restricted)).scalars())
    return [*revisions, *unpublished(tx)], settings.get(LAST_REVISION, 0)


def unpublished(tx: Connection) -> list[int]:
    """Revisions that were given out and are not published, by now or for ever."""
    blocks = tx.execute(select(revision_block.c.first, revision_block.c.last))
    return [revision for block in blocks for revision in range(block.first, block.last + 1)]


def require_points(tx: Connection, as_of: int | None, period: Period | None,
                   scopes: Collection[str] | None = None) -> None:
    """Invalid where points that count in this period, for these scopes, are forgotten."""
    _check(tx, _numbers(tx), as_of, period, _restriction(period, scopes))


def _numbers(tx: Connection) -> dict[str, int]:
    names = (LAST_REVISION, POINTS_FROM, POINTS_AS_OF)
    rows = tx.execute(select(ledger_setting).where(ledger_setting.c.name.in_(names)))
    return {row.name: int(row.value) for row in rows}


def _restriction(period: Period | None, scopes: Collection[str] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if period is not None:
        conditions += [frame.c.begin >= period.begin, frame.c.begin < period.end]
    if scopes is not None and len(scopes) <= CHUNK:
        conditions.append(frame.c.scope_id.in_(select(scope.c.id).where(scope.c.identifier.in_(scopes))))
    return conditions


def _check(tx: Connection, settings: dict[str, int], as_of: int | None, period: Period | None,
           restricted: Collection[ColumnElement[bool]]) -> None:
    before, change = settings.get(POINTS_FROM, 0), settings.get(POINTS_AS_OF, 0)
    old = as_of is not None and as_of < change
    if not old and (not before or (period is not None and seconds(period.begin) >= before)):
        return
    query = select(func.max(frame.c.end)).where(frame.c.forgotten.is_not(None), visible(as_of),
                                                *restricted)
    if not old:
        query = query.where(frame.c.begin < EPOCH + timedelta(seconds=before))
    last: datetime | None = tx.execute(query).scalar()
    if last is None:
        return
    if old:
        raise Invalid(f"as of change {as_of} of the ledger: points that counted then are no longer kept; those of "
                      f"change {change} and later are", hint=TOTALS)
    if period is not None and period.end <= last:
        raise Invalid(f"points of periods up to {instant(last)} are no longer kept", hint=TOTALS)
    raise Invalid(f"points of periods up to {instant(last)} are no longer kept; from then on they are",
                  hint=f"begin there (--begin {instant(last)}, over the API begin={instant(last)}), or ask without "
                       "labels and filters: totals by scope, metric, day and time are kept")


TOTALS = "totals by scope, metric, day and time are kept: ask without labels and filters, or about a later time"
