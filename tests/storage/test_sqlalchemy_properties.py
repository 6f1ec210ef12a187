"""Whatever is stored and whatever is asked: SQL answers what the storage in memory answers, to the last digit."""
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from cloudkitty_like.db.tables import appended, point
from cloudkitty_like.domain import money
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.query import Query, Sum
from cloudkitty_like.ports import Addition
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.memory import MemoryStorage
from cloudkitty_like.testing.points import HOUR, points
from tests.databases import new_database

NAMES = ("scope", "metric", "day", "time", "id", "flavor", "nowhere")
SCOPES, METRICS, VALUES = ("one", "One", "two "), ("cpu", "ram"), ("", "x", "X", "x ")

amounts = st.integers(-10**27 + 1, 10**27 - 1).map(lambda number: str(Decimal(number).scaleb(-12, money.CONTEXT)))
cells = st.tuples(
    st.fixed_dictionaries({"id": st.sampled_from(VALUES), "flavor": st.sampled_from(VALUES)}),
    amounts, st.none() | amounts)
rows = st.lists(cells, min_size=1, max_size=5, unique_by=lambda cell: (cell[0]["id"], cell[0]["flavor"]))
periods = st.integers(-1, 3).map(lambda n: Period.starting(HOUR.begin + n * timedelta(hours=1), timedelta(hours=1)))


@st.composite
def additions(draw):
    revisions = draw(st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True))
    made = []
    for revision in revisions:
        period = draw(periods)
        metrics = draw(st.lists(st.sampled_from(METRICS), unique=True))
        metadata = draw(st.sampled_from([(), ("flavor",), ("id", "flavor")]))
        frames = [points(*draw(rows), metric=metric, unit=draw(st.sampled_from(["h", "GiB"])), period=period,
                         metadata=metadata) for metric in metrics]
        collected = frames[:1] if draw(st.booleans()) else None
        made.append(Addition(revision, draw(st.sampled_from(SCOPES)), period, frames, collected))
    return made


@st.composite
def queries(draw):
    def some(values):
        return draw(st.none() | st.frozensets(st.sampled_from(values)))

    window = draw(st.none() | periods)
    if window is not None:
        window = replace(window, end=window.end + draw(st.integers(0, 3)) * window.length)
    names = draw(st.lists(st.sampled_from(["id", "flavor", "nowhere"]), unique=True, max_size=2))
    filters = {name: draw(st.frozensets(st.sampled_from(VALUES))) for name in names}
    grouping = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    return Query(period=window, scopes=some(SCOPES), metrics=some(METRICS), filters=filters, groupby=tuple(grouping))


hidden = st.frozensets(st.integers(1, 61)) | st.integers(1, 60).map(lambda first: range(first, 500))
bounds = st.none() | st.integers(0, 60)


def from_frames(storage, query, excluded, max_revision):
    """The sums by key and unit, added up from what frames() answers, row by row."""
    sums = defaultdict(Sum)
    for scope, frame in storage.frames(query, excluded, max_revision):
        begin = instant(frame.period.begin)
        fixed = {"scope": scope, "metric": frame.metric, "day": begin[:10], "time": begin}
        for groupby, metadata, qty, price in frame.rows():
            labels = dict(zip([*frame.groupby, *frame.metadata], [*groupby, *metadata], strict=True)) | fixed
            key = tuple(labels.get(name, "") for name in query.groupby)
            sums[key, frame.unit] += Sum(qty, money.ZERO if price is None else price, 1, int(price is None))
    return sums


def check(storage, stored, query, excluded, max_revision):
    memory = MemoryStorage()
    memory.append(stored)
    answer = storage.sums(query, excluded, max_revision)
    assert answer == memory.sums(query, excluded, max_revision)
    assert list(storage.frames(query, excluded, max_revision)) == list(memory.frames(query, excluded, max_revision))
    by_metric = replace(query, groupby=(*query.groupby, "metric"))
    added = from_frames(storage, by_metric, excluded, max_revision)
    assert {(row.key, row.unit): row.sum for row in storage.sums(by_metric, excluded, max_revision)} == added
    with money.arithmetic():
        assert sum((row.sum.price for row in answer), money.ZERO) == sum(
            (one.price for one in added.values()), money.ZERO)
    for one in stored:
        assert storage.collected(one.revision) == memory.collected(one.revision)


def emptied(database):
    with database.write() as tx:
        tx.execute(delete(point))
        tx.execute(delete(appended))


def held(kind, examples):
    with new_database(kind) as database:
        storage = SqlalchemyStorage(database, shares_transaction=True)

        @settings(max_examples=examples, deadline=None)
        @given(additions(), queries(), hidden, bounds)
        def property_(stored, query, excluded, max_revision):
            emptied(database)
            with database.write() as tx:
                storage.append(stored, tx)
            check(storage, stored, query, excluded, max_revision)

        property_()


def test_sums_frames_and_memory_agree_on_sqlite():
    held("sqlite", 250)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_sums_frames_and_memory_agree_on_the_servers(kind):
    held(kind, 50)
