"""``cloudkitty_like.wsgi`` for WSGI servers of the operator's choice."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.small import METRICS, RULES, USAGE, Site
from tests.commands import Here

ASK = """\
from cloudkitty_like import wsgi
from webtest import TestApp
assert wsgi.application is wsgi.application
print(TestApp(wsgi.application).get("/").json["versions"][0]["id"])
"""


@pytest.fixture
def site(tmp_path, capsys):
    for name, text in (("usage.csv", USAGE), ("metrics.yml", METRICS), ("rules.yml", RULES)):
        (tmp_path / name).write_text(text)
    made = Site(tmp_path, Here(capsys, "--config-file", tmp_path / "rating.conf"))
    made.configure(DEFAULT={"auth_strategy": "noauth"})
    return made.prepared()


def python(code, files):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, "CLOUDKITTY_LIKE_CONFIG_FILES": files})


def test_the_application_is_that_of_the_files_that_are_named(site):
    more = site.path / "more.conf"
    more.write_text("[api]\nmax_body_bytes = 2000\n")
    ran = python(ASK, f"{site.conf}:{more}")
    assert (ran.returncode, ran.stdout) == (0, "v1\n"), ran.stderr


def test_it_can_be_looked_at_without_being_made():
    ran = python("import cloudkitty_like.wsgi as w; print(w.__doc__.split()[0], hasattr(w, 'bogus'))", "/nowhere")
    assert (ran.returncode, ran.stdout) == (0, "``application`` False\n"), ran.stderr


def test_a_file_that_is_not_there_is_said():
    ran = python("from cloudkitty_like.wsgi import application", "/nowhere/at.conf")
    assert ran.returncode == 1
    assert "/nowhere/at.conf" in ran.stderr
