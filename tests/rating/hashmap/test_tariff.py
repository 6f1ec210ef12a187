import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Column, Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.rating.hashmap.tariff import HashmapTariff
from tests.rating.hashmap.reference import in_force, price

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = Period.starting(BEGIN, timedelta(hours=1))
D = Decimal


def frame(rows, metric="compute", period=HOUR):
    """Rows are a quantity and labels; ``row`` keeps them apart and in their order."""
    names = sorted({name for _, labels in rows for name in labels})
    assert all(set(labels) == set(names) for _, labels in rows), "a frame's rows have the same labels"
    return Frame.of_usage(metric, "unit", period, [D(qty) for qty, _ in rows],
                          {"row": [f"{i:06}" for i in range(len(rows))]},
                          {name: [labels[name] for _, labels in rows] for name in names})


def prices(rules, rows, scope="s", **options):
    return list(HashmapTariff(rules).rate(scope, HOUR, [frame(rows, **options)])[0].price)


def rule(cost, service="compute", **attributes):
    return Rule(service=service, cost=D(cost), **attributes)


def field(name, value, cost, **attributes):
    return rule(cost, field=name, value=value, **attributes)


GOLDEN = [
    rule("1.00"),
    field("flavor", "m1.nano", "1.337", group="test"),
    field("flavor", "m1.tiny", "1.42", group="test"),
    field("image", "a41f", "1.10", type="rate", group="test"),
    rule("0.15", field="memory", level=D(64), group="test"),
    rule("0.2", field="memory", level=D(128), group="test"),
    field("vcpus", "8", "16.0", group="second"),
]


def point(qty, flavor, image, memory, vcpus):
    return qty, {"flavor": flavor, "image": image, "memory": memory, "vcpus": vcpus}


def test_the_worked_figures_of_cloudkitty():
    rows = [
        point("1", "m1.nano", "f5600101", "64", "1"),      # 1 + (1.337 + 0.15)
        point("2", "m1.tiny", "a41f", "512", "1"),         # 2 + 1.1 * (1.42 + 0.2) * 2
        point("2", "m1.big", "a0656", "128", "8"),         # 2 + 0.2 * 2 + 16 * 2
        point("1", "m1.nano", "a41f", "64", "2"),          # 1 + 1.1 * (1.337 + 0.15)
    ]
    assert prices(GOLDEN, rows) == [D("2.487"), D("5.564"), D("34.40"), D("2.6357")]


def test_the_figures_of_older_systems():
    assert prices([rule("8239")], [("1738", {})]) == [D(14319382)]
    assert prices([rule("0.888")], [("0.0025", {})]) == [D("0.00222")]      # 9 s in hours


@pytest.mark.parametrize(("where", "kind", "expected"), [
    ("memory", "flat", D("1.5") * (2 + 5) * 3),
    ("memory", "rate", D("1.5") * 5 * 2 * 3),
    (None, "flat", D("1.5") * 2 * 3 + 5),
    (None, "rate", D("1.5") * 2 * 3 * 5),
])
def test_a_threshold_corrects_its_group(where, kind, expected):
    rules = [rule("2"), field("image", "i", "1.5", type="rate"), rule("5", field=where, level=D(3), type=kind)]
    assert prices(rules, [("3", {"image": "i", "memory": "3"})]) == [expected]
    below = [("2.999999999999", {"image": "i", "memory": "2.9"})]
    assert prices(rules, below) == [D("1.5") * 2 * D("2.999999999999")]


def test_only_the_dearest_flat_of_a_group_counts_and_all_its_rates():
    rules = [rule("1"), field("flavor", "f", "3"), field("image", "i", "2"),
             field("zone", "z", "2", type="rate"), field("host", "h", "0.5", type="rate"),
             field("rack", "r", "3", type="rate")]
    labels = {"flavor": "f", "image": "i", "zone": "z", "host": "h", "rack": "r"}
    assert prices(rules, [("1", labels)]) == [D(9)]


