"""What would be is told to the last digit, by scope and metric, and nothing is stored."""
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import METRIC, SCOPE, Query
from cloudkitty_like.domain.script import Script
from cloudkitty_like.service.hashmap.apply import stored
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.whatif.simulation import SimulationRequest, SimulationResult
from cloudkitty_like.testing.databases import KINDS
from tests.books import BEGIN, at
from tests.databases import new_database
from tests.ratings import Ratings, flat, used
from tests.service.reports.test_explanations import USED, odd, post

D = Decimal
WHOLE = Period(BEGIN, at(9).end)
RULES = (flat("1"), flat("0.1", field="flavor", value="m1", group="g"), flat("2", service="disk"))


@pytest.fixture(params=KINDS)
def books(request):
    with new_database(request.param) as database:
        yield filled(Ratings(database))


@pytest.fixture
def quick(sqlite):
    return filled(Ratings(sqlite))


def filled(books):
    books.rules(*RULES)
    for name in ("alice", "bob"):
        for number in range(3):
            books.rate(name, number, used(number, ("2", "m1", ""), ("3", "m2", "i")),
                       used(number, ("1", "m1", ""), metric="disk", unit="GiB"))
    return books


def told(answer: SimulationResult):
    return {(row.scope, row.metric): (row.stored.price, row.candidate.price, row.difference) for row in answer.rows}


@pytest.mark.slow
def test_the_difference_is_told_by_scope_metric_and_in_total(books):
    before = books.changes()
    answer = books.simulation.run(SimulationRequest(period=WHOLE, scopes=None, rules=[
        flat("3", scope="bob"), flat("1"), flat("2", field="flavor", value="m1", service="disk")]))
    assert told(answer) == {
        ("alice", "compute"): (D("15.6"), 15, D("-0.6")), ("alice", "disk"): (6, 6, 0),
        ("bob", "compute"): (D("15.6"), 45, D("29.4")), ("bob", "disk"): (6, 6, 0)}
    total = answer.total
    assert (total.stored.price, total.candidate.price, total.difference) == (D("43.2"), 72, D("28.8"))
    assert (total.stored.points, total.candidate.points) == (18, 18)
    assert books.changes() == before


@pytest.mark.slow
def test_with_the_rules_that_rated_it_nothing_changes(books):
    for documents in ({}, {"rules": stored(books.database)}):
        answer = books.simulation.run(SimulationRequest(period=WHOLE, scopes=None, **documents))
        assert {row.difference for row in answer.rows} == {0}
        assert [(row.scope, row.metric, row.unit) for row in answer.rows] == [
            (*row.key, row.unit) for row in books.summary.rows(Query(scopes=None, groupby=(SCOPE, METRIC)))]
        assert [row.candidate for row in answer.rows] == [row.stored for row in answer.rows] == [
            row.sum for row in books.summary.rows(Query(scopes=None, groupby=(SCOPE, METRIC)))]


def test_c51_what_no_candidate_prices_is_counted_as_unpriced(quick):
    answer = quick.simulation.run(SimulationRequest(period=WHOLE, scopes=frozenset({"bob"}), rules=[]))
    assert [(row.metric, row.stored.unpriced, row.candidate.unpriced, row.candidate.price) for row in answer.rows] == [
        ("compute", 0, 6, 0), ("disk", 0, 3, 0)]


def test_it_is_of_the_periods_that_begin_in_the_window_and_of_the_scopes_asked_for(quick):
    answer = quick.simulation.run(SimulationRequest(period=at(1), scopes=frozenset({"bob"}), rules=[flat("10")]))
    assert told(answer) == {("bob", "compute"): (D("5.2"), 50, D("44.8")), ("bob", "disk"): (2, 0, -2)}


def test_posted_points_are_left_out_and_superseded_ones_too(books):
    post(books, 1, "m1")
    books.rate("alice", 0, used(0, ("100", "m2", "")))
    answer = books.simulation.run(SimulationRequest(period=WHOLE, scopes=frozenset({"alice"})))
    assert told(answer) == {("alice", "compute"): (D("110.4"), D("110.4"), 0), ("alice", "disk"): (4, 4, 0)}


