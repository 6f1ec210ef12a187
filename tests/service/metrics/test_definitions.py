"""metrics.yml: everything CloudKitty's may say, and one clear line per problem."""
from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.service.metrics.definitions import KEYS, load, read


class Words:
    """A collector's part in it: extra_args of known words, and one metric it cannot collect."""

    KNOWN = ("aggregation_method", "query_prefix")

    def parse_args(self, extra_args: Mapping[str, Any]) -> Any:
        problems = [f"{key!r} is unknown" for key in extra_args if key not in self.KNOWN]
        if problems:
            raise Invalid(*problems)
        return tuple(extra_args.items())

    def check(self, metric: Metric) -> None:
        if metric.name == "uncollectable":
            raise Invalid("cannot be collected", "not even tomorrow")


def loaded(text: str, **options: str) -> tuple[Metric, ...]:
    return load(text, Words(), "project_id", **options).metrics


def one(definition: str, **options: str) -> Metric:
    """The metric of a definition in flow style, which has a unit already."""
    (metric,) = loaded(f"metrics: {{cpu: {{unit: instance, {definition}}}}}", **options)
    return metric


def test_every_key_is_read():
    metrics = loaded("""
metrics:
  cpu_seconds:
    unit: instance
    description: What runs
    alt_name: instance
    factor: 1/3600
    offset: -0.5
    groupby: [id, flavor]
    metadata: [name]
    mutate: MAP
    mutate_map: {0: 0, 1.0: 1, 2: 0.5, -3: 1e-3}
    extra_args: {aggregation_method: sum}
    skip_datapoints_expression: "datapoint.get('vol', {}).get('qty') == 0"
""")
    (metric,) = metrics
    assert (metric.name, metric.alt_name, metric.unit, metric.description) == (
        "cpu_seconds", "instance", "instance", "What runs")
    assert (metric.factor, metric.offset) == (Fraction(1, 3600), Fraction(-1, 2))
    assert (metric.groupby, metric.metadata) == (("id", "flavor", "project_id"), ("name",))
    assert metric.mutate == "MAP"
    assert metric.mutate_map == {0: 0, 1: 1, 2: Decimal("0.5"), -3: Decimal("0.001")}
    assert metric.args == (("aggregation_method", "sum"),)
    assert metric.skip is not None
    assert metric.skip.text == "datapoint.get('vol', {}).get('qty') == 0"


def test_what_is_left_out_has_its_default():
    (metric,) = loaded("metrics: {cpu: {unit: instance}}")
    assert (metric.alt_name, metric.description, metric.factor, metric.offset) == ("cpu", "", 1, 0)
    assert (metric.groupby, metric.metadata, metric.mutate, metric.mutate_map) == (("project_id",), (), "NONE", {})
    assert metric.args == ()
    assert metric.skip is not None
    assert metric.skip.never


def test_the_scope_key_may_be_listed_and_keeps_its_place():
    assert one("groupby: [project_id, id]").groupby == ("project_id", "id")


def test_one_source_metric_may_be_defined_several_times():
    metrics = loaded("""
metrics:
  image:
    - {unit: GiB, alt_name: image_size, factor: 1/1073741824}
    - {unit: image, alt_name: image, mutate: NUMBOOL}
  volume: {unit: GiB}
""")
    assert [(metric.name, metric.alt_name, metric.mutate) for metric in metrics] == [
        ("image", "image_size", "NONE"), ("image", "image", "NUMBOOL"), ("volume", "volume", "NONE")]


def test_c7_two_metrics_of_one_name_and_one_unit_may_add_up():
    metrics = loaded("metrics: {rx: {unit: B, alt_name: traffic}, tx: {unit: B, alt_name: traffic}}")
    assert [metric.alt_name for metric in metrics] == ["traffic", "traffic"]


@pytest.mark.parametrize("mutate", ["NONE", "NUMBOOL", "NOTNUMBOOL", "FLOOR", "CEIL"])
def test_every_mutation_is_known(mutate):
    assert one(f"mutate: {mutate}").mutate == mutate


@pytest.mark.parametrize(("written", "exact"), [
    ("2", Fraction(2)), ("0.1", Fraction(1, 10)), ("'1/1048576'", Fraction(1, 1048576)),
    ("1/1048576", Fraction(1, 1048576)), ("1e-6", Fraction(1, 10**6)), ("9.5367431640625E-7", Fraction(1, 1048576)),
    ("-3", Fraction(-3)), ("'0.5'", Fraction(1, 2)),
    ("1_000", Fraction(1000)), ("'-1/3'", Fraction(-1, 3)), ("0", Fraction(0)),
])
def test_c10_factor_and_offset_are_exact(written, exact):
    metric = one(f"factor: {written}, offset: {written}")
    assert (metric.factor, metric.offset) == (exact, exact)


