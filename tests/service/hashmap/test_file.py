from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.db.tables import hashmap_rule
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import Rule, Validity, overlaps
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply, stored
from cloudkitty_like.service.hashmap.file import RulesFile, export, parse, place, read
from tests.databases import new_database

NOW = datetime(2026, 11, 1, tzinfo=UTC)

EXAMPLE = """\
services:
  instance:
    - {cost: 0.05, type: flat}                              # of the metric itself
    - {field: flavor, value: m1.small, cost: 0.10}
    - {field: flavor, value: m1.large, cost: 0.40, group: compute, scope: PROJECT,
       start: 2026-01-01, end: 2026-02-01T02:00:00+02:00, name: big ones, description: "dear: very"}
    - {level: 100, cost: 0.9, type: rate}                   # of the quantity
    - {field: memory_mb, level: 4096, cost: 0.02}
  volume.size: []
"""


def test_a_file_says_what_it_says():
    assert parse(EXAMPLE) == (
        Rule(service="instance", cost=Decimal("0.05")),
        Rule(service="instance", field="flavor", value="m1.small", cost=Decimal("0.10")),
        Rule(service="instance", field="flavor", value="m1.large", cost=Decimal("0.40"), group="compute",
             scope="PROJECT", name="big ones", description="dear: very",
             valid=Validity(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))),
        Rule(service="instance", level=Decimal(100), cost=Decimal("0.9"), type="rate"),
        Rule(service="instance", field="memory_mb", level=Decimal(4096), cost=Decimal("0.02")),
    )


def test_i8_m5_a_file_may_say_for_which_period_its_costs_are():
    assert read("services: {}").period is None
    assert read("period: 60\nservices: {a: [{cost: 1}]}") == RulesFile((Rule(service="a", cost=Decimal(1)),), 60)
    assert export([], period=300) == "period: 300\nservices: {}\n"
    assert read(export(parse(EXAMPLE), period=300)) == RulesFile(
        tuple(sorted(parse(EXAMPLE), key=place)), 300)


@pytest.mark.parametrize("period", ["0", "-60", "7", "172800", "60.5", "hour", "'60'", "yes", "null", "6e1", "[60]"])
def test_i8_m5_a_period_that_is_none_is_refused(period):
    with pytest.raises(Invalid) as refusal:
        parse(f"services: {{a: [{{cots: 1}}]}}\nperiod: {period}")
    assert any(problem.startswith("line 2: period: must be a whole number of seconds that divides a day")
               for problem in refusal.value.problems)
    assert any("cots" in problem for problem in refusal.value.problems)


@pytest.mark.parametrize(("written", "here", "share", "factor"), [(60, 3600, "1/60", "60"), (3600, 300, "12", "1/12")])
def test_i8_m5_costs_for_another_period_are_told_with_what_to_multiply_them_by(written, here, share, factor):
    doubt = RulesFile((), written).doubt(here)
    assert f"comes to {share} times what was meant; multiply these costs by {factor} and write" in doubt
    assert RulesFile((), written).doubt(written) == RulesFile(()).doubt(here) == ""


def test_c10_a_cost_is_exactly_as_written():
    costs = ["0.1", "0.12345678901234567890123456", "'0.3'", "1e-12", "1_000.5", ".5"]
    entries = ", ".join(f"{{field: f, value: v{i}, cost: {cost}}}" for i, cost in enumerate(costs))
    rules = parse(f"services: {{a: [{entries}]}}")
    assert [rule.cost for rule in rules] == [
        Decimal(text) for text in ("0.1", "0.12345678901234567890123456", "0.3", "1e-12", "1000.5", "0.5")]


def test_a_value_is_the_text_as_written_whatever_yaml_makes_of_it():
    values = ["8", "8.0", "'8 '", "1_000", "2026-01-01", "1e3", "0x1F", "'yes'"]
    rules = parse(f"services: {{a: [{', '.join(f'{{field: f, value: {value}, cost: 1}}' for value in values)}]}}")
    assert [rule.value for rule in rules] == ["8", "8.0", "8 ", "1_000", "2026-01-01", "1e3", "0x1F", "yes"]


def test_rules_can_share_what_they_have_in_common():
    rules = parse("services:\n  a:\n    - &x {cost: 1, group: g}\n    - {<<: *x, scope: p}\n")
    assert rules[1] == Rule(service="a", cost=Decimal(1), group="g", scope="p")


def test_no_rules_must_be_said():
    assert parse("services: {}") == ()
    assert parse("services:\n  a: []") == ()


