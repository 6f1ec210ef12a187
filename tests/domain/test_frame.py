from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Column, Frame, digest, merged
from cloudkitty_like.domain.period import Period

HOUR = Period.starting(datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1))
TEXT = st.text(max_size=3)
NAMES = st.sampled_from(["a", "b", "ab", "é"])
QUANTITIES = st.decimals(-10**6, 10**6, places=12)
PRICES = st.one_of(st.none(), QUANTITIES)
thoroughly = settings(max_examples=200, deadline=None)


def frame(rows, groupby=("flavor",), metadata=(), metric="vcpu", unit="h"):
    """A frame of (groupby cells, metadata cells, quantity) rows."""
    return Frame.of_usage(
        metric, unit, HOUR, [Decimal(qty) for _, _, qty in rows],
        {name: [cells[at] for cells, _, _ in rows] for at, name in enumerate(groupby)},
        {name: [cells[at] for _, cells, _ in rows] for at, name in enumerate(metadata)})


def one(cell="m1", qty="1", price=None, **changes):
    """A frame of one row."""
    return frame([((cell,), (), qty)], **changes).with_price([None if price is None else Decimal(price)])


# --- columns ------------------------------------------------------------------------------------

@given(st.lists(TEXT))
def test_a_column_gives_back_its_cells_and_holds_each_text_once(cells):
    for column in (Column.of(cells), Column.of(tuple(cells)), Column.of(iter(cells))):
        assert list(column) == cells
        assert len(column) == len(cells)
        assert sorted(column.values) == sorted(set(cells))


@given(st.lists(st.tuples(TEXT, st.booleans())))
def test_a_column_of_some_rows_holds_no_text_of_the_others(rows):
    column = Column.of(cell for cell, _ in rows).where([kept for _, kept in rows])
    assert column == Column.of(cell for cell, kept in rows if kept)


# --- usage --------------------------------------------------------------------------------------

def test_equal_rows_are_added_up_and_rows_are_sorted():
    made = frame([(("b",), ("x",), "1"), (("a",), ("y",), "0.5"), (("b",), ("x",), "2"), (("a",), ("x",), "4")],
                 metadata=["image"])
    assert list(made.rows()) == [
        (("a",), ("x",), Decimal(4), None), (("a",), ("y",), Decimal("0.5"), None), (("b",), ("x",), Decimal(3), None)]
    assert (len(made), made.unpriced) == (3, 3)


@st.composite
def usages(draw):
    """Names of labels, and rows of few distinct texts, so that many are equal."""
    groupby, metadata = draw(st.lists(NAMES, unique=True)), draw(st.lists(NAMES, unique=True))
    cells = st.sampled_from(["", "a", "b", "ab"])
    row = st.tuples(st.tuples(*[cells] * len(groupby)), st.tuples(*[cells] * len(metadata)), QUANTITIES)
    return groupby, metadata, draw(st.lists(row, max_size=8))


@thoroughly
@given(usages(), st.randoms())
def test_neither_the_order_of_rows_nor_that_of_the_source_matters(usage, random):
    groupby, metadata, rows = usage
    shuffled = random.sample(rows, len(rows))
    one, other = frame(rows, groupby, metadata), frame(shuffled, groupby, metadata)
    assert one == other
    assert digest([one]) == digest([other])


@thoroughly
@given(usages())
def test_no_usage_is_lost_and_no_row_comes_twice(usage):
    groupby, metadata, rows = usage
    expected: dict[object, Decimal] = {}
    for of_group, of_metadata, qty in rows:
        expected[of_group, of_metadata] = expected.get((of_group, of_metadata), Decimal(0)) + qty
    made = list(frame(rows, groupby, metadata).rows())
    assert {row[:2]: row[2] for row in made} == expected
    assert [row[:2] for row in made] == sorted(expected)


def test_quantities_are_rounded_before_they_are_added_up():
    tiny = "0.0000000000006"
    assert frame([(("a",), (), tiny), (("a",), (), tiny)]).qty == (Decimal("0.000000000002"),)


