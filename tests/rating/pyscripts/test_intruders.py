"""Hostile scripts, three at a time, at both levels: contained, reported, and no trouble to honest ones beside them."""
from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec

import pytest

from cloudkitty_like.rating.pyscripts.forkserver import LANDLOCK, NAMESPACES

from .intruders import INTRUDERS, outcomes
from .ordinary import as_ordinary_user

KINDS = sorted({name.partition(":")[0] for name in INTRUDERS})
slow = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_i8_s2_hostile_scripts_in_namespaces_are_contained_three_at_a_time(kind):
    names = [name for name in INTRUDERS if name.startswith(kind)]
    assert outcomes({"isolation": NAMESPACES}, names) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run something as somebody else")
@pytest.mark.parametrize(("kinds", "isolation", "landlock"), [
    (["descriptors"], LANDLOCK, 5),
    pytest.param(KINDS, LANDLOCK, 2, marks=slow),
    pytest.param(KINDS, LANDLOCK, 5, marks=slow),
    pytest.param(KINDS, LANDLOCK, 99, marks=slow),
    pytest.param(KINDS, NAMESPACES, 99, marks=slow),
])
def test_i8_s2_and_so_they_are_where_the_service_is_not_root(kinds, isolation, landlock):
    """Scripts have the rights of the service then, and Landlock is that of older kernels."""
    confinement = json.dumps({"isolation": isolation, "landlock": landlock})
    ended = as_ordinary_user("from tests.rating.pyscripts.intruders import main\n"
                             f"main({confinement!r}, {','.join(kinds)!r})")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["wrong"] == {}
    assert found["user"] == 65534
    assert found["run"] == sum(name.startswith(tuple(kinds)) for name in INTRUDERS)


@pytest.mark.skipif(os.geteuid() == 0, reason="as root it is another user's affair, above")
@pytest.mark.parametrize("landlock", [2, 5, 99])
def test_i8_s2_hostile_scripts_of_an_ordinary_user_are_contained(landlock):
    assert outcomes({"isolation": LANDLOCK, "landlock": landlock}, INTRUDERS) == {}


def test_there_are_a_hundred_of_them_and_twenty_of_each_kind():
    assert len(INTRUDERS) >= 100
    for kind in ("descriptors", "answers", "exponents"):
        assert sum(name.startswith(kind) for name in INTRUDERS) >= 20


def test_the_modules_that_they_patch_are_there():
    # A script that patches a module by a former name would patch nothing, and prove nothing.
    patched = {name for text, _ in INTRUDERS.values()
               for name in re.findall(r"endswith\('pyscripts\.(\w+)'\)", text)}
    assert patched == {"framing", "runner"}
    assert all(find_spec(f"cloudkitty_like.rating.pyscripts.{name}") for name in patched)
