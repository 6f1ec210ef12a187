"""Every price is told apart into what made it, and the parts are the whole; also of what is no longer current."""
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.explanation import EXACT, HALF, total
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.domain.query import Query
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.testing.databases import KINDS
from tests.books import HOUR, at
from tests.databases import new_database
from tests.ratings import Ratings, flat, used

D = Decimal
ALL = Query(scopes=None)
THIRD = "0.333333333333333"


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield Ratings(database)


@pytest.fixture
def quick(sqlite):
    return Ratings(sqlite)


def whole(one):
    """All that a price is said to be made of."""
    with localcontext(EXACT):
        return total(one.parts) + one.rounding + one.difference


def everything(books, query=ALL, limit=100):
    found, after = [], None
    while True:
        page = books.explaining.page(query, limit=limit, after=after)
        found += page.points
        after = page.next
        if after is None:
            assert page.total == len(found)
            return found


def checked(points):
    for one in points:
        assert whole(one) == (one.point.price or 0)
        assert abs(one.rounding) <= HALF
    return points


def test_a_price_is_its_parts_and_its_rounding(books):
    books.rules(flat(THIRD, field="flavor", value="m1", name="small"),
                flat("1.5", field="image", value="i", type="rate"),
                flat("0.25", group="support", name="support"), author="ann")
    books.rate("alice", 0, used(0, ("2.000000000001", "m1", "i"), ("3", "m1", "j"), ("1", "huge", "j")))
    points = checked(everything(books))
    assert [(one.point.qty, one.point.labels, len(one.parts)) for one in points] == [
        (1, {"flavor": "huge", "image": "j"}, 1), (D("2.000000000001"), {"flavor": "m1", "image": "i"}, 3),
        (3, {"flavor": "m1", "image": "j"}, 2)]
    one = points[1]
    assert one.reproduced
    assert one.rounding == D("2.510000000000005E-13")
    assert [part.what for part in one.parts] == [
        f"mapping flavor=m1: {THIRD} x 2.000000000001 h",
        "mapping image=i: 0.666666666666999333333333333 x 1.5",
        "mapping compute in group support: 0.25 x 2.000000000001 h"]
    (known,) = {one.rules[part.module, part.rule] for part in one.parts if part.what.startswith("mapping flavor")}
    assert (known.name, known.kind, known.version, known.author, known.reason) == (
        "small", "mapping", 1, "ann", "because")
    basis = one.basis
    assert (basis.ruleset.version, basis.ruleset.software, basis.modules) == (1, "1", ("hashmap",))
    assert basis.ruleset.metrics == books.metrics.digest


def test_c51_what_is_unpriced_has_no_parts_and_what_is_free_has(quick):
    quick.rules(flat("0", field="flavor", value="free"))
    quick.rate("alice", 0, used(0, ("2", "free", ""), ("2", "other", "")))
    free, other = checked(everything(quick))
    assert (free.point.price, [part.amount for part in free.parts]) == (0, [0])
    assert (other.point.price, other.parts, other.reproduced) == (None, (), True)


def test_c17_c19_an_old_revision_is_explained_by_the_rules_that_made_it(books):
    books.rules(flat("1", name="cheap"), author="ann")
    books.rate("alice", 0, used(0, ("2", "m1", "")))
    first = books.changes()
    books.rules(flat("5", name="dear"), author="bob")
    books.rate("alice", 0, used(0, ("2", "m1", "")))
    books.rules()
    for as_of, price, author, version, name in ((None, 10, "bob", 2, "dear"), (first, 2, "ann", 1, "cheap")):
        (one,) = checked(everything(books, replace(ALL, as_of=as_of)))
        assert (one.point.price, one.reproduced, one.parts[0].amount) == (price, True, price)
        known = one.rules["hashmap", one.parts[0].rule]
        assert (known.author, known.version, known.name) == (author, version, name)