def test_rows_without_labels_are_one():
    assert list(frame([((), (), "1"), ((), (), "2.5")], groupby=[]).rows()) == [((), (), Decimal("3.5"), None)]
    assert list(frame([], groupby=[]).rows()) == []


def test_a_frame_without_rows_keeps_its_label_names():
    made = frame([], ["a"], ["b"])
    assert (len(made), list(made.groupby), list(made.metadata), list(made.rows())) == (0, ["a"], ["b"], [])


def test_a_label_that_splits_and_describes_keeps_the_cells_of_each():
    made = frame([(("one", "x"), ("two",), "1")], ["flavor", "zone"], ["flavor"])
    assert list(made.rows()) == [(("one", "x"), ("two",), Decimal(1), None)]
    assert {name: list(column) for name, column in made.labels.items()} == {"flavor": ["one"], "zone": ["x"]}


@pytest.mark.parametrize(("qty", "groupby", "metadata"), [
    ([], {"a": ["x"]}, {}),
    ([1], {"a": []}, {}),
    ([1], {"a": ["x", "y"]}, {}),
    ([1, 2], {"a": ["x"]}, {}),
    ([1], {"a": ["x"]}, {"b": []}),
    ([1], {"a": ["x"]}, {"b": ["x", "y"]}),
])
def test_columns_of_unequal_length_are_refused(qty, groupby, metadata):
    with pytest.raises(ValueError, match=r"rows|shorter|longer"):
        Frame.of_usage("m", "u", HOUR, map(Decimal, qty), groupby, metadata)


@pytest.mark.parametrize("qty", ["NaN", "sNaN", "Infinity", "-Infinity", "1e15", "-1e15", "1e999999"])
@pytest.mark.parametrize("groupby", [(), ("flavor",)])
def test_what_is_no_quantity_is_invalid(qty, groupby):
    with pytest.raises(Invalid, match="out of range"):
        frame([(("a",), (), "1"), (("b",), (), qty)], groupby)


def test_a_sum_out_of_range_is_invalid():
    with pytest.raises(Invalid, match="out of range"):
        frame([(("a",), (), "6e14"), (("a",), (), "6e14")])


# --- prices and rows ----------------------------------------------------------------------------

def test_prices_are_given_row_by_row():
    made = frame([(("a",), (), "1"), (("b",), (), "2")])
    priced = made.with_price([Decimal("0.3"), None])
    assert replace(priced, price=made.price) == made
    assert (priced.price, priced.unpriced, made.unpriced) == ((Decimal("0.3"), None), 1, 2)
    for wrong in ([], [None], [None] * 3):
        with pytest.raises(ValueError, match="prices for 2 rows"):
            made.with_price(wrong)


def test_numbers_are_kept_as_whole_and_part():
    made = frame([(("a",), (), "-0.3"), (("b",), (), "2.000000000001")]).with_price([None, Decimal("-1.5")])
    assert [list(column) for column in made.fixed_qty] == [[-1, 2], [700_000_000_000, 1]]
    assert [list(column) for column in made.fixed_price] == [[0, -2], [0, 500_000_000_000]]


@thoroughly
@given(st.lists(st.tuples(TEXT, TEXT, QUANTITIES, PRICES, st.booleans()), max_size=6, unique_by=lambda row: row[:2]))
def test_some_rows_of_a_frame_are_what_they_were(rows):
    rows.sort(key=lambda row: row[:2])
    made = frame([((a,), (b,), qty) for a, b, qty, _, _ in rows], ["a"], ["b"]).with_price([row[3] for row in rows])
    mask = [kept for *_, kept in rows]
    some = made.where(mask)
    assert list(some.rows()) == [((a,), (b,), qty, price) for a, b, qty, price, kept in rows if kept]
    assert some.unpriced == [price for *_, price, kept in rows if kept].count(None)
    alone = frame([((a,), (b,), qty) for a, b, qty, _, kept in rows if kept], ["a"], ["b"]).with_price(some.price)
    assert some == alone
    assert digest([some]) == digest([alone])
    for whole in (some.fixed_qty, some.fixed_price):
        assert [len(column) for column in whole] == [sum(mask)] * 2


