"""Which labels points have, on every database, however they are spelled."""
from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.ports import Addition
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage, label_use
from cloudkitty_like.testing.points import HOUR


def points(revision, metric, rows, metadata=()):
    frame = Frame.of_usage(metric, "u", HOUR, [Decimal(1)] * len(rows),
                           {name: [row.get(name, "") for row in rows] for name in rows[0] if name not in metadata},
                           {name: [row.get(name, "") for row in rows] for name in metadata})
    return Addition(revision, "alice", HOUR, [frame])


@pytest.fixture
def storage(database):
    made = SqlalchemyStorage(database, shares_transaction=True)
    made.append([
        points(1, "m", [{"id": "1", "flavor": "", "a_b": "x", 'odd"\\%: "': "", "image": "i"},
                        {"id": "2", "flavor": "", "a_b": "", 'odd"\\%: "': '", "size": "9', "image": ""}], ("image",)),
        points(2, "other", [{"id": "3", "flavor": "small"}])])
    return made


@pytest.mark.parametrize("newest", [10_000, 1])
def test_i8_m4_a_label_is_unused_only_where_no_series_has_a_value(storage, newest):
    wanted = ["id", "flavor", "a_b", 'odd"\\%: "', "image", "size", "Image", "aXb", ""]
    before, label_use.NEWEST = label_use.NEWEST, newest
    try:
        use = storage.labels_in_use({"m": wanted, "other": ["flavor", "image"], "nothing": ["id"]})
    finally:
        label_use.NEWEST = before
    assert use["m"].unused == {"flavor", "size", "Image", "aXb", ""}
    assert use["other"].unused == {"image"}
    assert use.keys() == {"m", "other"}
    if newest > 1:
        assert use["m"].names == {"id", "flavor", "a_b", 'odd"\\%: "', "image"}


def test_i8_m4_any_number_of_labels_may_be_asked_about(storage):
    wanted = [f"label {number}" for number in range(1500)]
    assert storage.labels_in_use({"m": [*wanted, "id"]})["m"].unused == {*wanted}


def test_i8_m4_nothing_is_known_of_no_points(database):
    assert SqlalchemyStorage(database, shares_transaction=True).labels_in_use({"m": ["a"]}) == {}
