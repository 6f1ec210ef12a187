"""Which labels the points of a metric have, read from the newest series and from few others."""
from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from cloudkitty_like.db.tables import series
from cloudkitty_like.ports import LabelUse

NEWEST = 10_000        # series that are looked at
CANDIDATES = 100       # older ones, for a label that none of those has

Used = dict[str, set[str]]
"""By metric the labels that a series has a value of."""


def read(tx: Connection, wanted: Mapping[str, Collection[str]]) -> dict[str, LabelUse]:
    """Tell which of the wanted labels no series has a value of, by metric; see the port.

    A label that the newest series lack is looked for among all of them: only
    what none has is unused.
    """
    names: Used = {}
    filled: Used = {}
    newest = (select(series.c.metric, series.c.groupby, series.c.metadata)
              .order_by(series.c.id.desc()).limit(NEWEST))
    for metric, *documents in tx.execute(newest):
        if metric in wanted:
            _note(documents, names.setdefault(metric, set()), filled.setdefault(metric, set()))
    use = {}
    for metric, labels in wanted.items():
        if metric not in names and not _has_series(tx, metric):
            continue
        unused = {label for label in labels if label not in filled.get(metric, ()) and not _filled(tx, metric, label)}
        use[metric] = LabelUse(frozenset(names.get(metric, ())), frozenset(unused))
    return use


def _note(documents: Collection[str], names: set[str], filled: set[str]) -> None:
    for document in documents:
        for name, value in json.loads(document).items():
            names.add(name)
            if value:
                filled.add(name)


def _has_series(tx: Connection, metric: str) -> bool:
    return tx.execute(select(series.c.id).where(series.c.metric == metric).limit(1)).first() is not None


def _filled(tx: Connection, metric: str, label: str) -> bool:
    """Whether any series of the metric has a value of the label."""
    # Interning writes a member as "name": "value", with every quote inside of a text behind a backslash.
    member = f"{json.dumps(label)}: \""
    for column in (series.c.groupby, series.c.metadata):
        rows = tx.execute(
            select(column).where(series.c.metric == metric, column.contains(member, autoescape=True),
                                 ~column.contains(f'{member}"', autoescape=True)).limit(CANDIDATES))
        # LIKE may not tell letter cases apart.
        if any(json.loads(document).get(label) for document in rows.scalars()):
            return True
    return False
