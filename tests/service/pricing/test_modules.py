import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudkitty_like import plugin
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.service.pricing.modules import active, decide, known

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHANGE = Change(NOW, "test", "modules")

FAKES = """
class Doubling:
    OPTS, description, enabled_by_default = (), "Doubles.", False
"""


@pytest.fixture
def elsewhere(sqlite, tmp_path):
    """Runs a program over the database where somebody else's package is installed, a module of which is broken."""
    info = tmp_path / "rating_fakes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rating-fakes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cloudkitty_like.rating]\ndoubling = rating_fakes:Doubling\nbroken = rating_fakes_broken:Broken\n")
    (tmp_path / "rating_fakes.py").write_text(FAKES)
    (tmp_path / "rating_fakes_broken.py").write_text("import no_such_module_anywhere\n")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}

    def run(program):
        setting = ("from tests.service.pricing.test_modules import *\n"
                   f"database = state_database({sqlite.url.render_as_string()!r})\n")
        subprocess.run([sys.executable, "-c", setting + program], env=environment, check=True)

    return run


def state_database(url):
    return Database(url)


def newest(database):
    with database.read() as tx:
        return rules.latest(tx)


def names(database, made=None):
    """The names of the active modules; every module made is noted."""
    def load(name):
        if made is not None:
            made.append(name)
        plugin.load_class("rating", name)
        return name

    return [name for name, _ in active(database, newest(database), load)]


def test_modules_are_as_their_classes_say_until_somebody_decides(sqlite):
    assert [(m.name, m.enabled, m.priority, m.problem) for m in known(sqlite)] == [
        ("hashmap", True, 1, ""), ("noop", False, 1, ""), ("pyscripts", False, 1, "")]
    assert all(module.description for module in known(sqlite))
    assert names(sqlite) == ["hashmap"]


def test_they_run_by_falling_priority_then_by_name(sqlite):
    decide(sqlite, CHANGE, "noop", enabled=True)
    assert names(sqlite) == ["hashmap", "noop"]
    decide(sqlite, CHANGE, "noop", priority=10)
    assert names(sqlite) == ["noop", "hashmap"]
    assert [module.name for module in known(sqlite)] == ["noop", "hashmap", "pyscripts"]
    decide(sqlite, CHANGE, "hashmap", priority=11)
    assert names(sqlite) == ["hashmap", "noop"]


def test_which_modules_ran_can_be_asked_for_every_change(sqlite):
    decide(sqlite, CHANGE, "hashmap", enabled=False)
    first = newest(sqlite)
    decide(sqlite, CHANGE, "noop", enabled=True)
    assert [name for name, _ in active(sqlite, 0, str)] == ["hashmap"]
    assert active(sqlite, first, str) == []
    assert [name for name, _ in active(sqlite, newest(sqlite), str)] == ["noop"]


def test_deciding_what_is_so_already_records_nothing(sqlite):
    decide(sqlite, CHANGE, "hashmap", enabled=True)
    decide(sqlite, CHANGE, "hashmap", priority=1)
    assert newest(sqlite) == 0


def test_p5_a_module_that_is_off_is_not_made(sqlite):
    made = []
    names(sqlite, made)
    assert made == ["hashmap"]


def test_an_unknown_module_is_not_found(sqlite):
    with pytest.raises(NotFound, match="'hashmop'") as refused:
        decide(sqlite, CHANGE, "hashmop", enabled=True)
    assert "hashmap" in refused.value.hint


def test_a_priority_has_its_limits(sqlite):
    with pytest.raises(Invalid, match="priority"):
        decide(sqlite, CHANGE, "hashmap", priority=2**31)


def test_c6_a_module_that_cannot_be_loaded_stops_rating_until_somebody_switches_it_off(elsewhere):
    elsewhere("""
broken = {module.name: module for module in known(database)}["broken"]
assert "no_such_module_anywhere" in broken.problem, broken
with pytest.raises(Invalid, match="'broken' cannot be loaded"):
    names(database)                                     # who knows whether it would run?
with pytest.raises(Invalid, match="'broken' cannot be loaded"):
    decide(database, CHANGE, "broken", enabled=True)
decide(database, CHANGE, "broken", enabled=False)
assert names(database) == ["hashmap"]
""")


def test_c6_a_module_that_is_gone_stops_rating_until_somebody_switches_it_off(sqlite, elsewhere):
    elsewhere("""
decide(database, CHANGE, "broken", enabled=False)
decide(database, CHANGE, "doubling", enabled=True, priority=3)
assert names(database) == ["doubling", "hashmap"]
""")
    with pytest.raises(Invalid, match="'doubling'") as stopped:
        names(sqlite)
    assert "modules disable doubling" in stopped.value.hint
    assert {module.name: bool(module.problem) for module in known(sqlite)}["doubling"]
    decide(sqlite, CHANGE, "doubling", enabled=False)
    assert names(sqlite) == ["hashmap"]
