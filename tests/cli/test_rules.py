import json
import re
import subprocess
import sys

import pytest

from cloudkitty_like.cli.main import main
from cloudkitty_like.service.operation.migration import upgrade
from tests.databases import new_database

FILE = """\
services:
  instance:
    - {field: flavor, value: m1.small, cost: 0.10, name: small}
    - {field: flavor, value: m1.old, cost: 0.2, end: 2020-01-01}
    - {level: 100, cost: 0.9, type: rate, scope: shop, start: 2100-01-01}
"""


@pytest.fixture
def command(tmp_path, capsys):
    """Runs a sub-command on a new database: its exit code, its output, its errors."""
    with new_database("sqlite", create=False) as database:
        upgrade(database)
        configuration = tmp_path / "cloudkitty_like.conf"
        configuration.write_text(f"[database]\nconnection = {database.url.render_as_string()}\n")

        def run(*argv):
            code = main([*run.options, *map(str, argv)])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        run.options = ["--config-file", str(configuration)]
        yield run


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "rules.yml"
        path.write_text(text)
        return path

    return write


def test_the_difference_is_printed_and_applying_twice_changes_nothing(command, write):
    path = write(FILE)
    code, out, err = command("rules", "apply", path)
    assert (code, err) == (0, "")
    assert out == """\
+ instance, flavor=m1.old: flat 0.2 from always until 2020-01-01T00:00:00Z
+ instance, flavor=m1.small: flat 0.1 from always
+ instance, quantity >= 100, scope shop: rate 0.9 from 2100-01-01T00:00:00Z
3 added, 0 changed, 0 withdrawn, 0 unchanged.
Recorded.
"""
    assert command("rules", "apply", path) == (0, "No change: 3 rules are as they should be.\n", "")


def test_a_dry_run_records_nothing(command, write):
    code, out, _ = command("rules", "apply", write(FILE), "--dry-run")
    assert code == 0
    assert out.endswith("3 added, 0 changed, 0 withdrawn, 0 unchanged.\nNothing was recorded: a dry run.\n")
    assert command("rules", "export", "--all")[1] == "period: 3600\nservices: {}\n"


def test_an_export_leaves_out_what_has_ended_unless_all_is_wanted(command, write):
    command("rules", "apply", write(FILE))
    lasting, everything = command("rules", "export")[1], command("rules", "export", "--all")[1]
    assert "m1.old" not in lasting
    assert "m1.old" in everything
    for text in (lasting, everything):
        assert command("rules", "apply", write(text))[1].startswith("No change")


def test_a_file_can_come_by_the_standard_input(command):
    program = [sys.executable, "-m", "cloudkitty_like.cli.main", *command.options, "rules", "apply", "-"]
    assert subprocess.run(program, input=FILE.encode(), capture_output=True, check=True).stdout.endswith(b"Recorded.\n")


def test_a_change_can_be_effective_at_a_time_or_retroactive(command, write):
    command("rules", "apply", write("services: {m: [{cost: 1}]}"))
    command("rules", "apply", write("services: {m: [{cost: 2}]}"), "--effective", "2100-01-01")
    assert command("rules", "export")[1] == """\
period: 3600
services:
  m:
    - {cost: 1, end: 2100-01-01T00:00:00Z}
    - {cost: 2, start: 2100-01-01T00:00:00Z}
"""
    command("rules", "apply", write("services: {m: [{cost: 3}]}"), "--retroactive", "--reason", "a mistake")
    assert command("rules", "export", "--all")[1] == "period: 3600\nservices:\n  m:\n    - {cost: 3}\n"


def test_i8_m3_a_price_change_moves_back_only_where_that_is_asked_for(command, write):
    command("rules", "apply", write("services: {m: [{cost: 1}]}"))
    path = write("services: {m: [{cost: 2}]}")
    command("rules", "apply", path, "--effective", "2100-06-01")
    before = command("rules", "export")[1]
    for options in (("--effective", "2100-01-01"), ("--effective", "2100-01-01", "--dry-run"), ()):
        code, out, err = command("rules", "apply", path, *options)
        assert code == 1
        assert [line[0] for line in out.splitlines()] == ["!", " ", "!", " ", "0"]
        assert "(its change of 2100-06-01T00:00:00Z moves back)" in out
        assert "Recorded" not in out
        assert "error: m: flat 2 from 2100-06-01T00:00:00Z would hold from " in err
        assert "--move-changes" in err
        assert command("rules", "export")[1] == before
    assert command("rules", "apply", path, "--effective", "2100-07-01")[1].startswith("No change")
    code, out, err = command("rules", "apply", path, "--effective", "2100-01-01", "--move-changes", "--dry-run")
    assert (code, err) == (0, "")
    assert out.endswith("Nothing was recorded: a dry run.\n")
    code, out, err = command("rules", "apply", path, "--effective", "2100-01-01", "--move-changes")
    assert (code, err, out[0]) == (0, "", "!")
    assert command("rules", "export")[1].splitlines()[-1] == "    - {cost: 2, start: 2100-01-01T00:00:00Z}"