def test_groups_add_up():
    rules = [rule("1"), rule("2", group="a"), rule("3", group="b"), field("x", "y", "4", group="a")]
    assert prices(rules, [("2", {"x": "y"})]) == [(1 + 4 + 3) * D(2)]


def test_levels_of_the_quantity_and_of_labels_compete_and_of_equal_ones_the_quantity_goes_first():
    on_field = rule("10", field="memory", level=D(5))
    on_quantity = rule("7", level=D(5))
    assert prices([on_field, on_quantity], [("5", {"memory": "9"})]) == [D(7)]
    assert prices([replace(on_field, level=D(6)), on_quantity], [("5", {"memory": "9"})]) == [D(50)]
    assert prices([rule("2", field="a", level=D(5)), rule("3", field="b", level=D(5))],
                  [("1", {"a": "9", "b": "9"})]) == [D(2)]


def test_a_flat_threshold_on_the_quantity_is_charged_once_even_alone():
    assert prices([rule("5", level=D(0))], [("0", {}), ("100", {})]) == [D(5), D(5)]


def test_c51_a_row_that_no_rule_meets_is_unpriced_and_a_free_one_is_not():
    rules = [field("flavor", "free", "0"), field("flavor", "rated", "2", type="rate"),
             rule("1", field="memory", level=D(10))]
    rows = [("1", {"flavor": name, "memory": memory})
            for name, memory in (("free", "1"), ("rated", "1"), ("other", "1"), ("other", "10"))]
    assert prices(rules, rows) == [D(0), D(0), None, D(1)]


def test_c51_a_metric_without_rules_comes_back_as_it_went_in():
    before = frame([("1", {})], metric="volume")
    assert HashmapTariff([rule("1")]).rate("s", HOUR, [before])[0] is before


def test_a_price_of_an_earlier_module_is_added_to():
    rules = [field("flavor", "a", "1")]
    before = frame([("1", {"flavor": "a"}), ("2", {"flavor": "a"}), ("3", {"flavor": "b"}), ("4", {"flavor": "b"})])
    before = before.with_price([D(10), None, D(30), None])
    assert HashmapTariff(rules).rate("s", HOUR, [before])[0].price == (D(11), D(2), D(30), None)


def test_a_negative_flat_and_a_level_of_minus_one_never_apply():
    rules = [field("flavor", "a", "-1"), rule("1", level=D(-1), group="g"), rule("1", level=D(-2), group="h")]
    assert prices(rules, [("1", {"flavor": "a"})]) == [None]
    assert prices([rule("1", level=D("-0.5"))], [("1", {})]) == [D(1)]
    assert prices([rule("-1", field="x", level=D(0)), rule("3")], [("1", {"x": "0"})]) == [D(2)]


def test_values_compare_as_text_exactly():
    rules = [field("vcpus", "8", "1")]
    rows = [("1", {"vcpus": text}) for text in ("8", "8.0", " 8", "08")]
    assert prices(rules, rows) == [D(1), None, None, None]


def test_a_rule_of_a_label_that_is_not_there_does_not_apply():
    rules = [rule("1"), field("flavor", "a", "5"), rule("7", field="memory", level=D(0))]
    assert prices(rules, [("1", {})]) == [D(1)]
    assert prices(rules, [("1", {"flavor": "", "memory": ""})]) == [D(1)]


@pytest.mark.parametrize("label", ["a lot", "NaN", "inf", "1,5", "-Infinity"])
def test_c14_a_threshold_on_a_label_that_is_no_number_names_rule_label_and_value(label):
    rules = [rule("1", field="memory", level=D(64))]
    with pytest.raises(Invalid, match="compute, memory >= 64") as refused:
        prices(rules, [("1", {"memory": label})])
    assert repr(label) in str(refused.value)
    # Only the scope with the label has a problem; and where only mappings look at it, nobody has.
    assert prices(rules, [("1", {"memory": "64"})]) == [D(1)]
    assert prices([field("memory", label, "2")], [("1", {"memory": label})]) == [D(2)]