@given(st.integers(-10**18, 10**18), st.integers(0, 12), st.integers(-10**12, 10**12))
def test_c10_factor_is_exact(digits, places, raw):
    """Also where binary floating point has no such number: the quantity is that of exact arithmetic."""
    factor = Decimal(digits).scaleb(-places)
    metric = one(f"factor: {factor:f}")
    assert metric.factor == Fraction(digits, 10**places)
    exact = Fraction(digits, 10**places) * raw
    if abs(exact) < 10**15:
        assert Fraction(metric.quantity(raw)) == exact


def test_c39_the_skip_expression_of_all_metrics_is_the_default_of_each():
    assert [metric.skip.text for metric in loaded(
        "metrics: {a: {unit: x}, b: {unit: x, skip_datapoints_expression: 'False'}}",
        default_skip="datapoint['vol']['qty'] == 0") if metric.skip] == ["datapoint['vol']['qty'] == 0", "False"]


WRONG = [
    ("", "must be a mapping with the key 'metrics'"),
    ("[]", "must be a mapping with the key 'metrics'"),
    ("metric: {}", "must be a mapping with the key 'metrics'"),
    ("metrics:", "line 1: metrics: must be a mapping of at least one"),
    ("metrics: {}", "must be a mapping of at least one"),
    ("metrics: [{unit: x}]", "must be a mapping of at least one"),
    ("metrics: {a: {unit: x}}\nother: 1", "line 2: 'other' is unknown"),
    ("metrics: {a: }", "metric 'a': must be a definition"),
    ("metrics: {a: x}", "metric 'a': must be a definition"),
    ("metrics: {a: []}", "metric 'a': must be a definition"),
    ("metrics: {a: [x]}", "metric 'a': definition 1: must be a mapping"),
    ("metrics: {a: {}}", "metric 'a': unit: is missing"),
    ("metrics: {a: [{unit: x}, {alt_name: b}]}", "metric 'a': definition 2: unit: is missing"),
    ("metrics: {'': {unit: x}}", "metric '': is empty"),
    ("metrics: {a: {unit: ''}}", "unit: is empty"),
    ("metrics: {a: {unit: 5}}", "unit: 5 is not text: write it in quotes"),
    ("metrics: {a: {unit: no}}", "unit: False is not text"),
    ("metrics: {a: {unit: [x]}}", "unit: a list is not text"),
    ('metrics: {a: {unit: "x\\0"}}', "cannot be stored"),
    ('metrics: {a: {unit: "\\ud800"}}', "cannot be stored|invalid Unicode"),       # with and without the C library
    (f"metrics: {{a: {{unit: {'x' * 65}}}}}", "longer than 64"),
    ("metrics: {a: {unit: x, untt: y}}", "untt: is unknown: did you mean 'unit'?"),
    ("metrics: {a: {unit: x, group_by: [a]}}", "group_by: is unknown: did you mean 'groupby'?"),
    ("metrics: {a: {unit: x, zzz: [a]}}", "zzz: is unknown$"),
    ("metrics: {a: {unit: x, factor: abc}}", "factor: 'abc' is not a number"),
    ("metrics: {a: {unit: x, factor: true}}", "factor: True is not a number"),
    ("metrics: {a: {unit: x, factor: }}", "factor: None is not a number"),
    ("metrics: {a: {unit: x, factor: [1]}}", "factor: a list is not a number"),
    ("metrics: {a: {unit: x, factor: 1/0}}", "factor: '1/0' divides by zero"),
    ("metrics: {a: {unit: x, factor: .nan}}", "factor: '.nan' is not a number"),
    ("metrics: {a: {unit: x, factor: .inf}}", "factor: '.inf' is not a number"),
    ("metrics: {a: {unit: x, factor: 'Infinity'}}", "factor: 'Infinity' is not a number"),
    ("metrics: {a: {unit: x, factor: '1e999999999'}}", "factor: '1e999999999' is not a number"),
    ("metrics: {a: {unit: x, factor: 1e999999999}}", "out of range"),
    ("metrics: {a: {unit: x, factor: 1e-60}}", "too many digits"),
    ("metrics: {a: {unit: x, offset: 1:30}}", "offset: '1:30' is not a number"),
    ("metrics: {a: {unit: x, offset: 2026-01-01}}", "offset: '2026-01-01' is not a number"),
    ("metrics: {a: {unit: x, groupby: id}}", "groupby: must be a list"),
    ("metrics: {a: {unit: x, groupby: }}", "groupby: must be a list"),
    ("metrics: {a: {unit: x, groupby: [1]}}", "groupby: 1 is not text"),
    ("metrics: {a: {unit: x, groupby: ['']}}", "groupby: is empty"),
    ("metrics: {a: {unit: x, groupby: [id, id]}}", "groupby: 'id' is there twice"),
    ("metrics: {a: {unit: x, metadata: [id, id]}}", "metadata: 'id' is there twice"),
    ("metrics: {a: {unit: x, groupby: [id], metadata: [id]}}", "metadata: 'id' is in groupby too"),
    ("metrics: {a: {unit: x, metadata: [project_id]}}", "metadata: 'project_id' is the scope key"),
    ("metrics: {a: {unit: x, mutate: floor}}", "mutate: 'floor' is unknown: did you mean FLOOR?"),
    ("metrics: {a: {unit: x, mutate: 1}}", "mutate: 1 is unknown: it is one of NONE"),
    ("metrics: {a: {unit: x, mutate: [FLOOR]}}", "mutate: a list is unknown"),
    ("metrics: {a: {unit: x, mutate: MAP}}", "mutate: MAP needs a mutate_map"),
    ("metrics: {a: {unit: x, mutate_map: {1: 2}}}", "mutate_map: is for mutate: MAP alone, and mutate is NONE"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {}}}", "mutate_map: must be a mapping"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: [1]}}", "mutate_map: must be a mapping"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {on: 1}}}", "mutate_map: 'on' is not a number"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {1: true}}}", "mutate_map: True is not a number"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {1: NaN}}}", "mutate_map: 'NaN' is not a finite number"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {1: 1e30}}}", "mutate_map: .* out of range"),
    ("metrics: {a: {unit: x, mutate: MAP, mutate_map: {11: 1, 11.0: 2}}}", "mutate_map: '11.0' is there twice"),
    ("metrics: {a: {unit: x, extra_args: [x]}}", "extra_args: must be a mapping"),
    ("metrics: {a: {unit: x, extra_args: {agg: sum}}}", "extra_args: 'agg' is unknown"),
    ("metrics: {a: {unit: x, skip_datapoints_expression: ''}}", "skip_datapoints_expression: is empty"),
    ("metrics: {a: {unit: x, skip_datapoints_expression: False}}", "skip_datapoints_expression: must be text"),
    ("metrics: {a: {unit: x, skip_datapoints_expression: 'quantity == 0'}}", "column 1: 'quantity' is unknown"),
    ("metrics: {a: {unit: x, skip_datapoints_expression: \"datapoint['metadata']['zone'] == ''\"}}",
     "needs the metadata label 'zone', which the metric does not have"),
    ("metrics: {a: [{unit: x}, {unit: x}]}", "metric 'a': definition 2: is defined twice"),
    ("metrics: {a: [{unit: x, alt_name: b}, {unit: y, alt_name: b}]}", "definition 2: is defined as 'b' twice"),
    ("metrics: {a: [{unit: x}, {unit: x, alt_name: a}]}", "is defined twice"),
    ("metrics: {a: {unit: x}, b: {unit: y, alt_name: a}}", "alt_name: 'a' is in x for 'a' and in y here"),
    ("metrics: {a: {unit: x}, b: {unit: x, alt_name: a, skip_datapoints_expression: 'True'}}",
     "skip_datapoints_expression: not that of 'a', with which this is added up"),
    ("metrics: {a: {unit: x}, a: {unit: y}}", "line 1: the key 'a' is there twice"),
    ("metrics: {a: {unit: x", r"line \d: "),
    ("metrics: {a: !!python/name:os.system {unit: x}}", "line 1: .*tag|line 1: could not"),
    ("metrics: &a {b: *a}", "line 1: .*nothing before"),
    ("metrics: {a: {unit: \x07}}", "is not YAML"),
]


