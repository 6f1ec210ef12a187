"""Plugins are found by name, and what cannot be used is refused with the reason."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from cloudkitty_like import plugin
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.ports import PluginContext


def test_a_plugin_is_made_from_its_own_group():
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    conf.register_opts(plugin.load_class("fetcher", "source").OPTS, "fetcher_source")
    conf.set_override("sources", ["a", "b"], "fetcher_source")
    assert list(plugin.load("fetcher", "source", conf, PluginContext()).scopes()) == ["a", "b"]


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(Invalid, match="no collector is called 'promethius'") as caught:
        plugin.load_class("collector", "promethius")
    assert "prometheus" in caught.value.hint
    assert "file" in caught.value.hint


def test_every_installed_plugin_declares_options_with_help():
    found = dict(plugin.list_opts())
    assert {"collector_file", "collector_prometheus", "fetcher_source", "rating_hashmap"} <= set(found)
    assert [opt.name for opts in found.values() for opt in opts if not opt.help] == []


def test_c6_a_plugin_whose_import_fails_is_refused_not_left_out(tmp_path: Path):
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('its licence has run out')\n")
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cloudkitty_like.rating]\nbroken = broken_module:Module\n")
    script = ("from cloudkitty_like import plugin\n"
              "from cloudkitty_like.domain.errors import Invalid\n"
              "try:\n    plugin.load_class('rating', 'broken')\n"
              "except Invalid as error:\n    print(error)\n")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True,
                         env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert "the rating 'broken' cannot be loaded" in ran.stdout
    assert "its licence has run out" in ran.stdout


FAILING = """
from oslo_config import cfg
class Collector:
    OPTS = [cfg.StrOpt("region", default="x", help="A region.")]
    @classmethod
    def from_conf(cls, group, site):
        return {}[group.region]
class Nothing:
    pass
class Later(Collector):
    @classmethod
    def from_conf(cls, group, site):
        from cloudkitty_like.domain.errors import Unavailable
        raise Unavailable("no answer", hint="wait")
"""


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH with a package of three collectors that fail in their own ways."""
    (tmp_path / "failing_module.py").write_text(FAILING)
    info = tmp_path / "failing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: failing\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cloudkitty_like.collector]\n" + "".join(
        f"{name.lower()} = failing_module:{name}\n" for name in ("Collector", "Nothing", "Later")))
    return tmp_path


@pytest.mark.parametrize(("name", "said"), [
    ("collector", ("the collector 'collector' cannot be made from [collector_collector]: KeyError('x') in "
                   "{path}/failing_module.py, line 7")),
    ("nothing", "the collector 'nothing' cannot be used: its OPTS is no list of oslo.config options"),
    ("later", "[collector_later] no answer")])
def test_i8_small_a_plugin_that_fails_when_it_is_made_is_named(failing: Path, name: str, said: str) -> None:
    conf = failing / "rating.conf"
    conf.write_text(f"[collect]\ncollector = {name}\n[database]\nconnection = sqlite:///{failing}/x.sqlite\n")
    ran = subprocess.run([sys.executable, "-m", "cloudkitty_like", "--config-file", str(conf), "processor", "--once"],
                         capture_output=True, text=True, timeout=60, check=False,
                         env={**os.environ, "PYTHONPATH": str(failing)})
    assert ran.returncode == 1
    assert said.format(path=failing) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "internal error" not in ran.stderr
