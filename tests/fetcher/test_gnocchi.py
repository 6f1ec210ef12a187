from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.fetcher.gnocchi import GnocchiFetcher
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.testing.collector import HOSTILE
from tests.fake_http import Asked, Reply, as_json, serve
from tests.gnocchi import Resource, client, small


def test_c44_the_scopes_are_the_distinct_values_of_all_pages() -> None:
    resources = [Resource({"project_id": scope}) for scope in (*HOSTILE, *HOSTILE, None, "")]
    with small(*resources, page=7) as (fake, _):
        assert list(GnocchiFetcher(client(fake.url)).scopes()) == sorted(HOSTILE)
        assert fake.asked[0].path == "/v1/search/resource/generic"
        assert fake.asked[0].repeated["attrs"] == ["id", "project_id"]


def test_c44_it_ends_where_no_resource_has_the_attribute() -> None:
    with small(*[Resource({"project_id": "a"}) for _ in range(5)], page=2) as (fake, _):
        assert list(GnocchiFetcher(client(fake.url), attribute="domain_id").scopes()) == []
        assert len(fake.asked) == 4


def test_every_type_is_asked_for_once() -> None:
    with serve(lambda asked: as_json([])) as fake:
        list(GnocchiFetcher(client(fake.url), ["instance", "volume", "instance"]).scopes())
        assert [asked.path.rpartition("/")[2] for asked in fake.asked] == ["instance", "volume"]


def test_a_part_of_the_scopes_is_not_the_scopes() -> None:
    def answer(asked: Asked) -> Reply:
        first = as_json([{"id": "1", "project_id": "a"}])
        return Reply(500) if "marker" in asked.parameters else first

    with serve(answer) as fake, pytest.raises(Unavailable):
        GnocchiFetcher(client(fake.url)).scopes()


def configured(**options: Any) -> GnocchiFetcher:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(GnocchiFetcher.OPTS, "fetcher_gnocchi")
    for name, value in options.items():
        conf.set_override(name, value, "fetcher_gnocchi")
    return GnocchiFetcher.from_conf(conf.fetcher_gnocchi, PluginContext())


def test_the_configuration_says_what_is_asked() -> None:
    with small(Resource({"user_id": "u"})) as (fake, _):
        fetcher = configured(gnocchi_auth_type="basic", gnocchi_user="admin",
                             gnocchi_endpoint=fake.url, resource_types=["instance"],
                             scope_attribute="user_id")
        assert list(fetcher.scopes()) == ["u"]


def test_what_names_nobody_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        configured(resource_types=[], scope_attribute="")
    assert list(caught.value.problems) == [
        "resource_types: names no type; generic is all", "scope_attribute: is not set"]
