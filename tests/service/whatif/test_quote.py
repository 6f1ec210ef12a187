"""A quote is the price that the same usage will have."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Forbidden
from cloudkitty_like.domain.explanation import total
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.service.access import Caller
from cloudkitty_like.service.whatif.quote import QuoteService, Resource
from tests.api.site import DUE, HOUR, Site
from tests.books import at
from tests.databases import new_database
from tests.ratings import Ratings, flat, used
from tests.service.reports.test_explanations import odd

RULES = (
    Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.333333333333333333"), group="flavor"),
    Rule(service="vcpu", field="flavor", value="small", cost=Decimal("0.25"), group="flavor", scope="alice"),
    Rule(service="vcpu", field="flavor", value="large", cost=Decimal("1.5"), group="flavor"),
    Rule(service="vcpu", field="image", value="linux", cost=Decimal("1.1"), type="rate", group="image"),
    Rule(service="vcpu", level=Decimal(10), cost=Decimal("0.9"), type="rate", group="volume"),
    Rule(service="disk", cost=Decimal("0.000000000001"), group="disk"),
)
ROOT, ALICE = Caller("root", is_admin=True), Caller("alice", "alice")
NUMBERS = st.decimals(0, 10**6, places=12)


def quotes(site: Site) -> QuoteService:
    return QuoteService(site.rating, lambda: site.metrics.metrics, site.clock, HOUR, "project_id")


def resource(qty, metric="vcpu", metadata=None, **labels) -> Resource:
    return Resource(metric, Decimal(qty), labels, metadata or {})


@pytest.fixture(scope="module")
def site():
    with new_database("sqlite") as database, TemporaryDirectory() as directory:
        made = Site(database, Path(directory)).filled()
        made.rules(*RULES)
        yield made


@settings(max_examples=60, deadline=None)
@given(scope=st.sampled_from(["alice", "bob"]), qty=NUMBERS, metric=st.sampled_from(["vcpu", "disk", "bogus"]),
       flavor=st.sampled_from(["small", "large", "huge"]), image=st.sampled_from(["linux", "bsd"]))
def test_c26_a_quote_equals_the_price_that_is_stored_when_the_same_is_rated(site, scope, qty, metric, flavor, image):
    asked = resource(qty, metric, {"image": image}, flavor=flavor, project_id=scope)
    (quoted,) = quotes(site).prices(ROOT, [asked])
    period = Period.containing(site.now, HOUR)
    frame = Frame.of_usage(metric, "u", period, [qty], {"flavor": [flavor], "project_id": [scope]},
                           {"image": [image]})
    _, rate = site.rating()
    site.record(scope, *rate(scope, period, [frame]))
    (row,) = site.summary.rows(Query(scopes=frozenset({scope}), period=period))
    assert row.sum.price == (quoted or 0)
    assert row.sum.unpriced == (quoted is None)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.builds(resource, NUMBERS, flavor=st.sampled_from(["small", "large", "huge"]),
                          project_id=st.sampled_from(["alice", "bob"]))))
def test_every_resource_is_quoted_by_itself_and_in_its_place(site, resources):
    desk = quotes(site)
    assert desk.prices(ROOT, resources) == [price for one in resources for price in desk.prices(ROOT, [one])]


def test_c26_the_callers_own_rules_hold_and_those_of_the_scope_that_is_named(site):
    desk = quotes(site)
    assert desk.prices(ALICE, [resource(1, flavor="small")]) == [Decimal("0.25")]
    assert desk.prices(ROOT, [resource(1, flavor="small")]) == [Decimal("0.333333333333")]
    assert desk.prices(ROOT, [resource(1, metadata={"project_id": "alice"}, flavor="small")]) == [Decimal("0.25")]


def test_anybody_elses_scope_is_forbidden_also_to_who_has_none(site):
    for caller in (ALICE, Caller("guest")):
        with pytest.raises(Forbidden):
            quotes(site).prices(caller, [resource(1, flavor="small"), resource(1, project_id="bob")])


def test_what_no_rule_prices_has_no_price_and_what_is_free_is_zero(site):
    assert quotes(site).prices(ROOT, [resource(1, flavor="bogus"), resource(0, flavor="small")]) == [None, money.ZERO]


def test_i8_m1_it_is_of_the_period_that_begins_now(site):
    found = []
    desk = replace(quotes(site), rating=lambda: (1, lambda scope, period, frames: found.append(period) or frames))
    desk.prices(ROOT, [resource(1)])
    assert found == [Period.starting(site.now, HOUR)]
    assert found[0].begin > DUE


# --- modules that do more than price, and the skip expression -----------------------------------------

def desk_of(books) -> QuoteService:
    def rating():
        return 1, books.tariffs.latest()[1].rate

    return QuoteService(rating, lambda: books.metrics.metrics, lambda: at(5).begin, HOUR, "project_id", books.tariffs)


@settings(max_examples=25, deadline=None)
@given(qty=NUMBERS, flavor=st.sampled_from(["m1", "gone", "big", "other"]), image=st.sampled_from(["i", "j"]),
       metric=st.sampled_from(["compute", "disk"]))
def test_a_quote_is_the_sum_of_whatever_is_stored_when_the_same_is_rated(changing, qty, flavor, image, metric):
    asked = resource(qty, metric, {"image": image}, flavor=flavor)
    desk = desk_of(changing)
    ((quoted,), (points,)) = desk.prices(ROOT, [asked]), desk.explained(ROOT, [asked])
    changing.rate("", 5, used(5, (str(qty), flavor, image), metric=metric, unit="h" if metric == "compute" else "GiB"))
    stored = list(changing.summary.rows(Query(scopes=frozenset({""}), period=at(5))))
    assert sum(row.sum.price for row in stored) == (quoted or 0)
    assert (quoted is None) == (bool(stored) and stored[0].sum.unpriced == stored[0].sum.points)
    assert sum(one.point.price or 0 for one in points) == (quoted or 0)
    for one in points:
        assert total(one.parts) + one.rounding == (one.point.price or 0)


@pytest.fixture(scope="module", params=[None, odd], ids=["hashmap", "and another"])
def changing(request):
    with new_database("sqlite") as database:
        books = Ratings(database, request.param)
        books.rules(flat("0.5", field="flavor", value="m1"), flat("3", field="flavor", value="big"),
                    flat("1.25", field="image", value="i", type="rate"), flat("0", service="disk"))
        yield books


def test_what_is_dropped_or_skipped_costs_nothing_and_is_not_unpriced(sqlite):
    books = Ratings(sqlite, lambda frames: [frame.where([False] * len(frame)) if frame.metric == "compute" else frame
                                            for frame in frames])
    books.rules(flat("0", service="disk"))
    assert desk_of(books).prices(ROOT, [resource(1, "compute", flavor="m1"), resource(9, "disk", flavor="m1"),
                                        resource(1, "bogus")]) == [0, 0, None]


def test_a_quote_may_be_of_another_time(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1", valid=Validity(end=at(7).begin)), flat("2", valid=Validity(at(7).begin)))
    for hour, price in ((None, 3), (6, 3), (7, 6), (100, 6)):
        when = None if hour is None else at(hour).begin
        assert desk_of(books).prices(ROOT, [resource(3, "compute")], when) == [price]


def test_i8_m1_a_rule_that_is_made_now_counts_now_and_no_earlier(sqlite):
    books = Ratings(sqlite)
    now = at(5).begin + timedelta(minutes=17, seconds=3, microseconds=250)
    books.rules(flat("1", valid=Validity(end=now)), flat("2", valid=Validity(now)))
    desk = replace(desk_of(books), clock=lambda: now)
    asked = [resource(3, "compute")]
    assert desk.prices(ROOT, asked) == [6]
    assert desk.prices(ROOT, asked, now - timedelta(microseconds=1)) == [3]
    ((point,),) = desk.explained(ROOT, asked)
    assert (point.point.price, [part.amount for part in point.parts]) == (6, [6])


def test_i8_m1_a_rated_period_is_still_priced_by_the_rules_of_its_begin(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1", valid=Validity(end=at(5).begin + timedelta(minutes=1))),
                flat("2", valid=Validity(at(5).begin + timedelta(minutes=1))))
    books.rate("alice", 5, used(5, ("3", "m1", "i")))
    (row,) = books.summary.rows(Query(scopes=frozenset({"alice"}), period=at(5)))
    assert row.sum.price == 3
