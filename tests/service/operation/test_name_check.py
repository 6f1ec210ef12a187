"""Typos are told, what is right is not, and the ledger counts for what was handed in or made by a script."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.idle_rules import LEVEL, NEGATIVE, RATE
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.posted_point import PostedPoint
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.ports import SourceNames
from cloudkitty_like.service.ledger.posting import PointIngest
from cloudkitty_like.service.operation.name_check import NameCheck
from cloudkitty_like.service.pyscripts.request import ScriptRequest
from cloudkitty_like.service.pyscripts.scripts import Scripts
from tests.books import HOUR, NOW, Books, at
from tests.compiling import compiles
from tests.ratings import Ratings, flat, used

METRICS = (Metric("ceilometer_compute", "h", "compute", groupby=("project_id", "flavor"), metadata=("image",)),
           Metric("disk", "GiB", groupby=("project_id", "type")))


def rule(service="compute", cost="1", **more):
    return Rule(service=service, cost=Decimal(cost), **more)


def check_of(books):
    return NameCheck(books.database, books.storage, lambda: NOW, "project_id")


@pytest.fixture
def check(sqlite):
    return check_of(Books(sqlite))


def posted(books, metric, **labels):
    point = PostedPoint(at(0), metric, "u", Decimal(1), Decimal(1), {"project_id": "alice", **labels}, {})
    PointIngest(books.database, books.storage, lambda: NOW, "project_id", HOUR).post([point], "tester")


# --- rules ----------------------------------------------------------------------------------------

def test_i8_m4_rules_that_fit_are_not_warned_of(check):
    assert check.of_rules([rule(), rule("disk", field="type", value="ssd"), rule(field="image", value="i"),
                           rule(field="project_id", value="alice"), rule(scope="anybody")], METRICS) == []
    assert check.of_rules([rule("nothing", valid=Validity(end=NOW))], METRICS) == []     # over


NOWHERE = "neither metrics.yml nor posted usage has it"
NO_LABEL = "no usage of it has that label"


@pytest.mark.parametrize(("wrong", "warning"), [
    (rule("compuet"), f"rules for 'compuet' price nothing: {NOWHERE}; did you mean 'compute'?"),
    (rule("Compute"), f"rules for 'Compute' price nothing: {NOWHERE}; did you mean 'compute'?"),
    (rule("ceilometer_compute"),
     f"rules for 'ceilometer_compute' price nothing: {NOWHERE}; here it is called 'compute'"),
    (rule("xyz"), f"rules for 'xyz' price nothing: {NOWHERE}"),
    (rule(field="flavr", value="x"),
     f"rules for the label 'flavr' of 'compute' price nothing: {NO_LABEL}; did you mean 'flavor'?"),
    (rule(field="type", value="x"), f"rules for the label 'type' of 'compute' price nothing: {NO_LABEL}"),
    (rule(cost="-1", field="flavor", value="m1"), f"rule compute, flavor=m1: {NEGATIVE}"),
    (rule(level=Decimal(-1)), f"rule compute, quantity >= -1: {LEVEL}"),
    (rule(type="rate", group="g"), f"rule compute, group g: {RATE}"),
])
def test_i8_m4_what_prices_nothing_is_told_with_what_may_be_meant(check, wrong, warning):
    assert check.of_rules([rule(), wrong], METRICS) == [warning]


def test_i8_m4_without_definitions_only_what_rules_alone_say_is_told(check):
    assert check.of_rules([rule("nothing"), rule("nothing", cost="-1", group="g")], None) == [
        "rule nothing, group g: a flat mapping of negative cost never applies; a discount is a rate below 1"]


def test_i8_m4_a_scope_that_does_not_exist_is_told_once_any_is_known(sqlite):
    books = Books(sqlite)
    wanted = [rule(scope="alcie"), rule(scope="alice", group="g")]
    assert check_of(books).of_rules(wanted, METRICS) == []
    books.scope("alice")
    assert check_of(books).of_rules(wanted, METRICS) == [
        "rules for the scope 'alcie' price nothing: there is no such scope; did you mean 'alice'?"]


def test_i8_m4_posted_usage_has_its_own_names(database):
    books = Books(database)
    posted(books, "backup", tier="gold")
    posted(books, "compute", rack="r1")
    check = check_of(books)
    assert check.of_rules([rule("backup"), rule("backup", field="tier", value="gold"),
                           rule(field="rack", value="r1")], METRICS) == []
    assert check.of_rules([rule("backup", field="teir", value="gold"), rule(field="rock", value="r1")], METRICS) == [
        "rules for the label 'teir' of 'backup' price nothing: no usage of it has that label; did you mean 'tier'?",
        "rules for the label 'rock' of 'compute' price nothing: no usage of it has that label; did you mean 'rack'?"]


def test_i8_m4_what_was_collected_once_and_is_not_any_more_is_no_excuse_unless_a_script_makes_it(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1"))
    books.rate("alice", 0, used(0, ("1", "m1", "i"), metric="old"))
    wanted = [rule("old"), rule("old", field="flavor", value="m1")]
    assert len(check_of(books).of_rules(wanted, METRICS)) == 1
    Scripts(sqlite, compiles).add(ScriptRequest(name="one", data="a = 0"), Change(NOW, "tester", "tests", "why"), True)
    later = NameCheck(books.database, books.storage, lambda: NOW + timedelta(days=1), "project_id")
    assert later.of_rules(wanted, METRICS) == []


def test_i8_m4_the_recorded_rules_are_looked_at_likewise(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1"), flat("1", service="dsik"))
    assert check_of(books).of_stored_rules(METRICS) == [
        "rules for 'dsik' price nothing: neither metrics.yml nor posted usage has it; did you mean 'disk'?"]


# --- definitions -----------------------------------------------------------------------------------

def test_i8_m4_definitions_are_compared_with_the_source(check):
    source = SourceNames(frozenset({"ceilometer_compute", "disc"}),
                         {"ceilometer_compute": frozenset({"project_id", "flavour", "image"})})
    assert check.of_definitions(METRICS, source) == [
        "metrics.yml: metric 'ceilometer_compute': no series of it has the label 'flavor'; did you mean 'flavour'?",
        "metrics.yml: metric 'disk': the source has nothing of this name; did you mean 'disc'?"]
    usage = replace(source, usage_only=True)
    assert check.of_definitions(METRICS, usage)[-1] == (
        "the source has usage of 'disc', which metrics.yml does not have: it is not rated; did you mean 'disk'?")


def test_i8_m4_the_ledger_stands_in_for_the_source(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1"))
    assert check_of(books).of_everything(METRICS, None) == []                # nothing is recorded yet
    frame = Frame.of_usage("compute", "h", at(0), [Decimal(1)], {"project_id": ["alice"], "flavor": [""]},
                           {"image": ["i"]})
    books.rate("alice", 0, frame)
    expected = ["metrics.yml: metric 'compute': no recorded usage of it has the label 'flavor'"]
    assert check_of(books).of_everything(METRICS, None) == expected
    told = SourceNames(frozenset({"ceilometer_compute", "disk"}),
                       {"ceilometer_compute": frozenset({"project_id", "flavor", "image"})})
    assert check_of(books).of_everything(METRICS, told) == []                # the source knows better


def test_i8_m4_it_takes_few_queries_where_names_fit(sqlite):
    books = Ratings(sqlite)
    books.rules(*(flat("1", field="flavor", value=f"f{n}") for n in range(200)), flat("2", service="disk"))
    books.rate("alice", 0, used(0, ("1", "m1", "i")))
    asked = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    check_of(books).of_everything(METRICS, SourceNames(frozenset({"ceilometer_compute", "disk"})))
    assert len([one for one in asked if one.startswith("SELECT")]) <= 6, asked


# --- quotes ----------------------------------------------------------------------------------------

def test_i8_m2_a_quote_of_what_nobody_knows_is_told_apart(sqlite):
    books = Ratings(sqlite)
    books.rules(flat("1"), flat("1", service="plan"))
    posted(books, "backup", tier="gold")
    check = check_of(books)
    told = check.of_quote({"compute": {"flavor", "image", "project_id"}, "disk": set(), "backup": {"tier"}}, METRICS)
    assert (told.unknown, told.warnings) == ({}, [])
    told = check.of_quote({"compuet": {"x"}, "ceilometer_compute": set()}, METRICS)
    assert told.warnings == []
    assert told.unknown == {
        "compuet": "no metric is called 'compuet'; did you mean 'compute'?",
        "ceilometer_compute": "no metric is called 'ceilometer_compute'; here it is called 'compute'"}
    told = check.of_quote({"compute": {"flavr", "colour"}, "backup": {"teir"}, "plan": {"x"}}, METRICS)
    assert told.unknown == {}
    assert told.warnings == [
        "no usage of 'compute' has the label 'colour', so what is quoted with it never comes",
        "no usage of 'compute' has the label 'flavr', so what is quoted with it never comes; did you mean 'flavor'?",
        "no usage of 'backup' has the label 'teir', so what is quoted with it never comes; did you mean 'tier'?",
        "only rules know 'plan': neither metrics.yml nor recorded usage has it"]


def test_i8_m2_labels_of_posted_usage_are_known_beside_those_of_metrics_yml(sqlite):
    books = Books(sqlite)
    posted(books, "compute", rack="r1")
    assert check_of(books).of_quote({"compute": {"rack", "flavor"}}, METRICS).warnings == []
    assert len(check_of(books).of_quote({"compute": {"rock"}}, METRICS).warnings) == 1
