"""What reading frames from a storage is held to: the part of its contract in which order matters."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.ports import Addition, Storage
from cloudkitty_like.testing.points import GREATEST, HOUR, NEXT, TOMORROW, addition, points


class ReadingContract:
    """Frames come back as they were stored, in their order, from wherever one starts."""

    def append(self, storage: Storage, *additions: Addition) -> None:
        storage.append(additions)

    def test_frames_come_back_as_they_were_stored(self, storage: Storage) -> None:
        frames = [
            points(({"zone": "north", "id": "x"}, "1.000000000001", None),
                   ({"zone": "north", "id": "y"}, GREATEST, "-0.3"), ({"zone": "", "id": "y"}, "-7", "0"),
                   metadata=["id"]),
            points(({}, "1", "2"), metric="nothing but a number"),
            points(({"only": "described"}, "1", "2"), metric="volume", metadata=["only"]),
        ]
        self.append(storage, addition(1, *frames, scope="two"), addition(2, frames[0], scope="one"))
        assert list(storage.frames(Query(scopes=None))) == [("one", frames[0]), *(("two", frame) for frame in frames)]
        read = next(frame for _, frame in storage.frames(Query(scopes=None)))
        assert [(list(frame.groupby), list(frame.metadata)) for frame in (read, frames[0])] == [(["zone"], ["id"])] * 2
        assert [(str(qty), str(price)) for qty, price in zip(read.qty, read.price, strict=True)] == [
            (str(qty), str(price)) for qty, price in zip(frames[0].qty, frames[0].price, strict=True)]

    def test_frames_come_in_the_order_of_time_scope_and_metric(self, storage: Storage) -> None:
        keys = [(period, scope, metric) for period in (HOUR, NEXT)
                for scope in ("B", "a", "á") for metric in ("CPU", "cpu")]
        for revision, (period, scope, metric) in enumerate(reversed(keys), 1):
            self.append(storage, addition(revision, points(({"id": "x"}, "1", "1"), metric=metric, period=period),
                                          scope=scope))
        assert [(frame.period, scope, frame.metric) for scope, frame in storage.frames(Query(scopes=None))] == keys
        assert [scope for scope, _ in storage.frames(Query(scopes=None, period=NEXT))] == ["B", "B", "a", "a", "á", "á"]

    def test_frames_are_read_from_a_begin_and_scope_on(self, storage: Storage) -> None:
        places = [(period, scope) for period in (HOUR, NEXT, TOMORROW) for scope in ("B", "a", "á")]
        for revision, (period, scope) in enumerate(places, 1):
            self.append(storage, addition(revision, points(({"id": "x"}, "1", "1"), period=period), scope=scope))

        def read(when: datetime, scope: str, **query: Any) -> list[tuple[Period, str]]:
            selection = Query(**{"scopes": None, "after": (when, scope), **query})
            return [(frame.period, scope) for scope, frame in storage.frames(selection)]

        for number, (period, scope) in enumerate(places):
            assert read(period.begin, scope) == places[number:]
            assert read(period.begin, scope + "!") == places[number + 1:]
        assert read(NEXT.begin, "") == places[3:]
        assert read(NEXT.begin + timedelta(seconds=1), "") == places[6:]
        assert read(NEXT.begin, "a", period=NEXT) == places[4:6]
        assert read(NEXT.begin, "a", scopes=frozenset({"B"})) == [(TOMORROW, "B")]
        assert read(TOMORROW.end, "") == []
        assert storage.sums(Query(scopes=None, after=(TOMORROW.end, ""))) == storage.sums(Query(scopes=None))

    def test_reading_may_stop_and_start_again(self, storage: Storage) -> None:
        for revision in range(1, 4):
            self.append(storage, addition(revision, points(({"id": "x"}, str(revision), "1"))))
        for _ in range(3):
            reading = storage.frames(Query(scopes=None))
            assert next(reading)[1].qty[0] == 1
        self.append(storage, addition(4, points(({"id": "x"}, "4", "1"))))
        assert len(list(storage.frames(Query(scopes=None)))) == 4

    def test_usage_is_what_was_rated_without_prices_in_the_order_of_frames(self, storage: Storage) -> None:
        collected = [points(({"id": "x"}, "9", None), ({"id": "y"}, "-1.000000000001", None)),
                     points(({"id": "z"}, GREATEST, None), metric="ram")]
        plain = [points(({"id": "b", "zone": ""}, "2", "1"), ({"id": "a", "zone": "n"}, "0", None), metadata=["zone"]),
                 points(({}, "1", "2"), metric="bare", unit="GiB")]
        again = [points(({"id": "b", "zone": ""}, "3", "1"), ({"id": "a", "zone": "n"}, "4", "0"), metadata=["zone"],
                        period=NEXT)]
        self.append(storage, addition(1, points(({"id": "x"}, "10", "1")), scope="one", collected=collected),
                    addition(2, *plain, scope="two"), addition(3, *again, scope="two"),
                    addition(4, points(({"id": "gone"}, "1", "1")), scope="two"), addition(5, scope="one",
                                                                                          collected=[]))

        def unpriced(*frames: Frame) -> list[Frame]:
            return [frame.with_price([None] * len(frame)) for frame in frames]

        expected = [*(("one", frame) for frame in unpriced(*collected)),
                    *(("two", frame) for frame in unpriced(plain[1], plain[0], *again))]
        assert list(storage.usage(Query(scopes=None), [4])) == expected
        assert list(storage.usage(Query(scopes=None), max_revision=3)) == expected
        read = [frame for _, frame in storage.usage(Query(scopes=None), [4])]
        assert [(list(frame.groupby), list(frame.metadata), str(frame.qty[0])) for frame in read] == [
            (list(frame.groupby), list(frame.metadata), str(frame.qty[0])) for _, frame in expected]
        narrow = Query(scopes=frozenset({"two"}), period=HOUR, metrics=frozenset({"bare"}),
                       filters={"id": frozenset({"b"})})
        assert list(storage.usage(narrow, [4])) == expected[2:4]
        assert list(storage.usage(Query(scopes=None, after=(NEXT.begin, "one")), [4])) == expected[4:]

    def test_usage_of_many_periods_is_each_periods_own(self, storage: Storage) -> None:
        period, frames = HOUR, []
        for number in range(60):
            ids = [f"{(number % 7) * n}" for n in range(1 + number % 5)]
            frames.append(points(*(({"id": identity}, str(number + 1), "1")
                                   for identity in dict.fromkeys(ids)), period=period,
                                 metric="cpu" if number % 3 else "ram"))
            self.append(storage, addition(number, frames[-1]))
            period = period.next()
        assert [frame for _, frame in storage.usage(Query(scopes=None))] == [
            frame.with_price([None] * len(frame)) for frame in frames]
