"""Which labels the points of a metric have: read from the newest series, and of all only what those leave open."""
from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.tables import series
from cloudkitty_like.ports import LabelUse

NEWEST = 10_000        # series that are looked at first
CANDIDATES = 1_000     # of all others, at a time
TOGETHER = 100         # labels in one question: databases limit how deep a condition is

LabelsByMetric = dict[str, set[str]]
"""By metric."""


def read(tx: Connection, wanted: Mapping[str, Collection[str]]) -> dict[str, LabelUse]:
    """Tell which of the wanted labels no series has a value of, by metric; see the port.

    Where the newest series leave anything open, all of them are scanned: once
    for metrics that those lack, and once for labels, unless many series have one.
    """
    names: LabelsByMetric = {}
    filled: LabelsByMetric = {}
    newest = (select(series.c.metric, series.c.groupby, series.c.metadata)
              .order_by(series.c.id.desc()).limit(NEWEST))
    for metric, *documents in tx.execute(newest):
        if metric in wanted:
            _note(documents, names.setdefault(metric, set()), filled.setdefault(metric, set()))
    present = names.keys() | _with_series(tx, wanted.keys() - names.keys())
    unused = {metric: {*wanted[metric]} - filled.get(metric, set()) for metric in present}
    _find(tx, unused)
    return {metric: LabelUse(frozenset(names.get(metric, ())), frozenset(labels)) for metric, labels in unused.items()}


def _note(documents: Iterable[str], names: set[str], filled: set[str]) -> None:
    for document in documents:
        for name, value in json.loads(document).items():
            names.add(name)
            if value:
                filled.add(name)


def _with_series(tx: Connection, metrics: Collection[str]) -> set[str]:
    if not metrics:
        return set()
    return set(tx.execute(select(series.c.metric).where(series.c.metric.in_(metrics)).distinct()).scalars())


def _find(tx: Connection, unused: LabelsByMetric) -> None:
    """Take from these labels all that any series has a value of."""
    pairs = [(metric, label) for metric, labels in unused.items() for label in sorted(labels)]
    for chunk in chunks(pairs, TOGETHER):
        _find_among(tx, chunk, unused)


def _find_among(tx: Connection, pairs: Sequence[tuple[str, str]], unused: LabelsByMetric) -> None:
    while left := [(metric, label) for metric, label in pairs if label in unused[metric]]:
        rows = tx.execute(select(series.c.metric, series.c.groupby, series.c.metadata)
                          .where(or_(*(_has_value(*pair) for pair in left))).limit(CANDIDATES)).all()
        for metric, *documents in rows:
            filled: set[str] = set()
            _note(documents, set(), filled)
            unused[metric] -= filled
        # LIKE may take one letter case for the other: then nothing was found, and nothing will be.
        if len(rows) < CANDIDATES or all(label in unused[metric] for metric, label in left):
            return


def _has_value(metric: str, label: str) -> ColumnElement[bool]:
    """Whether a series is of the metric and has a value of the label, letter case aside."""
    # Interning writes a member as "name": "value", with every quote inside of a text behind a backslash.
    member = f"{json.dumps(label)}: \""
    return and_(series.c.metric == metric, or_(*(
        and_(column.contains(member, autoescape=True), ~column.contains(f'{member}"', autoescape=True))
        for column in (series.c.groupby, series.c.metadata))))