# --- merged frames ------------------------------------------------------------------------------

def test_c7_two_frames_of_one_metric_add_up():
    one = frame([(("a",), ("x",), "1"), (("b",), ("x",), "2")], metadata=["image"])
    other = frame([(("b",), ("x",), "0.5"), (("b",), ("y",), "4")], metadata=["image"])
    assert list(merged([one, other]).rows()) == [
        (("a",), ("x",), Decimal(1), None), (("b",), ("x",), Decimal("2.5"), None), (("b",), ("y",), Decimal(4), None)]
    assert merged([one]) is one


def test_c7_frames_of_different_units_are_refused():
    for other in (one(unit="GiB"), one(metric="ram")):
        with pytest.raises(Invalid, match="do not add up"):
            merged([one(), other])


def test_a_label_that_a_frame_lacks_is_empty_there():
    one = frame([(("a", "x"), (), "1")], ["flavor", "zone"])
    other = frame([(("a",), ("blue",), "2")], ["flavor"], ["colour"])
    both = merged([one, other])
    assert (list(both.groupby), list(both.metadata)) == (["flavor", "zone"], ["colour"])
    assert list(both.rows()) == [(("a", ""), ("blue",), Decimal(2), None), (("a", "x"), ("",), Decimal(1), None)]


def test_a_label_that_splits_one_frame_splits_all_of_them():
    one, other = frame([(("a",), (), "1")]), frame([((), ("b",), "2")], [], ["flavor"])
    both = merged([one, other])
    assert (list(both.groupby), list(both.metadata)) == (["flavor"], [])
    assert list(both.rows()) == [(("a",), (), Decimal(1), None), (("b",), (), Decimal(2), None)]


def test_a_label_that_splits_and_describes_does_so_in_merged_frames():
    one = frame([(("a",), ("x",), "1")], ["flavor"], ["flavor"])
    assert list(merged([one, one]).rows()) == [(("a",), ("x",), Decimal(2), None)]
    other = frame([(("b",), (), "1")])
    assert list(merged([one, other]).rows()) == [(("a",), ("x",), Decimal(1), None), (("b",), ("b",), Decimal(1), None)]


@thoroughly
@given(usages(), st.data())
def test_frames_of_parts_merge_to_the_frame_of_the_whole(usage, data):
    groupby, metadata, rows = usage
    parts = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    frames = [frame([row for row, part in zip(rows, parts, strict=True) if part == wanted], groupby, metadata)
              for wanted in range(3)]
    assert merged(frames) == frame(rows, groupby, metadata)


# --- digests ------------------------------------------------------------------------------------