RULE = "services:\n  m:\n    - "


@pytest.mark.parametrize(("text", "problem"), [
    ("", "begins with 'services:'"),
    ("- a", "begins with 'services:'"),
    ("service: {}", "begins with 'services:'"),
    ("services:", "line 1: services: write each metric's name"),
    ("services: []", "line 1: services: write each metric's name"),
    ("services: {}\nmetrics: {}", "line 2: metrics: is not known"),
    ("services:\n  m: {cost: 1}", "line 2: m: write a list of rules"),
    ("services:\n  m:", "line 2: m: write a list of rules"),
    (RULE + "5", r"m\[0\]: a rule is written"),
    (RULE + "{}", r"line 3: m\[0\].cost: is missing"),
    (RULE + "{cost: }", r"line 3: m\[0\].cost: must be a number"),
    (RULE + "{cost: yes}", r"m\[0\].cost: must be a number"),
    (RULE + "{cost: 1.2.3}", r"m\[0\].cost: '1.2.3' is not a number"),
    (RULE + "{cost: 1,5}", r"m\[0\].5: is not known"),
    (RULE + "{cost: 'NaN'}", r"m\[0\].cost: 'NaN' is not a finite number"),
    (RULE + "{cost: [1]}", r"m\[0\].cost: must be a number"),
    (RULE + "{cost: 1234567890123}", r"m\[0\].cost: .* more than 12 digits"),
    (RULE + "{cost: 1, cost: 2}", "line 3: the key 'cost' is there twice"),
    (RULE + "{costs: 1}", r"line 3: m\[0\].costs: is not known; did you mean 'cost'\?"),
    (RULE + "{cost: 1, tenant: x}", r"m\[0\].tenant: is not known; there are field, value"),
    (RULE + "{cost: 1, type: fixed}", r"m\[0\].type: must be flat or rate, not 'fixed'"),
    (RULE + "{cost: 1, type: [flat]}", r"m\[0\].type: must be flat or rate"),
    (RULE + "{cost: 1, field: f}", r"m\[0\].field: .* needs a value"),
    (RULE + "{cost: 1, value: v}", r"m\[0\].value: .* needs the field"),
    (RULE + "{cost: 1, field: f, value: v, level: 1}", r"m\[0\].level: .* not both"),
    (RULE + "{cost: 1, field: f, value: yes}", r"m\[0\].value: .* in quotes"),
    (RULE + "{cost: 1, field: f, value: }", r"m\[0\].value: is empty"),
    (RULE + "{cost: 1, field: f, value: ''}", r"m\[0\].value: is empty"),
    (RULE + "{cost: 1, field: f, value: [a, b]}", r"m\[0\].value: must be text"),
    (RULE + "{cost: 1, scope: }", r"m\[0\].scope: is empty; leave it out"),
    (RULE + "{cost: 1, level: high}", r"m\[0\].level: 'high' is not a number"),
    (RULE + "{cost: 1, start: soon}", r"m\[0\].start: 'soon' is not a date"),
    (RULE + "{cost: 1, start: 2026-02-30}", r"m\[0\].start: '2026-02-30' is not a date"),
    (RULE + "{cost: 1, start: 2026}", r"m\[0\].start: '2026' is not a date"),
    (RULE + "{cost: 1, start: 2026-01-02, end: 2026-01-02}", r"m\[0\].end: .* not after its start"),
    (RULE + "{cost: 1}\n    - {cost: 2}", r"line 4: m\[1\]: m is there already, as m\[0\] on line 3"),
    (RULE + "{level: 1, cost: 1}\n    - {level: 1.0, cost: 2}", r"line 4: m\[1\]: .* already"),
    (RULE + "{cost: 1, start: 2026-01-01, end: 2026-03-01}\n    - {cost: 2, start: 2026-02-01}", r"m\[1\]: .* already"),
    (RULE + "{name: " + "x" * 256 + ", cost: 1}", r"m\[0\].name: longer"),
    (RULE + "{cost: 1", r"line \d: "),
    (RULE + "{cost: !!python/name:os.system 1}", "line 3: the tag"),
    ("services: {'': [{cost: 1}]}", r"line 1: \[0\].service: is empty"),
])
def test_a_wrong_file_is_refused_with_line_and_path(text, problem):
    with pytest.raises(Invalid, match=problem) as refused:
        parse(text, "rules.yml")
    assert all(line.startswith("rules.yml: ") for line in refused.value.problems)


