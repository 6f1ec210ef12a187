from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import MUTATIONS, Metric

NUMBERS = st.decimals(-10**12, 10**12, places=6)
FACTORS = st.fractions(-1000, 1000, max_denominator=2**20)
thoroughly = settings(max_examples=200, deadline=None)


def metric(**settings):
    return Metric("m", "u", **settings)


def quantity(raw, **settings):
    return metric(**settings).quantity(raw)


def test_a_metric_is_reported_by_its_own_name_where_it_is_given_no_other():
    assert (metric().alt_name, Metric("m", "u", "n").alt_name) == ("m", "n")
    assert metric(groupby=("project_id", "a"), metadata=("b",)).labels == ("project_id", "a", "b")


@pytest.mark.parametrize(("mutate", "expected"), [
    ("NONE", ["-1.5", "-0.2", "0", "0.2", "1", "1.5"]),
    ("NUMBOOL", ["1", "1", "0", "1", "1", "1"]),
    ("NOTNUMBOOL", ["0", "0", "1", "0", "0", "0"]),
    ("FLOOR", ["-2", "-1", "0", "0", "1", "1"]),
    ("CEIL", ["-1", "0", "0", "1", "1", "2"]),
    ("MAP", ["0", "7", "0", "0", "0.5", "-3"]),
])
def test_every_mutation(mutate, expected):
    made = metric(mutate=mutate, mutate_map={Decimal("-0.2"): Decimal(7), Decimal(1): Decimal("0.5"),
                                             Decimal("1.50"): Decimal(-3)})
    assert made.quantities(["-1.5", "-0.2", "0", "0.2", "1", "1.5"]) == list(map(Decimal, expected))


def test_no_mutation_is_forgotten_here():
    assert set(MUTATIONS) == {"NONE", "NUMBOOL", "NOTNUMBOOL", "FLOOR", "CEIL", "MAP"}


@pytest.mark.parametrize("raw", ["11", "11.0", "1.1e1", 11, Decimal("11.000"), " 11\n"])
def test_equal_numbers_are_mapped_alike_however_they_are_written(raw):
    assert quantity(raw, mutate="MAP", mutate_map={Decimal("11.0"): Decimal(3)}) == 3


def test_a_value_is_mutated_after_factor_and_offset():
    table = {Decimal(5): Decimal(50), Decimal(2): Decimal(20)}
    assert quantity("2", factor=Fraction(2), offset=Fraction(1), mutate="MAP", mutate_map=table) == 50
    assert quantity("1.5", factor=Fraction(1, 2), mutate="CEIL") == 1
    assert quantity("1", offset=Fraction(-1), mutate="NUMBOOL") == 0
    assert quantity("0", offset=Fraction(1, 3), mutate="NOTNUMBOOL") == 0


def test_a_value_is_mutated_before_it_is_rounded():
    assert quantity("1.0000000000001", mutate="CEIL") == 2
    assert quantity("0.0000000000001", mutate="NUMBOOL") == 1
    assert quantity("0.9999999999999", mutate="FLOOR") == 0


@pytest.mark.parametrize(("raw", "factor", "expected"), [
    ("1", "1/1048576", "0.000000953674"),
    ("1048576", "1/1048576", "1"),
    ("1572864", "1/1048576", "1.5"),
    ("3", "1/3", "1"),
    ("1", "1/3", "0.333333333333"),
    ("2", "1/3", "0.666666666667"),
    ("7", "3/7", "3"),
    ("0.1", "3", "0.3"),
    ("1738", "8239", "14319382"),
    ("-5", "0.2", "-1"),
    ("5", "0", "0"),
])
def test_c10_factors_are_fractions_and_exact(raw, factor, expected):
    assert str(quantity(raw, factor=Fraction(factor))) == str(Decimal(expected).quantize(money.QUANTUM))


def test_c10_a_third_of_what_is_divisible_by_three_is_whole_before_it_is_mutated():
    for mutate in ("FLOOR", "CEIL"):
        made = metric(factor=Fraction(1, 3), mutate=mutate)
        assert [made.quantity(3 * number) for number in range(-50, 50)] == list(range(-50, 50))


def test_c10_factor_and_offset_together_are_exact_before_they_are_mutated():
    celsius = list(range(-300, 300))
    table = {Decimal(degrees): Decimal(degrees) for degrees in celsius}
    for mutate in ("FLOOR", "CEIL", "MAP"):
        made = metric(factor=Fraction(5, 9), offset=Fraction(-160, 9), mutate=mutate, mutate_map=table)
        assert made.quantities([32 + Decimal("1.8") * degrees for degrees in celsius]) == celsius