def test_i8_m3_retroactively_a_change_moves_back_without_another_word(command, write):
    command("rules", "apply", write("services: {m: [{cost: 1}]}"))
    path = write("services: {m: [{cost: 2}]}")
    command("rules", "apply", path, "--effective", "2100-06-01")
    assert command("rules", "apply", path, "--retroactive")[0] == 0
    assert command("rules", "export")[1].splitlines()[-1] == "    - {cost: 2}"


def test_i8_m5_rules_that_were_written_for_another_period_are_warned_of(command, write):
    exported = command("rules", "export")[1]
    assert exported == "period: 3600\nservices: {}\n"
    assert command("rules", "apply", write(exported))[2] == ""
    for period, factor, share in ((60, "60", "1/60"), (86400, "1/24", "24")):
        code, out, err = command("rules", "apply", write(f"period: {period}\nservices: {{m: [{{cost: 1}}]}}"))
        assert code == 0
        assert (f"rules.yml: period: its costs are for periods of {period} s, and a period is 3600 s here" in err)
        assert f"comes to {share} times what was meant; multiply these costs by {factor}" in err
    assert out.startswith("No change")
    assert command("rules", "apply", write("services: {m: [{cost: 1}]}"))[2] == ""      # nobody says for which


def test_rules_are_listed_as_a_table(command, write):
    command("rules", "apply", write(FILE))
    lines = command("rules", "list")[1].splitlines()
    assert re.split(r"  +", lines[0]) == [
        "metric", "field", "value or level", "type", "cost", "group", "scope", "from", "until", "name"]
    assert len(lines) == 4
    assert "m1.small" in lines[3]
    assert ">= 100" in lines[2]
    assert len(command("rules", "list", "--all")[1].splitlines()) == 5


def test_rules_are_listed_as_json_with_exact_costs(command, write):
    command("rules", "apply", write("services: {m: [{cost: 0.1000000000000000000000000001, scope: 'a'}]}"))
    assert json.loads(command("rules", "list", "--json")[1]) == [{
        "service": "m", "field": None, "value": None, "level": None, "type": "flat",
        "cost": "0.1000000000000000000000000001", "group": None, "scope": "a", "start": None, "end": None,
        "name": "", "description": ""}]


def test_rules_can_be_asked_for_at_a_time_and_as_they_were_known(command, write):
    command("rules", "apply", write(FILE))

    def listed(*argv):
        return [(rule["value"], rule["level"]) for rule in json.loads(command("rules", "list", "--json", *argv)[1])]

    assert listed("--at", "2019-12-31") == [("m1.old", None), ("m1.small", None)]
    assert listed("--at", "2100-01-01") == [(None, "100"), ("m1.small", None)]
    assert listed("--known-at", "2019-12-31") == []


@pytest.mark.parametrize(("argv", "problem"), [
    (["apply", "{missing}"], "No such file"),
    (["apply", "{directory}"], "s a directory"),
    (["apply", "{binary}"], "not a text in UTF-8"),
    (["apply", "{wrong}"], "line 1: m[0].costs: is not known; did you mean 'cost'?"),
    (["apply", "{empty}"], "begins with 'services:'"),
    (["apply", "{past}"], "retroactive"),
])
def test_wrong_input_is_answered_with_one_line_each_and_exit_1(command, write, tmp_path, argv, problem):
    command("rules", "apply", write("services: {m: [{cost: 1}]}"))
    contents = {"wrong": b"services: {m: [{costs: 1}]}", "empty": b"", "binary": b"\xff\xfe\x00",
                "past": b"services: {m: [{cost: 2, start: 2020-01-01}]}"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = {name: tmp_path / name for name in contents} | {"missing": tmp_path / "none", "directory": tmp_path}
    code, out, err = command("rules", *(one.format(**names) for one in argv))
    assert (code, out) == (1, "")
    assert problem in err
    assert all(line.startswith("cloudkitty-like: error: ") for line in err.splitlines())


@pytest.mark.parametrize("argv", [
    ["rules"], ["rules", "apply"], ["rules", "apply", "f", "--effective", "soon"],
    ["rules", "apply", "f", "--effective", "2026-01-01", "--retroactive"], ["rules", "list", "--at", "2026-13-01"],
])
def test_wrong_arguments_exit_1(command, argv):
    with pytest.raises(SystemExit) as ended:
        command(*argv)
    assert ended.value.code == 1