@pytest.mark.parametrize(("text", "line"), WRONG)
def test_what_is_wrong_is_one_clear_line(text, line):
    with pytest.raises(Invalid) as refused:
        loaded(text)
    (problem,) = refused.value.problems
    assert problem.startswith("metrics.yml: ")
    assert re.search(line, problem), problem
    assert "\n" not in problem
    assert len(problem) < 250


def test_c39_every_problem_is_named_at_once_with_line_metric_and_key():
    with pytest.raises(Invalid) as refused:
        loaded("""\
metrics:
  cpu:
    factor: abc
    groupby: [id]
    metadata: [id]
    mutate: MAP
  volume:
    - unit: GiB
      offset: 1/0
    - unit: TiB
      alt_name: big
      extra_args:
        agg: sum
        fun: rate
  uncollectable: {unit: x}
""", default_skip="nonsense")
    assert refused.value.problems == (
        ("[orchestrator] skip_datapoints_expression: 'nonsense': column 1: 'nonsense' is unknown: "
         "the only name is datapoint"),
        "metrics.yml: line 3: metric 'cpu': unit: is missing",
        "metrics.yml: line 3: metric 'cpu': factor: 'abc' is not a number: write 0.5, 1e-6 or 1/1024",
        "metrics.yml: line 5: metric 'cpu': metadata: 'id' is in groupby too: a label is one or the other",
        "metrics.yml: line 6: metric 'cpu': mutate: MAP needs a mutate_map",
        "metrics.yml: line 9: metric 'volume': definition 1: offset: '1/0' divides by zero",
        "metrics.yml: line 12: metric 'volume': definition 2: extra_args: 'agg' is unknown",
        "metrics.yml: line 12: metric 'volume': definition 2: extra_args: 'fun' is unknown",
        "metrics.yml: line 15: metric 'uncollectable': cannot be collected",
        "metrics.yml: line 15: metric 'uncollectable': not even tomorrow",
    )