def test_it_starts_from_what_was_collected_where_another_module_or_the_skip_expression_changed_that(sqlite):
    books = Ratings(sqlite, odd)
    books.rules(flat("1"), flat("0", service="disk"))
    books.rate("alice", 0, used(0, ("1", "m1", ""), ("2", "big", ""), ("3", "gone", "")),
               used(0, ("9", "m3", ""), ("9", "big", ""), metric="disk", unit="GiB"))
    same = books.simulation.run(SimulationRequest(period=WHOLE, scopes=None))
    assert {row.difference for row in same.rows} == {0}
    assert [(row.metric, row.candidate) for row in same.rows] == [(row.metric, row.stored) for row in same.rows]
    dearer = books.simulation.run(SimulationRequest(period=WHOLE, scopes=None, rules=[flat("2")]))
    assert told(dearer)["alice", "compute"] == (4, 7, 3)


def test_more_points_than_are_allowed_are_refused_before_any_is_read(quick):
    assert quick.simulation.run(SimulationRequest(period=WHOLE, scopes=None), most=18)
    with pytest.raises(Invalid, match="there are 18 points, more than the 17"):
        quick.simulation.run(SimulationRequest(period=WHOLE, scopes=None), most=17)


def test_a_scope_that_cannot_be_rated_is_told_apart(quick):
    quick.rate("carol", 0, used(0, ("1", "12", "")))
    answer = quick.simulation.run(SimulationRequest(period=WHOLE, scopes=None,
                                                    rules=[flat("1", field="flavor", level=D(1))]))
    assert set(told(answer)) == {("carol", "compute")}
    assert answer.failed.keys() == {"alice", "bob"}
    assert "needs a number, but flavor is 'm1'" in answer.failed["bob"]


def test_c6_where_a_module_cannot_be_loaded_nothing_is_told(quick):
    def load(name):
        raise Invalid(f"{name} cannot be loaded")

    broken = replace(quick.simulation, tariffs=Tariffs(quick.database, load))
    with pytest.raises(Unavailable, match="rating failed: hashmap cannot be loaded"):
        broken.run(SimulationRequest(period=WHOLE, scopes=None))


def test_progress_is_told_up_to_the_end(quick):
    told = []
    quick.simulation.run(SimulationRequest(period=WHOLE, scopes=None), progressed=lambda *numbers: told.append(numbers))
    assert told == [(3 * number, 18) for number in range(1, 7)]


def test_rules_for_a_module_that_cannot_try_them_are_refused(sqlite):
    books = filled(Ratings(sqlite))
    with pytest.raises(Invalid, match="noop cannot try rules"):
        books.tariffs.trial({"noop": []})
    with pytest.raises(Invalid, match="no rating module is called 'bogus'"):
        books.tariffs.trial({"bogus": []})
    assert SimulationRequest(period=WHOLE, scopes=None,
                             scripts=[Script(name="s", text="pass")]).documents.keys() == {"pyscripts"}


@pytest.fixture(scope="module")
def many():
    with new_database("sqlite") as database:
        yield Ratings(database)


COSTS = st.decimals(-5, 5, places=9)


@settings(max_examples=20, deadline=None)
@given(before=st.tuples(COSTS, COSTS), after=st.tuples(COSTS, COSTS), rows=USED)
def test_what_is_told_is_what_rating_again_comes_to(many, before, after, rows):
    def rules(cost, rate):
        return [flat(cost), flat(rate, field="image", value="i", type="rate"), flat(rate, level=D(5), group="x")]

    usage = [used(0, *[(str(qty), *labels) for qty, *labels in rows])] if rows else []
    trial = SimulationRequest(period=WHOLE, scopes=None)
    many.rules(*rules(*before))
    many.rate("alice", 0, *usage)
    assert {row.difference for row in many.simulation.run(trial).rows} <= {0}
    told = many.simulation.run(replace(trial, rules=rules(*after)))
    many.rules(*rules(*after))
    many.rate("alice", 0, *usage)
    assert [(row.scope, row.metric, row.candidate) for row in told.rows] == [
        (*row.key, row.sum) for row in many.summary.rows(Query(scopes=None, groupby=(SCOPE, METRIC)))]