def test_a_groupby_label_hides_a_metadata_label_of_its_name():
    usage = Frame.of_usage("compute", "u", HOUR, [D(1)], {"flavor": ["a"]})
    usage = replace(usage, metadata={"flavor": Column.of(["b"])})
    assert HashmapTariff([field("flavor", "a", "1")]).rate("s", HOUR, [usage])[0].price == (D(1),)


def test_a_scopes_own_rule_replaces_the_one_for_everybody():
    rules = [
        rule("1"), rule("2", scope="own"),
        field("flavor", "a", "10"), field("flavor", "a", "20", scope="own", type="rate"),
        rule("5", level=D(3), group="g"), rule("6", level=D("3.0"), group="g", scope="own"),
        rule("100", group="h", scope="own"),
    ]
    rows = [("3", {"flavor": "a"})]
    assert prices(rules, rows, scope="other") == [D(10) * 3 + 5]
    assert prices(rules, rows, scope="own") == [D(2) * 20 * 3 + 6 + 100 * 3]


def test_a_scopes_own_rule_replaces_also_where_it_never_applies_itself():
    assert prices([rule("1"), rule("-1", scope="own")], [("1", {})], scope="own") == [None]


def test_a_group_called_default_is_no_group():
    assert prices([rule("3"), field("a", "b", "5", group="_DEFAULT_")], [("1", {"a": "b"})]) == [D(5)]


def test_c15_a_rule_holds_for_a_period_that_begins_within_its_validity():
    turn = datetime(2026, 1, 1, 1, tzinfo=UTC)
    half = turn - timedelta(minutes=30)
    tariff = HashmapTariff([rule("1", valid=Validity(None, turn)), rule("2", valid=Validity(turn, None)),
                            rule("5", group="g", valid=Validity(half, turn))])
    for period, expected in ((HOUR, 1), (HOUR.next(), 2), (Period.starting(half, timedelta(hours=1)), 6)):
        assert tariff.rate("s", period, [frame([("1", {})], period=period)])[0].price == (D(expected),)


def test_prices_are_exact_and_not_rounded():
    cost = "999999999999." + "9" * 28
    assert prices([rule(cost)], [("0.123456789012", {})]) == [
        money.CONTEXT.multiply(D(cost), D("0.123456789012"))]
    assert prices([rule("0." + "0" * 27 + "1")], [("0.000000000001", {})]) == [D("1E-40")]


def test_the_order_of_rules_does_not_matter_even_beyond_sixty_digits():
    rates = [field(f"f{i}", "x", f"1.{i + 1}234567890123456789012345671", type="rate") for i in range(8)]
    rows = [("123456789.123456789012", {f"f{i}": "x" for i in range(8)})]
    assert prices([rule("1.1"), *rates], rows) == prices([*rates[::-1], rule("1.1")], rows)


def test_p4_rules_are_compiled_once_for_all_scopes_and_periods_without_rules_of_their_own():
    tariff = HashmapTariff([*GOLDEN, rule("9", scope="own"), rule("3", service="volume")])
    period = HOUR
    for number in range(50):
        period = period.next()
        tariff.rate(f"scope-{number}", period, [frame([point("1", "m1.nano", "a41f", "64", "8")], period=period)])
    assert len(tariff._services["compute"]._plans) == 1
    assert not tariff._services["volume"]._plans


def test_p10_work_for_a_label_value_does_not_grow_with_the_number_of_rules():
    tariff = HashmapTariff([field("flavor", f"f{i}", "1") for i in range(20_000)])
    rows = [("1", {"flavor": f"f{i}"}) for i in range(2_000)]
    tariff.rate("s", HOUR, [frame(rows[:10])])
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        tariff.rate("s", HOUR, [frame(rows[:1000])])
    finally:
        sys.setprofile(None)
    assert calls < 25 * 1000       # the lines of a thousand distinct classes, not 20 million comparisons