def test_all_problems_are_said_at_once():
    with pytest.raises(Invalid) as refused:
        parse("services:\n  a:\n    - {cost: x, type: y}\n    - {}\n    - {cost: 1}\n    - {cost: 1}\n  b: 1\nc: 1\n")
    assert len(refused.value.problems) == 6


def test_an_export_is_short_and_in_order():
    assert export(parse(EXAMPLE)) == """\
services:
  instance:
    - {cost: 0.05}
    - {level: 100, cost: 0.9, type: rate}
    - {field: flavor, value: m1.large, cost: 0.4, group: compute, scope: PROJECT, start: 2026-01-01T00:00:00Z, \
end: 2026-02-01T00:00:00Z, name: "big ones", description: "dear: very"}
    - {field: flavor, value: m1.small, cost: 0.1}
    - {field: memory_mb, level: 4096, cost: 0.02}
"""
    assert export([]) == "services: {}\n"


def test_an_export_leaves_out_what_has_ended():
    february = datetime(2026, 2, 1, tzinfo=UTC)
    assert "m1.large" not in export(parse(EXAMPLE), ended_by=february)
    assert "m1.large" in export(parse(EXAMPLE), ended_by=february - timedelta(microseconds=1))


# --- properties ----------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)
TEXTS = st.one_of(
    st.sampled_from([
        "m1", "yes", "null", "~", "8", "8.0", "1e3", "2026-01-01", "2026-01-01T00:00:00Z", "<<", "- a", "a: b", "a #b",
        "'", '"', "\\", "*x", "&x", "!x", "%", "@", "`", "a\n", " a", "\u0085", "\u2028", "\ufeff", "é", "😀"]),
    ANY_TEXT, st.just("\x01" * 255))
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-10**11, max_value=10**11, places=9)
INSTANTS = [NOW + timedelta(days=d, microseconds=u) for d in range(-3, 4) for u in (0, 7)]
TIMES = st.one_of(st.none(), st.sampled_from(INSTANTS))


@st.composite
def rules(draw):
    begin, end = draw(TIMES), draw(TIMES)
    if begin is not None and end is not None and begin >= end:
        end = None
    shape = draw(st.sampled_from(["service", "mapping", "quantity", "level"]))
    return Rule(
        service=draw(st.sampled_from(["instance", "volume.size"]) | TEXTS), cost=draw(NUMBERS),
        type=draw(st.sampled_from(["flat", "rate"])), group=draw(st.just("") | TEXTS),
        scope=draw(st.none() | st.just("") | TEXTS),
        name=draw(st.just("") | TEXTS), description=draw(st.just("") | TEXTS),
        field=draw(TEXTS) if shape in ("mapping", "level") else None,
        value=draw(TEXTS) if shape == "mapping" else None,
        level=draw(NUMBERS) if shape in ("quantity", "level") else None, valid=Validity(begin, end))


@st.composite
def rule_sets(draw):
    found = []
    for rule in draw(st.lists(rules(), max_size=8)):
        if not list(overlaps([*found, rule])):
            found.append(rule)
    return found


@settings(max_examples=300, deadline=None)
@given(rule_sets())
def test_an_export_reads_back_as_the_same_rules(some):
    text = export(some)
    assert set(parse(text)) == set(some)
    assert export(parse(text)) == text
    assert yaml.safe_load(text) is not None         # and any other YAML reader can read it


@pytest.fixture(scope="module")
def states():
    with new_database("sqlite") as here, new_database("sqlite") as elsewhere:
        yield here, elsewhere


@settings(max_examples=200, deadline=None)
@given(rule_sets(), rule_sets(), st.booleans())
def test_a_rule_set_equals_itself_after_export_and_apply(states, first, second, retroactive):
    """Whatever the rules came to be like: exported and applied they are what they were, here and elsewhere."""
    def put(database, text, **how):
        return apply(database, parse(text), RuleApplication(NOW, **how), Change(NOW, "test", "apply"))

    here, elsewhere = states
    for database in states:
        with database.write() as tx:
            tx.execute(hashmap_rule.delete())
    put(here, export(first), retroactive=True)
    with suppress(Invalid):                         # the second may contradict the past of the first
        put(here, export(second), retroactive=retroactive)
    whole, lasting = export(stored(here)), export(stored(here), ended_by=NOW)
    for text in (whole, lasting):
        assert not put(here, text)
        assert not put(here, text, retroactive=True)
    assert export(stored(here)) == whole
    put(elsewhere, whole)
    assert export(stored(elsewhere)) == whole
