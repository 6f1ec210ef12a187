"""The file collector: the contract of every collector, wrong files, changing files, and how little it holds."""
from __future__ import annotations

import csv
import gzip
import io
import os
import tracemalloc
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudkitty_like.collector.file import FileCollector
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.testing.collector import SAMPLES, CollectorContract

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LENGTH = timedelta(hours=1)
CPU = Metric("cpu", "core", groupby=("project_id", "flavor"), metadata=("zone",))
HEADER = "begin,metric,quantity,project_id,flavor,zone"


def hour(number: int) -> Period:
    return Period.starting(BEGIN + number * LENGTH, LENGTH)


def rows_of(samples: Iterable[tuple[str, str, str, Mapping[str, str]]], labels: list[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["begin", "metric", "quantity", *labels], restval="")
    writer.writeheader()
    for when, metric, quantity, values in samples:
        writer.writerow({"begin": when, "metric": metric, "quantity": quantity, **values})
    return text.getvalue()


def contract_file() -> str:
    return rows_of(((instant(sample.when), sample.metric, sample.quantity, sample.labels) for sample in SAMPLES),
                   ["project_id", "flavor", "zone", "instance"])


class TestFile(CollectorContract):
    @pytest.fixture
    def collector(self, tmp_path):
        path = tmp_path / "usage.csv"
        path.write_text(contract_file(), encoding="utf-8", newline="")
        return FileCollector(path)


class TestSemicolons(CollectorContract):
    @pytest.fixture
    def collector(self, tmp_path):
        path = tmp_path / "usage.csv"
        text = io.StringIO()
        csv.writer(text, delimiter=";").writerows(csv.reader(io.StringIO(contract_file())))
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        return FileCollector(path)


class TestGzip(CollectorContract):
    @pytest.fixture
    def collector(self, tmp_path):
        path = tmp_path / "usage.csv"       # no .gz: what it is decides, not its name
        path.write_bytes(gzip.compress(contract_file().encode()))
        return FileCollector(path)


def written(folder: Path, *lines: str, header: str = HEADER) -> FileCollector:
    path = folder / "usage.csv"
    path.write_text("\n".join((header, *lines, "")), encoding="utf-8", newline="")
    return FileCollector(path)


def amounts(collector: FileCollector, period: Period, *scopes: str) -> dict[str, list[str]]:
    answer = collector.collect(CPU, period, scopes or ("p", "q"))
    return {scope: [str(qty.normalize()) for qty in frame.qty] for scope, frame in answer.frames.items()}


def test_instants_may_have_an_offset_or_none_and_columns_any_order(tmp_path):
    collector = written(
        tmp_path, "p,1,2026-03-01T01:59:59+01:00,cpu,a", "p,2,2026-03-01T01:00:00Z,cpu,a", "p,4,2026-03-01 00:30,cpu,b",
        "p,8,2026-03-01,cpu,c", header="project_id,quantity,begin,metric,flavor")
    assert amounts(collector, hour(0)) == {"p": ["1", "4", "8"]}
    assert amounts(collector, hour(1)) == {"p": ["2"]}


def test_a_declared_label_that_is_no_column_is_empty(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1,p", header="begin,metric,quantity,project_id")
    frame = collector.collect(CPU, hour(0), ["p"]).frames["p"]
    assert list(frame.rows()) == [(("p", ""), ("",), Decimal(1), None)]


def test_c10_quantities_are_exact_and_pass_through_factor_and_mutation(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,0.1,p,a,", "2026-03-01,cpu,123456789012.000000000001,p,b,",
                        "2026-03-01,cpu,1e-3,p,c,")
    assert amounts(collector, hour(0)) == {"p": ["0.1", "123456789012.000000000001", "0.001"]}
    half = Metric("cpu", "core", factor=Fraction(1, 2), groupby=("project_id", "flavor"))
    assert collector.collect(half, hour(0), ["p"]).frames["p"].qty[0] == Decimal("0.05")


def test_equal_rows_of_a_period_add_up(tmp_path):
    collector = written(tmp_path, *(f"2026-03-01T00:{minute:02}:00Z,cpu,0.1,p,a," for minute in range(60)))
    assert amounts(collector, hour(0)) == {"p": ["6"]}
    assert amounts(collector, Period.starting(BEGIN, timedelta(minutes=15))) == {"p": ["1.5"]}


@pytest.mark.parametrize("packed", [False, True])
def test_an_unsorted_file_says_the_same_as_a_sorted_one(tmp_path, packed):
    lines = [f"{instant(BEGIN + number * timedelta(minutes=7))},cpu,{number},p,f{number % 3}," for number in range(500)]
    shuffled = [lines[place * 263 % 500] for place in range(500)]
    one, other = tmp_path / "sorted", tmp_path / "shuffled"
    for path, content in ((one, lines), (other, shuffled)):
        text = "\r\n".join([HEADER, "", *content, "", ""]).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
    for number in (*range(60), 3, 2, 59, 0):
        assert amounts(FileCollector(one), hour(number)) == amounts(FileCollector(other), hour(number))
    day = Period.starting(BEGIN, timedelta(days=30))
    assert amounts(FileCollector(other), day) == amounts(FileCollector(one), day)
    assert FileCollector(other).begins([CPU], Period.starting(BEGIN + timedelta(minutes=8), LENGTH)) == (
        BEGIN + timedelta(minutes=14))


def test_quoted_line_breaks_do_not_confuse_where_rows_are(tmp_path):
    collector = written(tmp_path, '2026-03-01T00:00:00Z,cpu,1,"p","a\nb",',
                        '2026-03-01T01:00:00Z,cpu,2,q,"a ""b"", c",x', '2026-03-01T00:00:00Z,cpu,4,q,"é\r\n",')
    assert amounts(collector, hour(0)) == {"p": ["1"], "q": ["4"]}
    assert list(collector.collect(CPU, hour(1), ["q"]).frames["q"].labels["flavor"]) == ['a "b", c']


def test_it_is_proven_that_nothing_was_used_up_to_the_last_row_and_not_after(tmp_path):
    collector = written(tmp_path, "2026-03-01T02:30,cpu,1,p,a,", "2026-03-01T05:30,cpu,1,p,a,")
    assert [collector.collect(CPU, hour(number), ["p"]).proven for number in (0, 2, 4, 5, 6)] == [
        True, True, True, True, False]
    assert not written(tmp_path).collect(CPU, hour(0), ["p"]).proven


def test_data_begins_where_the_metrics_asked_for_do(tmp_path):
    collector = written(tmp_path, "2026-03-01T02:30,ram,1,p,a,", "2026-03-01T05:40,cpu,1,p,a,",
                        "2026-03-01T05:20,cpu,1,p,a,")
    month, ram = Period.month_of(BEGIN), Metric("ram", "GiB")
    assert collector.begins([CPU], month) == BEGIN + timedelta(hours=5, minutes=20)
    assert collector.begins([CPU, ram], month) == BEGIN + timedelta(hours=2, minutes=30)
    assert collector.begins([CPU], Period.starting(BEGIN + timedelta(hours=5, minutes=30), LENGTH)) == (
        BEGIN + timedelta(hours=5, minutes=40))
    assert collector.begins([CPU], hour(6)) is None
    assert collector.begins([], month) is None


def test_what_is_wrong_with_one_scope_fails_that_scope_alone(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1e15,p,a,", "2026-03-01,cpu,1,q,a,")
    answer = collector.collect(CPU, hour(0), ["p", "q"])
    assert list(answer.frames) == ["q"]
    assert "out of range" in str(answer.failed["p"])
    assert "cpu in " in str(answer.failed["p"])


WRONG = [
    ("2026-03-01,cpu,1,p,a", "line 2: has 5 fields, the header 6"),
    ("2026-03-01,cpu,1,p,a,b,c", "line 2: has 7 fields, the header 6"),
    ("2026-13-01,cpu,1,p,a,", "line 2: column 'begin': '2026-13-01' is not a date"),
    ("yesterday,cpu,1,p,a,", "line 2: column 'begin': 'yesterday' is not a date"),
    (",cpu,1,p,a,", "line 2: column 'begin': '' is not a date"),
    ("2026-03-01,,1,p,a,", "line 2: column 'metric': a metric's name has 1 to 255"),
    ("2026-03-01,cpu,,p,a,", "line 2: column 'quantity': '' is not a number"),
    ("2026-03-01,cpu,one,p,a,", "line 2: column 'quantity': 'one' is not a number"),
    ("2026-03-01,cpu,NaN,p,a,", "line 2: column 'quantity': 'NaN' is not a finite number"),
    ("2026-03-01,cpu,-inf,p,a,", "line 2: column 'quantity': '-inf' is not a finite number"),
    ('2026-03-01,cpu,"1,5",p,a,', "line 2: column 'quantity': '1,5' has a comma; write a point"),
    ("2026-03-01,cpu,1,,a,", "line 2: column 'project_id': a scope id is empty"),
    (f"2026-03-01,cpu,1,{'x' * 256},a,", "line 2: column 'project_id': scope id .* 256 characters"),
    ("2026-03-01,c\0u,1,p,a,", "line 2: column 'metric': a metric's name has no NUL"),
    ("2026-03-01,cpu,1,p\0,a,", "line 2: column 'project_id': scope id .* holds a character that cannot be stored"),
    ("2026-03-01\0,cpu,1,p,a,", "line 2: column 'begin': '2026-03-01.x00' is not a date"),
    ('2026-03-01,cpu,1,p,"a"b,', "line 2: is not CSV"),
    ('2026-03-01,cpu,1,p,"a,\n2026-03-01,cpu,1,p,a,', "line 2: a quote that opens in this row is never closed"),
    ('2026-03-01,cpu,1,p,"a,\n' + "x" * (1 << 20), "line 2: is longer than 1048576 bytes"),
]


@pytest.mark.parametrize(("lines", "problem"), WRONG)
def test_a_wrong_row_is_one_clear_line(tmp_path, lines, problem):
    collector = written(tmp_path, lines, "2026-03-01,cpu,1,p,a,")
    for call in (collector.check_file, lambda: collector.collect(CPU, hour(0), ["p"]),
                 lambda: collector.begins([CPU], hour(0))):
        with pytest.raises(Invalid, match=problem) as refused:
            call()
        assert len(refused.value.problems) == 1
        assert str(refused.value).startswith(f"{tmp_path / 'usage.csv'}: line ")


@pytest.mark.parametrize(("header", "problems"), [
    ("", ["is empty; it needs a header: begin,metric,quantity,project_id"]),
    ("begin,metric,project_id", ["line 1: the header has no column 'quantity'"]),
    ("begin,metric,quantity,tenant", ["line 1: the header has no column 'project_id'"]),
    ("begin,metric,quantity,project_id,a,a,", [
        "line 1: the header has the column 'a' twice", "line 1: the header has a column without a name"]),
    ("a;b", [f"line 1: the header has no column {name!r}" for name in ("begin", "metric", "quantity", "project_id")]),
])
def test_a_wrong_header_is_named(tmp_path, header, problems):
    path = tmp_path / "usage.csv"
    path.write_text(header)
    with pytest.raises(Invalid) as refused:
        FileCollector(path).check_file()
    assert refused.value.problems == tuple(f"{path}: {problem}" for problem in problems)


def test_every_column_of_a_row_is_named_and_twenty_problems_at_most(tmp_path):
    with pytest.raises(Invalid) as refused:
        written(tmp_path, "soon,,much,,a,").check_file()
    assert [problem.split("'")[1] for problem in refused.value.problems] == [
        "begin", "metric", "quantity", "project_id"]
    with pytest.raises(Invalid) as refused:
        written(tmp_path, *["2026-03-01,cpu,x,p,a,"] * 50).check_file()
    assert len(refused.value.problems) == 21
    assert refused.value.problems[-1].endswith("too many problems; reading stopped at line 21")


def test_text_that_is_not_utf_8_is_named(tmp_path):
    collector = written(tmp_path)
    with (tmp_path / "usage.csv").open("ab") as file:
        file.write(b"2026-03-01,cpu,1,p,caf\xe9,\n")
    with pytest.raises(Invalid, match="line 2: byte 23 of the row is not UTF-8"):
        collector.check_file()


def test_a_byte_order_mark_is_not_part_of_the_header(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1,p,a,", header="\ufeff" + HEADER)
    assert amounts(collector, hour(0)) == {"p": ["1"]}


@pytest.mark.parametrize("cut", [12, 40, 60])
def test_a_broken_gzip_file_is_said_to_be_one(tmp_path, cut):
    path = tmp_path / "usage.csv.gz"
    whole = gzip.compress("\n".join([HEADER, *(f"2026-03-01,cpu,{number},p,a," for number in range(99))]).encode())
    path.write_bytes(whole[:cut])
    with pytest.raises(Invalid, match="the gzip file is broken"):
        FileCollector(path).check_file()
    path.write_bytes(whole[:cut] + b"?" + whole[cut + 1:])
    with pytest.raises(Invalid):
        FileCollector(path).check_file()


def test_a_file_that_vanishes_is_unavailable_and_back_when_it_is_back(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1,p,a,")
    assert amounts(collector, hour(0)) == {"p": ["1"]}
    (tmp_path / "usage.csv").rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match=r"usage\.csv cannot be read"):
        collector.collect(CPU, hour(0), ["p"])
    (tmp_path / "elsewhere").rename(tmp_path / "usage.csv")
    assert amounts(collector, hour(0)) == {"p": ["1"]}


def test_a_file_that_changes_is_read_and_checked_again(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1,p,a,")
    assert amounts(collector, hour(0)) == {"p": ["1"]}
    written(tmp_path, "2026-03-01,cpu,1,p,a,", "2026-03-01,cpu,2,q,a,")
    assert amounts(collector, hour(0)) == {"p": ["1"], "q": ["2"]}
    written(tmp_path, "2026-03-01,cpu,nothing,p,a,")
    with pytest.raises(Invalid, match="'nothing' is not a number"):
        collector.collect(CPU, hour(0), ["p"])
    written(tmp_path, "2026-03-01,cpu,3,p,a,")
    assert amounts(collector, hour(0)) == {"p": ["3"]}


def test_metrics_of_a_period_may_be_collected_side_by_side(tmp_path):
    lines = [f"{instant(BEGIN + number % 24 * LENGTH)},m{number % 5},{number},p,f{number}," for number in range(2400)]
    collector = written(tmp_path, *lines)
    metrics = [Metric(f"m{number}", "x", groupby=("project_id", "flavor")) for number in range(5)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job: collector.collect(job[0], job[1], ["p"]).frames,
                                [(metric, hour(number)) for number in range(24) for metric in metrics]))
    assert sum(sum(frames["p"].qty) for frames in answers if frames) == sum(range(2400))




def test_there_are_no_extra_args(tmp_path):
    collector = written(tmp_path)
    assert collector.parse_args({}) is None
    with pytest.raises(Invalid) as refused:
        collector.parse_args({"aggregation_method": "max", "x": 1})
    assert len(refused.value.problems) == 2


def test_it_is_built_from_its_options(tmp_path):
    collector = written(tmp_path, "2026-03-01,cpu,1,t,p", header="begin,metric,quantity,tenant,project_id")
    path = str(tmp_path / "usage.csv")
    built = FileCollector.from_conf(SimpleNamespace(path=path), PluginContext(scope_key="tenant"))
    assert set(built.collect(CPU, hour(0), ["t", "p"]).frames) == {"t"}
    assert set(collector.collect(CPU, hour(0), ["t", "p"]).frames) == {"p"}
    for value, problem in ((None, "is not set"), ("", "is not set"), (str(tmp_path), "no such file"),
                           (path + "x", "no such file"), ("a\0b", "no such file")):
        with pytest.raises(Invalid, match=rf"\[collector_file\] path: .*{problem}"):
            FileCollector.from_conf(SimpleNamespace(path=value), PluginContext())


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_a_large_file_is_not_held_in_memory(tmp_path, packed):
    rows, hours = 200_000, 720
    path = tmp_path / "large.csv"
    padding = "x" * 150
    with gzip.open(path, "wt", compresslevel=1) if packed else path.open("w") as file:
        file.write(HEADER + "\n")
        for number in range(rows):
            when = BEGIN + number * hours // rows * LENGTH
            file.write(f"{when:%Y-%m-%dT%H:%M:%SZ},cpu,{number}.5,project {number % 50},m1.small,{padding}{number}\n")
    assert packed or path.stat().st_size > 40_000_000
    scopes = [f"project {number}" for number in range(50)]
    tracemalloc.start()
    try:
        collector = FileCollector(path)
        assert collector.begins([CPU], Period.month_of(BEGIN)) == BEGIN
        read = sum(len(frame) for number in (0, 1, 359, 719)
                   for frame in collector.collect(CPU, hour(number), scopes).frames.values())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1100 < read < 1120
    assert peak < 5_000_000


def test_the_temporary_text_of_a_packed_file_goes_with_the_collector(tmp_path):
    path = tmp_path / "usage.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n2026-03-01,cpu,1,p,a,\n".encode()))
    before = len(os.listdir("/proc/self/fd"))
    collector = FileCollector(path)
    assert amounts(collector, hour(0)) == {"p": ["1"]}
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del collector
    assert len(os.listdir("/proc/self/fd")) == before


def test_i8_m4_it_tells_its_metrics_and_the_labels_that_any_row_of_each_has(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(rows_of([
        ("2026-03-01", "cpu", "1", {"project_id": "a", "flavor": "small"}),
        ("2026-03-01", "cpuu", "1", {"project_id": "a", "zone": ""}),
        ("2026-03-01", "cpu", "1", {"project_id": "a", "zone": "z"}),
    ], ["project_id", "flavor", "zone", "image"]))
    names = FileCollector(path).names([CPU], labels=True)
    assert names.metrics == {"cpu", "cpuu"}
    assert dict(names.labels) == {"cpu": {"project_id", "flavor", "zone"}, "cpuu": {"project_id"}}
    assert names.usage_only