@thoroughly
@given(st.integers(-10**6, 10**6), FACTORS.filter(bool), FACTORS, st.sampled_from(["FLOOR", "CEIL"]))
def test_c10_what_comes_to_a_whole_number_is_that_number_and_not_its_neighbour(whole, factor, offset, mutate):
    raw = (whole - offset) / factor
    scaled = metric(factor=factor / raw.denominator, offset=offset, mutate=mutate)
    assert scaled.quantity(raw.numerator) == whole


def test_c10_a_product_is_exact_beyond_the_28_digits_of_python():
    assert quantity("1e-30", factor=Fraction(10**30 + 1), mutate="CEIL") == 2
    assert quantity("999999999.000000001", factor=Fraction("999999.000000001")) == Decimal("999998999000002.000999998")


def test_an_offset_is_added_after_the_factor():
    assert quantity("2", factor=Fraction(3), offset=Fraction(-1, 2)) == Decimal("5.5")
    assert quantity("0", offset=Fraction(1, 3)) == Decimal("0.333333333333")


@pytest.mark.parametrize(("raw", "expected"), [
    ("0.0000000000005", "0"),
    ("0.0000000000015", "2e-12"),
    ("0.0000000000025", "2e-12"),
    ("0.00000000000050000001", "1e-12"),
    ("-0.0000000000015", "-2e-12"),
    ("1e-999999", "0"),
    ("1e-99999999", "0"),
])
def test_quantities_are_rounded_once_half_to_even(raw, expected):
    assert quantity(raw) == Decimal(expected)
    assert quantity(raw).as_tuple().exponent == -12


def test_the_product_is_rounded_and_not_what_it_is_made_of():
    # 1.5e-13 three times is 4.5e-13, which is nothing; ten times it is 1.5e-12, which goes to the even 2.
    assert quantity("0.00000000000015", factor=Fraction(3)) == 0
    assert quantity("0.00000000000015", factor=Fraction(10)) == Decimal("2e-12")
    # 2.5e-12 and a little more or less is no tie.
    assert quantity("0.00000000000124999999999999995", factor=Fraction(2)) == Decimal("2e-12")
    assert quantity("0.00000000000125000000000000005", factor=Fraction(2)) == Decimal("3e-12")


NONSENSE = ["", " ", "one", "NaN", "nan", "sNaN", "Inf", "+Inf", "-Infinity", "0x10", "1,5", "1.2.3", "--1", "1e",
            "true", "1e16", "-1e16", "1e999999", "1e99999999", "1e9999999999999999999999", Decimal("NaN"),
            Decimal("Infinity"), 10**16, None]
REASONS = r"not a number|not a finite number|out of range"


@pytest.mark.parametrize("settings", [
    {}, {"factor": Fraction(10)}, {"factor": Fraction(2, 3)}, {"offset": Fraction(1, 3)}, {"mutate": "FLOOR"},
    {"mutate": "CEIL", "factor": Fraction(3)},
], ids=str)
@pytest.mark.parametrize("raw", NONSENSE)
def test_nonsense_is_invalid(raw, settings):
    with pytest.raises(Invalid, match=REASONS):
        quantity(raw, **settings)
    with pytest.raises(Invalid, match=REASONS):
        metric(**settings).quantities(["1", raw, "2"])


def test_what_is_out_of_range_only_after_its_factor_is_invalid():
    assert quantity("1e15", factor=Fraction(1, 10)) == 10**14
    with pytest.raises(Invalid, match="out of range"):
        quantity("1e14", factor=Fraction(10))


@thoroughly
@given(st.lists(st.one_of(NUMBERS, NUMBERS.map(str), st.integers(-10**12, 10**12))), FACTORS, FACTORS,
       st.sampled_from(MUTATIONS))
def test_many_quantities_are_what_each_is(raws, factor, offset, mutate):
    factor /= 1000
    made = metric(factor=factor, offset=offset, mutate=mutate, mutate_map={Decimal(0): Decimal(1)})
    assert list(map(str, made.quantities(raws))) == [str(made.quantity(raw)) for raw in raws]
    assert list(map(str, made.quantities(iter(raws)))) == [str(made.quantity(raw)) for raw in raws]
