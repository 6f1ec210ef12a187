"""What every storage is held to: a driver's test file is a fixture under this class.

::

    class TestMine(StorageContract):
        @pytest.fixture
        def storage(self):
            with a_new_and_empty_server() as url:
                yield MyStorage(url)

A driver that writes in the index's own transaction (``shares_transaction``) overrides
:meth:`append` and opens one there.
"""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest

from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.frame import Column, Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, TIME, Query, SummaryRow
from cloudkitty_like.ports import Storage
from cloudkitty_like.testing.points import GREATEST, HOUR, LABELS, NEXT, TOMORROW, addition, by, points, total
from cloudkitty_like.testing.reading import ReadingContract


class StorageContract(ReadingContract):
    """Inherit it and define the fixture ``storage``: one that is empty."""

    labels: ClassVar[Sequence[str]] = LABELS

    def test_what_is_appended_is_added_up(self, storage: Storage) -> None:
        self.append(storage,
                    addition(1, points(({"id": "x"}, "1.5", "3"), ({"id": "y"}, "2", "4"))),
                    addition(2, points(({"id": "x"}, "0.5", "1"), period=NEXT)))
        assert storage.sums(Query(scopes=None)) == [SummaryRow((), total("4", "8", 3))]
        assert storage.sums(by(METRIC)) == [SummaryRow(("cpu",), total("4", "8", 3), "h")]

    def test_nothing_adds_up_to_no_row(self, storage: Storage) -> None:
        assert storage.sums(Query(scopes=None)) == []
        assert storage.sums(by(DAY)) == []
        assert list(storage.frames(Query(scopes=None))) == []

    def test_an_addition_without_points_is_one(self, storage: Storage) -> None:
        self.append(storage)
        self.append(storage, addition(1), addition(2, points(({"id": "x"}, "1", "1")).where([False])))
        assert storage.sums(Query(scopes=None)) == []
        with pytest.raises(Conflict):
            self.append(storage, addition(1))

    def test_c33_a_point_belongs_to_the_window_in_which_its_frame_begins(self, storage: Storage) -> None:
        self.append(storage, *(addition(n, points(({"id": "x"}, str(n), "0"), period=period))
                               for n, period in enumerate((HOUR, NEXT, TOMORROW), 1)))

        def counted(begin: datetime, end: datetime) -> list[Decimal]:
            return [row.sum.qty for row in storage.sums(Query(scopes=None, period=Period(begin, end)))]

        second = timedelta(seconds=1)
        assert counted(HOUR.begin, HOUR.end) == [1]
        assert counted(HOUR.begin, NEXT.end) == [3]
        assert counted(HOUR.begin + second, NEXT.end) == [2]
        assert counted(HOUR.begin, NEXT.begin + second) == [3]
        assert counted(HOUR.begin - second, HOUR.begin) == []
        assert counted(TOMORROW.end, TOMORROW.end + second) == []

    def test_revisions_that_are_excluded_do_not_count(self, storage: Storage) -> None:
        self.append(storage, *(addition(n, points(({"id": "x"}, str(2**n), "1"))) for n in range(1, 7)))
        assert storage.sums(Query(scopes=None), {2, 4, 99}) == [SummaryRow((), total("106", "4", 4))]
        assert storage.sums(Query(scopes=None), range(1, 7)) == []
        assert storage.sums(Query(scopes=None), [3], max_revision=4) == [SummaryRow((), total("22", "3", 3))]
        assert storage.sums(by(TIME), [3],
                            max_revision=4) == [SummaryRow(("2026-11-01T22:00:00Z",), total("22", "3", 3))]
        assert [int(frame.qty[0])
                for _, frame in storage.frames(Query(scopes=None), [1, 2, 5], max_revision=5)] == [8, 16]

    def test_very_many_revisions_can_be_excluded(self, storage: Storage) -> None:
        self.append(storage, *(addition(n, points(({"id": "x"}, "1", "1"))) for n in (1, 2, 300_000, 300_001)))
        assert storage.sums(Query(scopes=None), range(2, 300_001)) == [SummaryRow((), total("2", "2", 2))]
        assert storage.sums(Query(scopes=None), set(range(2, 300_001, 2))) == [SummaryRow((), total("2", "2", 2))]

    def test_a_query_is_restricted_to_scopes(self, storage: Storage) -> None:
        self.append(storage, *(addition(n, points(({"id": "x"}, str(2**n), "1")), scope=scope)
                               for n, scope in enumerate(("one", "two", "One", "one "))))
        assert storage.sums(Query(scopes=frozenset(["one"]))) == [SummaryRow((), total("1", "1"))]
        assert storage.sums(Query(scopes=frozenset(["two", "One", "none"]))) == [SummaryRow((), total("6", "2", 2))]
        assert storage.sums(Query(scopes=frozenset())) == []
        assert [scope for scope, _ in storage.frames(Query(scopes=frozenset(["one ", "One"])))] == ["One", "one "]

    def test_a_query_is_restricted_to_metrics(self, storage: Storage) -> None:
        self.append(storage, addition(1, points(({"id": "x"}, "1", "1")), points(({"id": "x"}, "2", "2"), metric="ram"),
                                      points(({"id": "x"}, "4", "4"), metric="CPU")))
        query = Query(scopes=None, metrics=frozenset(["ram", "CPU", "none"]))
        assert storage.sums(query) == [SummaryRow((), total("6", "6", 2))]
        assert storage.sums(Query(scopes=None, metrics=frozenset())) == []
        assert [frame.metric for _, frame in storage.frames(Query(scopes=None, metrics=frozenset(["cpu"])))] == ["cpu"]

    def test_a_query_is_restricted_to_labels(self, storage: Storage) -> None:
        self.append(storage, addition(1, points(
            ({"id": "x", "flavor": "small", "zone": "north"}, "1", "1"),
            ({"id": "y", "flavor": "large", "zone": "north"}, "2", "2"),
            ({"id": "z", "flavor": "small", "zone": "south"}, "4", "4"), metadata=["zone"])))

        def counted(**filters: set[str]) -> list[Decimal]:
            query = Query(scopes=None, filters={name: frozenset(values) for name, values in filters.items()})
            read = sum(qty for _, frame in storage.frames(query) for qty in frame.qty)
            answered = [row.sum.qty for row in storage.sums(query)]
            assert answered == ([read] if read else [])
            return answered

        assert counted(flavor={"small"}) == [5]
        assert counted(flavor={"small"}, zone={"north"}) == [1]
        assert counted(id={"x", "y", "none"}) == [3]
        assert counted(flavor={"Small"}) == []
        assert counted(nowhere={""}) == [7]
        assert counted(nowhere={"x"}) == []
        assert counted(flavor=set()) == []

    def test_c11_points_that_differ_in_metadata_alone_are_two(self, storage: Storage) -> None:
        frame = points(({"id": "x", "name": "old"}, "1", "1"), ({"id": "x", "name": "new"}, "2", "2"),
                       metadata=["name"])
        self.append(storage, addition(1, frame))
        assert storage.sums(by("id")) == [SummaryRow(("x",), total("3", "3", 2))]
        assert storage.sums(by("name")) == [SummaryRow(("new",), total("2", "2")),
                                            SummaryRow(("old",), total("1", "1"))]

    def test_a_point_twice_in_one_revision_is_refused(self, storage: Storage) -> None:
        with pytest.raises(Invalid):
            self.append(storage, addition(1, points(({"id": "x"}, "1", "1")), points(({"id": "x"}, "2", None))))
        assert storage.sums(Query(scopes=None)) == []

    def test_every_grouping(self, storage: Storage) -> None:
        self.append(
            storage,
            addition(1, points(({"id": "x", "flavor": "small"}, "1", "10"),
                               ({"id": "y", "flavor": "large"}, "2", "20"))),
            addition(2, points(({"id": "x", "flavor": "large"}, "4", "40"), period=NEXT),
                     points(({"disk": "d"}, "8", "80"), metric="volume", unit="GiB", period=NEXT)),
            addition(3, points(({"id": "z", "flavor": "small"}, "16", "160"), period=TOMORROW), scope="two"))

        def answer(*groupby: str) -> dict[tuple[str, ...], int]:
            rows = storage.sums(by(*groupby))
            assert [row.key for row in rows] == sorted(row.key for row in rows)
            return {row.key: int(row.sum.price) for row in rows}

        assert answer(SCOPE) == {("one",): 150, ("two",): 160}
        assert answer(METRIC) == {("cpu",): 230, ("volume",): 80}
        assert answer(DAY) == {("2026-11-01",): 150, ("2026-11-02",): 160}
        assert answer(TIME) == {("2026-11-01T22:00:00Z",): 30, ("2026-11-01T23:00:00Z",): 120,
                                ("2026-11-02T00:00:00Z",): 160}
        assert answer("flavor") == {("",): 80, ("large",): 60, ("small",): 170}
        assert answer("id", "flavor") == {("", ""): 80, ("x", "large"): 40, ("x", "small"): 10, ("y", "large"): 20,
                                          ("z", "small"): 160}
        assert answer("flavor", DAY, SCOPE) == {("", "2026-11-01", "one"): 80, ("large", "2026-11-01", "one"): 60,
                                                ("small", "2026-11-01", "one"): 10, ("small", "2026-11-02", "two"): 160}
        assert answer(TIME, METRIC, DAY)["2026-11-01T23:00:00Z", "volume", "2026-11-01"] == 80
        assert answer("nowhere") == {("",): 310}

    def test_quantities_of_different_units_are_not_added(self, storage: Storage) -> None:
        self.append(storage, addition(1, points(({"id": "x"}, "1", "1")), points(({"id": "x"}, "2", "2"), unit="GiB"),
                                      points(({"id": "y"}, "4", None), unit="GiB")))
        assert storage.sums(by(METRIC)) == [SummaryRow(("cpu",), total("6", "2", 2, 1), "GiB"),
                                            SummaryRow(("cpu",), total("1", "1"), "h")]
        assert storage.sums(Query(scopes=None)) == [SummaryRow((), total("0", "3", 3, 1))]
        assert storage.sums(by("id")) == [SummaryRow(("x",), total("0", "3", 2)),
                                          SummaryRow(("y",), total("4", "0", 1, 1))]

    def test_points_without_a_price_are_counted_apart(self, storage: Storage) -> None:
        frame = points(({"id": "x"}, "1", "0"), ({"id": "y"}, "2", None), ({"id": "z"}, "3", "5"))
        self.append(storage, addition(1, frame))
        assert storage.sums(Query(scopes=None)) == [SummaryRow((), total("6", "5", 3, 1))]
        assert storage.sums(by("id"))[1] == SummaryRow(("y",), total("2", "0", 1, 1))

    def test_c10_sums_are_exact(self, storage: Storage) -> None:
        cells = [("0.000000000001", "0.1"), (GREATEST, f"-{GREATEST}"), (f"-{GREATEST}", "-0.000000000001"),
                 ("-0.3", GREATEST), ("-0.7", "0.2"), ("123456789012345.123456789012", "0.3")]
        self.append(storage, *(addition(n, points(({"id": "x"}, *cell))) for n, cell in enumerate(cells)))
        qty, price = ("123456789012344.123456789013", "0.599999999999")
        for query in (Query(scopes=None), by("id"), by(DAY), by(TIME, METRIC)):
            assert [(row.sum.qty, row.sum.price) for row in storage.sums(query)] == [(Decimal(qty), Decimal(price))]

    def test_c10_sums_have_room_above_the_greatest_point(self, storage: Storage) -> None:
        self.append(storage, *(addition(n, points(({"id": "x"}, GREATEST, f"-{GREATEST}"))) for n in range(1, 301)))
        sums = storage.sums(Query(scopes=None))[0].sum
        assert (sums.qty, sums.price) == (300 * Decimal(GREATEST), -300 * Decimal(GREATEST))

    def test_what_was_collected_is_kept_and_never_counted(self, storage: Storage) -> None:
        collected = [points(({"id": "x"}, "9", None), ({"id": "y"}, "1", None)),
                     points(({"id": "z"}, "2", None), metric="ram")]
        self.append(storage, addition(1, points(({"id": "x"}, "10", "1")), collected=collected),
                    addition(2, points(({"id": "x"}, "20", "1"))), addition(3, collected=[]))
        assert storage.collected(1) == collected
        assert storage.collected(2) is None
        assert storage.collected(3) == []
        assert storage.collected(4) is None
        assert storage.all_collected([4, 3, 2, 1]) == {1: collected, 3: []}
        assert storage.all_collected([]) == {}
        for query in (Query(scopes=None), by("id"), by(DAY)):
            assert [row.sum for row in storage.sums(query)] == [total("30", "2", 2)]
        assert [int(frame.qty[0]) for _, frame in storage.frames(Query(scopes=None))] == [10, 20]

    def test_c4_a_revision_is_stored_once(self, storage: Storage) -> None:
        self.append(storage, addition(1, points(({"id": "x"}, "1", "1"))))
        for again in (addition(1, points(({"id": "x"}, "1", "1"))), addition(1, points(({"id": "y"}, "2", "2")))):
            with pytest.raises(Conflict):
                self.append(storage, addition(2, points(({"id": "x"}, "4", "4"))), again)
        assert storage.sums(Query(scopes=None)) == [SummaryRow((), total("1", "1"))]

    def test_c5_all_is_stored_or_nothing_and_what_was_refused_can_be_stored_later(self, storage: Storage) -> None:
        twice = [points(({"id": "new"}, "1", "1")), points(({"id": "new"}, "2", "2"))]
        with pytest.raises(Invalid):
            self.append(storage, addition(1, points(({"id": "first"}, "1", "1"))), addition(2, *twice))
        assert storage.sums(Query(scopes=None)) == []
        self.append(storage, addition(1, points(({"id": "other"}, "4", "4"))))
        self.append(storage, addition(2, points(({"id": "first"}, "8", "8"))),
                    addition(3, points(({"id": "new"}, "1", "1"))))
        quantities = {row.key: row.sum.qty for row in storage.sums(by("id"))}
        assert quantities == {("first",): 8, ("new",): 1, ("other",): 4}

    def test_purged_revisions_are_gone(self, storage: Storage) -> None:
        for revision in (1, 2, 3):
            frame = points(({"id": "x"}, str(revision), "1"))
            self.append(storage, addition(revision, frame, collected=[frame]))
        storage.purge([1, 3, 99])
        storage.purge([])
        assert storage.sums(Query(scopes=None)) == [SummaryRow((), total("2", "1"))]
        assert (storage.collected(1), storage.collected(2) is None) == (None, False)
        storage.purge(range(1, 1001))
        assert list(storage.frames(Query(scopes=None))) == []

    def test_labels_are_told_apart(self, storage: Storage) -> None:
        frame = points(*(({"id": label}, str(n + 1), "1") for n, label in enumerate(self.labels)))
        self.append(storage, addition(1, frame))
        self.append(storage, addition(2, frame))
        expected = {(label,): Decimal(2 * n + 2) for n, label in enumerate(self.labels)}
        assert {row.key: row.sum.qty for row in storage.sums(by("id"))} == expected
        assert [read for _, read in storage.frames(Query(scopes=None))] == [frame, frame]
        for label in self.labels:
            rows = storage.sums(Query(scopes=None, filters={"id": frozenset([label])}))
            assert [row.sum.qty for row in rows] == [expected[label,]]

    def test_names_are_told_apart(self, storage: Storage) -> None:
        labels = [label for label in self.labels if 0 < len(label) < 200]
        for n, name in enumerate(labels):
            frame = points(({name: "x"}, "1", "1"), metric=name, unit=name[:60])
            self.append(storage, addition(n, frame, scope=name))
        rows = storage.sums(by(SCOPE, METRIC))
        assert [(row.key, row.unit) for row in rows] == sorted(((name, name), name[:60]) for name in labels)
        assert all(dict(frame.groupby).keys() == {scope} for scope, frame in storage.frames(Query(scopes=None)))

    def test_a_groupby_label_hides_a_metadata_label_of_its_name(self, storage: Storage) -> None:
        frame = Frame("cpu", "h", HOUR, (Decimal("1.000000000000"),), (None,),
                      {"id": Column.of(["split"])}, {"id": Column.of(["described"])})
        self.append(storage, addition(1, frame))
        assert [row.key for row in storage.sums(by("id"))] == [("split",)]
        assert [read for _, read in storage.frames(Query(scopes=None))] == [frame]

    def test_the_same_labels_are_the_same_group_whatever_their_order(self, storage: Storage) -> None:
        self.append(storage, addition(1, points(({"id": "x", "zone": "n"}, "1", "1"))),
                    addition(2, points(({"zone": "n", "id": "x"}, "2", "2"))),
                    addition(3, points(({"zone": "n", "id": "x"}, "4", "4"), metadata=["zone"])))
        assert storage.sums(by("id", "zone")) == [SummaryRow(("x", "n"), total("7", "7", 3))]
