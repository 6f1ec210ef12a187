from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from cloudkitty_like.client import gnocchi_options
from cloudkitty_like.client.gnocchi import Gnocchi
from cloudkitty_like.domain.errors import Invalid, Refused, Unavailable
from tests.fake_http import as_json, serve
from tests.keystone import keystone

KEYSTONE = {"auth_url": "http://127.0.0.1:9/v3", "username": "rating", "password": "rating",
            "project_name": "service", "user_domain_id": "default", "project_domain_id": "default"}


INCOMPLETE = ("You must provide either an application credential ID or an application credential "
              "name and user.")


def connected(**options: Any) -> Gnocchi:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(gnocchi_options.OPTS, "g")
    for name, value in options.items():
        conf.set_override(name, value, "g")
    return gnocchi_options.connect(conf.g)


@pytest.mark.parametrize(("options", "problems"), [
    ({}, ["auth_url: is not set"]),
    ({"gnocchi_auth_type": "basic"}, [
        "gnocchi_user: is not set, and basic authentication needs it",
        "gnocchi_endpoint: is not set, and basic authentication needs it"]),
    ({"timeout": 0, "keyfile": "k", **KEYSTONE}, [
        "timeout: 0 is no time to wait", "keyfile: needs a certfile"]),
    ({"auth_type": "v3applicationcredential", "auth_url": "http://x"}, [
        "auth_type v3applicationcredential: " + INCOMPLETE]),
])
def test_every_problem_is_said(options: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        connected(**options)
    assert list(caught.value.problems) == problems


@pytest.mark.parametrize(("user", "all_seen"), [("admin", True), ("somebody", False)])
def test_basic_authentication_reads_everything_as_admin_alone(user: str, all_seen: bool) -> None:
    with serve(lambda asked: as_json([])) as fake:
        gnocchi = connected(gnocchi_auth_type="basic", gnocchi_user=user, gnocchi_endpoint=fake.url)
        assert gnocchi.groups({}, []) == []
        assert gnocchi.reads_all() is all_seen


def test_a_keystone_that_is_away_is_unavailable() -> None:
    gnocchi = connected(**KEYSTONE)
    with pytest.raises(Unavailable):
        gnocchi.groups({}, [])
    with pytest.raises(Unavailable):
        gnocchi.reads_all()


@pytest.mark.slow
def test_d8_roles_of_a_real_keystone_say_who_reads_everything() -> None:
    with keystone() as identity:
        for user, project, all_seen in (("rating", "service", True), ("member", "web", False)):
            options = {**KEYSTONE, "auth_url": identity.url, "username": user, "password": user,
                       "project_name": project}
            assert connected(**options).reads_all() is all_seen
        with pytest.raises(Refused, match="Keystone refuses us"):
            connected(**{**KEYSTONE, "auth_url": identity.url, "password": "wrong"}).reads_all()
        with pytest.raises(Unavailable, match="metric"):     # the catalog has no Gnocchi
            connected(**{**KEYSTONE, "auth_url": identity.url}).groups({}, [])
