import json

import pytest

from cloudkitty_like.cli.main import main
from cloudkitty_like.service.operation.migration import upgrade
from tests.databases import new_database


@pytest.fixture
def command(tmp_path, capsys):
    """Runs a sub-command on a new database: its exit code, its output, its errors."""
    with new_database("sqlite", create=False) as database:
        upgrade(database)
        configuration = tmp_path / "cloudkitty_like.conf"
        configuration.write_text(f"[database]\nconnection = {database.url.render_as_string()}\n")

        def run(*argv):
            code = main(["--config-file", str(configuration), "modules", *argv])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        yield run


def listed(command):
    return [(one["name"], one["enabled"], one["priority"]) for one in json.loads(command("list", "--json")[1])]


def test_modules_are_listed_in_the_order_in_which_they_run(command):
    code, out, err = command("list")
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()[2:]] == [
        ["hashmap", "yes", "1"], ["noop", "no", "1"], ["pyscripts", "no", "1"]]
    assert listed(command) == [("hashmap", True, 1), ("noop", False, 1), ("pyscripts", False, 1)]


def test_modules_are_switched_and_ordered(command):
    assert command("enable", "noop")[0] == 0
    assert command("disable", "hashmap", "--reason", "quiet")[0] == 0
    assert command("priority", "noop", "5")[0] == 0
    assert listed(command) == [("noop", True, 5), ("hashmap", False, 1), ("pyscripts", False, 1)]


def test_a_priority_may_be_negative(command):
    assert command("priority", "hashmap", "-5")[0] == 0
    assert listed(command)[-1] == ("hashmap", True, -5)


@pytest.mark.parametrize("argv", [
    ["enable", "hashmop"], ["priority", "hashmop", "1"], ["priority", "noop", "99999999999"]])
def test_wrong_input_is_one_line_and_exit_1(command, argv):
    code, out, err = command(*argv)
    assert (code, out) == (1, "")
    assert err.startswith("cloudkitty-like: error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [[], ["enable"], ["priority", "noop"], ["priority", "noop", "high"]])
def test_wrong_arguments_exit_1(command, argv):
    with pytest.raises(SystemExit) as ended:
        command(*argv)
    assert ended.value.code == 1


def test_i8_small_a_decision_about_a_module_says_what_it_did(command):
    assert command("enable", "noop") == (0, (
        "noop is enabled now.\n"
        "What is rated from now on is priced by hashmap (priority 1), then noop (priority 1).\n"), "")
    assert command("priority", "noop", "5")[1] == (
        "noop has priority 5 now.\n"
        "What is rated from now on is priced by noop (priority 5), then hashmap (priority 1).\n")
    assert command("disable", "hashmap")[1].startswith("hashmap is disabled now.\n")
    assert command("disable", "noop")[1] == (
        "noop is disabled now.\nNo module is enabled: what is rated from now on is recorded without a price.\n")


def test_i8_small_a_decision_that_changes_nothing_says_so(command):
    assert command("enable", "hashmap")[1].startswith("Nothing has changed: hashmap was enabled already.\n")
    assert command("priority", "noop", "1")[1].startswith("Nothing has changed: noop had priority 1 already.\n")