def test_a_price_that_the_rules_no_longer_come_to_is_told_with_the_difference(quick):
    quick.rules(flat("1"))
    quick.rate("alice", 0, used(0, ("2", "m1", "")))
    state = quick.state("alice")
    quick.back_to(state, at(0).begin)
    frame = used(0, ("2", "m1", "")).with_price([D("7.000000000000")])
    quick.ledger.record([RatedPeriod(quick.state("alice"), at(0), (frame,))], 1)
    (one,) = everything(quick)
    assert (whole(one), one.reproduced, one.difference, total(one.parts), one.rounding) == (7, False, 5, 2, 0)


def test_a_period_whose_rule_set_version_is_not_known_says_so(quick):
    quick.scope("alice", at(0).begin)
    frame = used(0, ("2", "m1", "")).with_price([D("7.000000000000")])
    quick.ledger.record([RatedPeriod(quick.state("alice"), at(0), (frame,))], 77)
    (one,) = everything(quick)
    assert (one.parts, one.difference, one.reproduced) == ((), 7, False)
    assert one.basis.problem == "there is no rule-set version 77"


def post(books, number, flavor, price="3", scope="alice"):
    PointIngest(books.database, books.storage, lambda: books.now, "project_id", HOUR).post(
        [PostedPoint(at(number), "compute", "h", D(2), D(price), {"project_id": scope, "flavor": flavor},
                     {"image": ""})], "somebody")


def test_posted_points_are_one_part_with_who_posted_them(books):
    books.rules(flat("1"))
    books.rate("alice", 0, used(0, ("2", "m1", ""), ("4", "m2", "")))
    post(books, 0, "m1")
    post(books, 0, "m9", "-1")
    points = checked(everything(books))
    assert [(one.basis.revision.origin, one.point.price, one.parts[0].what) for one in points] == [
        ("collected", 2, "mapping compute: 1 x 2 h"), ("collected", 4, "mapping compute: 1 x 4 h"),
        ("posted", 3, "posted by somebody"), ("posted", -1, "posted by somebody")]
    for limit in (1, 2, 3):
        assert everything(books, limit=limit) == points


@pytest.mark.slow
def test_pages_put_together_are_the_whole_however_they_are_asked_for(books):
    books.rules(flat("1"), flat("2", service="disk"))
    for name in ("B", "a", "á"):
        for number in range(3):
            books.rate(name, number, used(number, ("2", "m1", ""), ("3", "m2", "i")),
                       used(number, ("1", "m1", ""), metric="disk", unit="GiB"))
        post(books, 1, "m1", scope=name)
    points = checked(everything(books))
    assert len(points) == 30
    listed = [(one.point, one.basis) for one in points]
    assert [point for point, _ in listed] == [
        point for _, frame in books.summary.frames(ALL) for row in range(len(frame))
        for point in [type(points[0].point).of(frame, row)]]
    for limit in (1, 4, 7, 30):
        assert [(one.point, one.basis) for one in everything(books, limit=limit)] == listed
        offsets = [books.explaining.page(ALL, offset, limit).points for offset in range(0, 30, limit)]
        assert [(one.point, one.basis) for page in offsets for one in page] == listed
    some = replace(ALL, scopes=frozenset({"a", "B"}), metrics=frozenset({"compute"}),
                   filters={"flavor": frozenset({"m1"})}, period=at(1))
    for limit in (1, 3, 9):
        assert [(one.basis.revision.place.scope, one.point.price) for one in everything(books, some, limit)] == [
            ("B", 2), ("B", 3), ("a", 2), ("a", 3)]


# --- modules that do more than price ----------------------------------------------------------------


def odd(frames):
    """Drops the flavor ``gone``, doubles the quantity of ``big``, makes everything else dearer by one, and adds one."""
    found = []
    for frame in frames:
        flavors = list(frame.groupby["flavor"])
        kept = frame.where([flavor != "gone" for flavor in flavors])
        flavors = list(kept.groupby["flavor"])
        kept = replace(kept, qty=tuple(qty * 2 if flavor == "big" else qty
                                       for qty, flavor in zip(kept.qty, flavors, strict=True)))
        found.append(kept.with_price([price if flavor == "big" else (price or D(0)) + 1
                                      for price, flavor in zip(kept.price, flavors, strict=True)]))
    extra = used(0, ("1", "extra", ""), metric="fee")
    return [*found, replace(extra, period=frames[0].period).with_price([D("0.5")])] if frames else []


