"""The command itself: help, version, configuration found, mistakes."""
from __future__ import annotations

import importlib
import signal
import subprocess
import sys

import pytest

from cloudkitty_like import __version__
from cloudkitty_like.cli.main import COMMANDS
from tests.cli.small import Site
from tests.commands import Here, spawn


@pytest.fixture
def here(capsys) -> Here:
    return Here(capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(here: Here, command: str) -> None:
    out = here.ok(command, "--help")
    assert out.startswith(f"usage: cloudkitty-like {command} ")
    assert COMMANDS[command][:30] in out.replace("\n", " ")
    assert "--config-file FILE" in out


def test_every_action_of_every_command_explains_itself(here: Here) -> None:
    for command, action in (("scopes", "list"), ("scopes", "reset"), ("scopes", "accept-empty"), ("rules", "apply"),
                            ("rules", "export"), ("modules", "priority"), ("scripts", "add"), ("scripts", "show"),
                            ("dbsync", "upgrade"), ("config", "sample")):
        assert f"cloudkitty-like {command} {action}" in here.ok(command, action, "--help")


def test_help_names_every_command_and_loads_none_of_them() -> None:
    ran = spawn("--help")
    assert ran.code == 0
    assert [name for name in COMMANDS if f"  {name} " not in ran.out] == []
    code = ("import sys\nfrom cloudkitty_like.cli import main\n"
            "try:\n    main.main(['--help'])\nexcept SystemExit:\n    pass\n"
            "print(*(name for name in ('oslo_config', 'oslo_log', 'sqlalchemy', 'alembic', 'requests', 'yaml') "
            "if name in sys.modules), file=sys.stderr)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == ""


def test_a_command_does_not_load_what_only_changing_the_schema_needs(site: Site) -> None:
    site.prepared()
    code = ("import sys\nfrom cloudkitty_like.cli import main\n"
            f"main.main(['--config-file', {str(site.conf)!r}, 'report'])\nprint('alembic' in sys.modules)")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("False\n")


def test_the_version_is_that_of_the_package(here: Here) -> None:
    assert here.ok("--version") == f"cloudkitty-like {__version__}\n"


def test_every_command_has_its_file_and_every_file_is_of_use() -> None:
    for name in COMMANDS:
        module = importlib.import_module(f"cloudkitty_like.cli.{name}")
        assert callable(module.arguments)
        assert callable(module.run)


def test_shared_options_may_stand_before_the_command_or_after_it(site: Site, here: Here) -> None:
    site.prepared()
    expected = here.ok("--config-file", site.conf, "rules", "list")
    assert here.ok("rules", "--config-file", site.conf, "list") == expected
    assert here.ok("rules", "list", "--config-file", site.conf) == expected
    assert here.ok("--config-dir", site.path, "rules", "list") == expected


def test_a_value_that_is_called_as_a_command_is_a_value(here: Here) -> None:
    assert "--state: report is no state directory" in here("--state", "report", "report").err


def test_a_later_file_wins_option_by_option(site: Site, here: Here) -> None:
    site.prepared()
    later = site.path / "later"
    later.write_text("[collect]\nperiod = 5000\n")
    ran = here("--config-file", site.conf, "--config-file", later, "rules", "list")
    assert ran.err == "cloudkitty-like: error: [collect] period: 5000 seconds do not divide a day\n"


def test_the_environment_wins_over_files(site: Site, here: Here, monkeypatch) -> None:
    monkeypatch.setenv("OS_COLLECT__PERIOD", "7")
    assert "[collect] period: 7 seconds" in here("--config-file", site.conf, "rules", "list").err


def test_debug_shows_the_traceback(site: Site) -> None:
    ran = site.spawn("--debug", "report")
    assert ran.code == 1
    assert "Traceback" in ran.err


INTERRUPTED = """
import importlib.abc, os, runpy, signal, sys
wanted = sys.argv.pop(1)
class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
        return None
sys.meta_path.insert(0, Interrupt())
runpy.run_module("cloudkitty_like", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["cloudkitty_like.cli.main", "argparse", "cloudkitty_like.cli.report",
                                    "cloudkitty_like.app", "sqlalchemy", "cloudkitty_like.service.reports.summary"])
def test_i8_small_an_interrupt_in_the_first_moments_prints_nothing(site: Site, module: str) -> None:
    """The process interrupts itself when it begins to load the module."""
    site.prepared()
    # A shell starts what runs in the background with SIGINT ignored, these tests too.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    ended = subprocess.run([sys.executable, "-c", heard + INTERRUPTED, module, "--config-file", str(site.conf),
                            "report"], capture_output=True, text=True, check=False)
    assert (ended.returncode in (-signal.SIGINT, 130), ended.stdout, ended.stderr) == (True, "", "")


def test_i8_small_an_interrupt_that_the_shell_ignores_stays_ignored(site: Site) -> None:
    site.prepared()
    before = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    ended = subprocess.run([sys.executable, "-c", before + INTERRUPTED, "cloudkitty_like.app", "--config-file",
                            str(site.conf), "report", "--csv"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(("words", "said"), [
    (["raport"], "there is no command 'raport'; did you mean 'report'?"),
    (["Status"], "there is no command 'Status'; did you mean 'status'?"),
    (["reset"], "there is no command 'reset'; did you mean 'scopes reset'?"),
    (["cancel"], "there is no command 'cancel'; did you mean 'reprocess cancel'?"),
    (["frobnicate"], "there is no command 'frobnicate'; there are standalone, processor, rate,"),
    (["scopes", "lst"], "there is no 'lst'; did you mean 'list'?"),
    (["modules", "frobnicate"], "there is no 'frobnicate'; there are list, enable, disable, priority"),
])
def test_i8_small_a_mistyped_command_is_answered_with_the_one_it_resembles(
        here: Here, words: list[str], said: str) -> None:
    ran = here(*words)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert said in ran.err
