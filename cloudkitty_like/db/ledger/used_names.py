"""Names that usage has had: of metrics, in the ledger's index."""
from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from cloudkitty_like.db.ledger.writes import COLLECTED
from cloudkitty_like.db.tables import frame, month_total, total


def metrics(tx: Connection) -> set[str]:
    """Every metric of which anything counts, whoever it is from."""
    return set(tx.execute(select(month_total.c.metric).distinct()).scalars())


def handed_in(tx: Connection, among: Collection[str]) -> set[str]:
    """Those of these metrics of which points count that no collector has read: posted or imported ones."""
    if not among:
        return set()
    query = (select(total.c.metric).distinct().join(frame, frame.c.revision == total.c.revision)
             .where(frame.c.origin != COLLECTED, frame.c.current == 1, total.c.metric.in_(among)))
    return set(tx.execute(query).scalars())