CHANGES = {
    "label": one("m2"),
    "longer label": one("m1 "),
    "no label": one(""),
    "quantity": one(qty="1.000000000001"),
    "sign": one(qty="-1"),
    "price": one(price="0.000000000001"),
    "a price of nothing": one(price="0"),
    "unit": one(unit="H"),
    "metric": one(metric="vcpus"),
    "name of a label": one(groupby=["flavour"]),
    "label that describes": frame([((), ("m1",), "1")], (), ("flavor",)),
    "text moved from the unit to the metric": one(metric="vcpuh", unit=""),
    "text moved from the name to the label": one("rm1", groupby=["flavo"]),
    "text moved from the label to the name": one("1", groupby=["flavorm"]),
    "another label": frame([(("m1", ""), (), "1")], ("flavor", "zone")),
    "another row": frame([(("m1",), (), "1"), (("m2",), (), "0")]),
    "none": frame([]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_digest_tells_what_changed(what):
    digests = [digest([made]) for made in (one(), *CHANGES.values())]
    assert digests.count(digest([CHANGES[what]])) == 1
    assert len(digest([one()])) == 16


def rows_of(*cells):
    return frame([(row, (), "1") for row in cells], ("a", "b"))


@pytest.mark.parametrize("frames", [
    [rows_of(("ab", "c"))],
    [rows_of(("abc", ""))],
    [rows_of(("", "abc"))],
    [rows_of(("a", "b"), ("c", ""))],
    [rows_of(("a", ""), ("b", "c"))],
    [frame([(("a",), ("bc",), "1")], ("a",), ("b",))],
    [rows_of(("a", "bc"), ("a", "bc"))],
])
def test_text_that_moved_between_neighbouring_cells_changes_the_digest(frames):
    assert digest(frames) != digest([rows_of(("a", "bc"))])


def test_which_of_the_same_labels_stand_together_changes_the_digest():
    cells = [("a", "x"), ("b", "y")]
    assert len({digest([rows_of(*cells, row)]) for row in (("a", "y"), ("b", "x"))}) == 2


def test_the_order_of_frames_does_not_matter():
    frames = [one(metric=metric, unit=unit) for metric in ("vcpu", "ram") for unit in ("h", "GiB")]
    assert len({digest(some) for some in permutations(frames)}) == 1


def test_a_price_and_none_that_change_places_change_the_digest():
    made = frame([(("a",), (), "1"), (("b",), (), "1")])
    prices = [(None, None), (None, Decimal(0)), (Decimal(0), None), (Decimal(0), Decimal(0))]
    assert len({digest([made.with_price(price)]) for price in prices}) == 4


def test_how_often_a_frame_comes_and_where_its_rows_stand_changes_the_digest():
    frames = [[], [frame([])], [one()], [one(), one()], [one(), frame([])]]
    assert len({digest(some) for some in frames}) == len(frames)


def test_a_surrogate_has_a_digest_too():
    assert digest([one("\ud800")]) != digest([one("\ud801")])


def points(frames):
    """What a digest stands for, spelt out."""
    return sorted((made.metric, made.unit, sorted(made.groupby), sorted(made.metadata),
                   [(*row[:3], row[3] is None, row[3] or money.ZERO) for row in made.rows()]) for made in frames)


@st.composite
def few(draw):
    """Frames of distinct metrics, of so few texts and numbers that two draws are often equal or nearly so."""
    def side():
        return draw(st.sampled_from([(), ("a",), ("a", "b"), ("ab",)]))

    frames = []
    for metric, unit in draw(st.lists(st.sampled_from([("m", "u"), ("mu", ""), ("", "mu")]), max_size=2, unique=True)):
        groupby, metadata = side(), side()
        cells = st.sampled_from(["", "a", "aa"])
        rows = draw(st.lists(st.tuples(st.tuples(*[cells] * len(groupby)), st.tuples(*[cells] * len(metadata)),
                                       st.sampled_from(["0", "1"])), max_size=2))
        made = frame(rows, groupby, metadata, metric, unit)
        frames.append(made.with_price(draw(st.sampled_from([None, Decimal(0), Decimal(1)])) for _ in made.qty))
    return frames


@settings(max_examples=500, deadline=None)
@given(few(), few())
def test_digests_are_equal_where_the_points_are(one, other):
    assert (digest(one) == digest(other)) == (points(one) == points(other))
    assert digest(one) == digest(one[::-1])


@thoroughly
@given(st.lists(st.tuples(TEXT, QUANTITIES), min_size=1, max_size=5, unique_by=lambda row: row[0]), st.data())
def test_any_change_of_a_row_changes_the_digest(rows, data):
    at = data.draw(st.integers(0, len(rows) - 1))
    text, qty = data.draw(st.tuples(TEXT, QUANTITIES))
    changed = [*rows[:at], (text, qty), *rows[at + 1:]]
    before, after = (frame([((cell,), (), number) for cell, number in some]) for some in (rows, changed))
    assert (digest([before]) == digest([after])) == (list(before.rows()) == list(after.rows()))
    unpriced, priced = (before.with_price([price if row == at else None for row in range(len(before))])
                        for price in (None, data.draw(QUANTITIES)))
    assert digest([unpriced]) != digest([priced])