def test_many_threads_price_alike():
    rules = [field("a", str(i), str(i)) for i in range(50)] + [rule("2", level=D(5), group="g")]
    tariff = HashmapTariff(rules)
    frames = [frame([(str(q), {"a": str((q * n) % 60)}) for q in range(1, 40)]) for n in range(1, 60)]
    alone = [HashmapTariff(rules).rate("s", HOUR, [one])[0].price for one in frames]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda one: tariff.rate("s", HOUR, [one])[0].price, frames * 4))
    assert together == alone * 4


def test_the_arithmetic_needs_the_standard_library_only():
    program = ("import sys; before = set(sys.modules); import cloudkitty_like.rating.hashmap.tariff;"
               "print(*{name.partition('.')[0] for name in set(sys.modules) - before}"
               " - set(sys.stdlib_module_names) - {'cloudkitty_like'})")
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


# --- properties ----------------------------------------------------------------------------------

TEXTS = st.sampled_from(["1", "2", "8", "10.5", ""])
NAMES = st.sampled_from(["a", "b", "c"])
COSTS = st.decimals("-3", "50", places=3) | st.sampled_from([D(0), D(1), D("0.1234567890123456789012345678")])
LEVELS = st.sampled_from([D(-2), D(-1), D("-0.5"), D(0), D(1), D(2), D("5.5"), D(10)])
TIMES = st.sampled_from([None, BEGIN - timedelta(hours=1), BEGIN, BEGIN + timedelta(hours=1)])


@st.composite
def validities(draw):
    begin, end = draw(TIMES), draw(TIMES)
    return Validity(begin, end) if begin is None or end is None or begin < end else Validity(begin, None)


@st.composite
def rules(draw):
    shape = draw(st.sampled_from(["service", "mapping", "quantity", "level"]))
    return Rule(
        service=draw(st.sampled_from(["compute", "compute", "compute", "volume"])), cost=draw(COSTS),
        type=draw(st.sampled_from(["flat", "rate"])), group=draw(st.sampled_from(["", "g", "h"])),
        scope=draw(st.sampled_from([None, None, "own", "else"])), valid=draw(validities()),
        field=draw(NAMES) if shape in ("mapping", "level") else None,
        value=draw(st.sampled_from(["1", "2", "8", "10.5"])) if shape == "mapping" else None,
        level=draw(LEVELS) if shape in ("quantity", "level") else None,
    )


@st.composite
def rule_sets(draw):
    """Without overlaps in one tier: where two rules share a key, the first drawn stays."""
    return list({one.key: one for one in reversed(draw(st.lists(rules(), max_size=25)))}.values())


ROWS = st.lists(st.tuples(st.decimals("-5", "30", places=2).map(str),
                          st.fixed_dictionaries({"a": TEXTS, "b": TEXTS, "d": TEXTS})), max_size=12)


@settings(max_examples=400, deadline=None)
@given(rule_sets(), ROWS, st.sampled_from(["own", "other"]))
def test_equals_the_algorithm_spelt_out(some, rows, scope):
    expected = []
    for qty, labels in rows:
        exact = price(in_force(some, "compute", scope, BEGIN), D(qty), labels)
        expected.append(None if exact is None else money.rounded(exact))
    found = prices(some, rows, scope=scope)
    assert [None if one is None else money.rounded(one) for one in found] == expected


@settings(max_examples=250, deadline=None)
@given(rule_sets(), ROWS, st.randoms(use_true_random=False), st.integers(0, 12))
def test_prices_depend_neither_on_the_order_of_rows_nor_on_how_they_are_split(some, rows, random, cut):
    whole = prices(some, rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert prices(some, [rows[i] for i in order]) == [whole[i] for i in order]
    tariff = HashmapTariff(some)
    parts = tariff.rate("s", HOUR, [frame(rows[:cut]), frame(rows[cut:])])
    assert [one for part in parts for one in part.price] == whole


@settings(max_examples=200, deadline=None)
@given(rule_sets(), ROWS, st.permutations(range(25)))
def test_prices_do_not_depend_on_the_order_of_rules(some, rows, order):
    assert prices(some, rows) == prices([some[i] for i in order if i < len(some)], rows)