def test_a_default_expression_must_suit_every_metric():
    default = "datapoint['metadata']['name'] == 'idle'"
    assert one("metadata: [name]", default_skip=default).skip is not None
    with pytest.raises(Invalid, match=r"metric 'cpu': .*the default expression .* needs the metadata label 'name'"):
        one("metadata: []", default_skip=default)


def test_aliases_cannot_blow_up():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(Invalid, match="aliases"):
        loaded(bomb + "metrics: {cpu: {unit: *i}}")


def test_anchors_save_writing():
    metrics = loaded("""
metrics:
  a: &one {unit: GiB, groupby: [id], factor: 1/1024}
  b: {<<: *one, alt_name: bee}
""")
    assert [metric.alt_name for metric in metrics] == ["a", "bee"]
    assert {metric.factor for metric in metrics} == {Fraction(1, 1024)}


def test_the_digest_names_text_scope_key_and_default():
    text = "metrics: {cpu: {unit: instance}}"
    first = load(text, Words(), "project_id")
    assert re.fullmatch("[0-9a-f]{64}", first.digest)
    assert load(text, Words(), "project_id", "False").digest == first.digest
    others = {load(text + " ", Words(), "project_id").digest, load(text, Words(), "tenant").digest,
              load(text, Words(), "project_id", "True").digest}
    assert len(others | {first.digest}) == 4
    assert first.text == text


def test_a_file_is_read_as_utf_8(tmp_path):
    path = tmp_path / "metrics.yml"
    path.write_text("\ufeffmetrics: {cpu: {unit: é}}", encoding="utf-8")
    assert loaded(read(path))[0].unit == "é"


@pytest.mark.parametrize(("content", "reason"), [
    (None, "there is no such file"), (b"metrics:\n  \xff", "line 2: not UTF-8"), (b"x" * 1_000_001, "larger than"),
])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, reason):
    path = tmp_path / "metrics.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Invalid, match=reason) as refused:
        read(path)
    assert str(path) in str(refused.value)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(Invalid, match="no such file"):
        read(tmp_path)


def test_the_example_that_ships_is_right_and_shows_every_key():
    text = read(Path(__file__).parents[3] / "etc" / "cloudkitty_like" / "metrics.yml")
    collector = object.__new__(PrometheusCollector)         # what it reads of metrics.yml needs no server
    metrics = load(text, collector, "project_id").metrics
    assert {"cpu", "memory", "instance_present", "traffic", "volume", "reserved_server"} == {
        metric.alt_name for metric in metrics}
    assert [key for key in KEYS if not re.search(rf"^[ -]*{key}:", text, re.MULTILINE)] == []


def test_what_a_collector_says_about_its_part_names_that_part_once():
    text = "metrics: {up: {unit: u, extra_args: {aggregation_method: summ}}}"
    with pytest.raises(Invalid, match=r"'up': extra_args: aggregation_method: 'summ' is not one of"):
        load(text, PrometheusCollector(Prometheus("http://localhost")), "project_id")