def test_a_module_that_explains_nothing_is_explained_by_what_it_made_of_each_row(sqlite):
    books = Ratings(sqlite, odd)
    books.rules(flat("2", field="flavor", value="m1"), flat("3", field="flavor", value="big"),
                flat("4", field="flavor", value="gone"))
    books.rate("alice", 0, used(0, ("1", "m1", ""), ("2", "big", ""), ("3", "gone", ""), ("4", "plain", "")))
    page = books.explaining.page(ALL)
    points = {one.point.groupby["flavor"]: one for one in checked(page.points)}
    assert all(one.reproduced for one in points.values())
    assert {flavor: [(part.module, part.amount, part.what) for part in one.parts]
            for flavor, one in points.items()} == {
        "m1": [("hashmap", 2, "mapping flavor=m1: 2 x 1 h"), ("noop", 1, "1 at 2 became 1 at 3")],
        "big": [("hashmap", 6, "mapping flavor=big: 3 x 2 h"), ("noop", 0, "2 at 6 became 4 at 6")],
        "plain": [("noop", 1, "4 at no price became 4 at 1")],
        "extra": [("noop", D("0.5"), "added the point, 1 at 0.5")]}
    (left,) = page.left_out
    assert (left.module, left.why, left.point.qty, left.point.price) == ("noop", "left out by noop", 3, 12)
    assert points["m1"].basis.modules == ("hashmap", "noop")


def test_what_the_skip_expression_leaves_out_is_told_on_the_page_of_its_time(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1"), flat("0", service="disk"))
    for number in range(4):
        disk = used(number, ("9", "m1", ""), metric="disk", unit="GiB")
        books.rate("alice", number, *([used(number, ("1", "m1", ""))] if number % 2 else []), disk)
    pages = [books.explaining.page(ALL, limit=1)]
    pages.append(books.explaining.page(ALL, limit=1, after=pages[0].next))
    assert [[left.basis.revision.period for left in page.left_out] for page in pages] == [
        [at(1), at(0)], [at(3), at(2)]]
    assert {left.why for page in pages for left in page.left_out} == {
        "left out by the skip expression datapoint['rating']['price'] == 0 and datapoint['vol']['qty'] == 9"}
    assert books.explaining.page(replace(ALL, metrics=frozenset({"compute"}))).left_out == ()
    alone = books.explaining.page(replace(ALL, metrics=frozenset({"disk"}), period=at(2)))
    assert (alone.total, len(alone.left_out)) == (0, 1)


# --- properties -------------------------------------------------------------------------------------

COSTS = st.decimals(-5, 5, places=9)
USED = st.lists(st.tuples(st.decimals(-1000, 1000, places=12), st.sampled_from(["m1", "m2", "gone", "big"]),
                          st.sampled_from(["i", "j"])), max_size=5, unique_by=lambda row: row[1:])


@pytest.fixture(scope="module", params=[None, odd], ids=["hashmap", "and another"])
def many(request):
    with new_database("sqlite") as database:
        yield Ratings(database, request.param)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flat_cost=COSTS, rate=COSTS, level=st.decimals(-3, 50, places=3), level_type=st.sampled_from(["flat", "rate"]),
       rows=USED)
def test_the_parts_of_whatever_was_rated_add_up_to_what_is_stored(many, flat_cost, rate, level, level_type, rows):
    many.rules(flat(flat_cost), flat("0.1", field="flavor", value="m1"),
               flat(rate, field="image", value="i", type="rate"),
               flat(rate, level=level, type=level_type), flat(flat_cost, level=level, group="other"))
    many.rate("alice", 0, *([used(0, *[(str(qty), *labels) for qty, *labels in rows])] if rows else []))
    assert all(one.reproduced for one in checked(everything(many)))
