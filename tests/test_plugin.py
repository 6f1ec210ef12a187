"""Plugins are found by name, and what cannot be used is refused with the reason."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from cloudkitty_like import plugin
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.ports import Site


def test_a_plugin_is_made_from_its_own_group():
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    conf.register_opts(plugin.load_class("fetcher", "source").OPTS, "fetcher_source")
    conf.set_override("sources", ["a", "b"], "fetcher_source")
    assert list(plugin.load("fetcher", "source", conf, Site()).scopes()) == ["a", "b"]


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
