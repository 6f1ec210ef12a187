"""``/v1/info``: what is measured."""
from __future__ import annotations

import pytest

from cloudkitty_like.service import strict_yaml
from tests.api.site import Site

VCPU = {"metric_id": "vcpu", "metadata": ["host", "image"], "unit": "h"}
DISK = {"metric_id": "disk", "metadata": [], "unit": "GiB"}


@pytest.mark.parametrize("name", ["metrics", "services"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_metrics_are_listed_in_the_order_of_the_file_by_either_name(site: Site, name, slash):
    assert site.get(f"/v1/info/{name}{slash}", "guest") == {"metrics": [VCPU, DISK]}
    assert site.get(f"/v1/info/{name}/vcpu{slash}", "guest") == VCPU


def test_a_metric_is_known_by_its_alt_name_only(site: Site):
    assert site.wrong("GET", "/v1/info/metrics/instance", user="guest", status=404) == "instance"


def test_the_configuration_is_the_document_as_it_is(site: Site):
    found = site.get("/v1/info/config", "alice")["metrics"]
    assert list(found) == ["instance", "disk"]
    assert found["instance"]["factor"] == 1.5
    assert found["instance"]["mutate_map"] == {"1.0": 8, "2": 10}


def test_a_document_may_hold_anything_that_yaml_does(site: Site):
    text = "{a: null, b: true, c: 1e3, d: 0.10, e: 2026-11-01, f: [1, 'x'], g: 12345678901234567890}"
    site.with_use_cases(document=lambda: strict_yaml.load(text))
    assert site.get("/v1/info/config") == {
        "a": None, "b": True, "c": 1000, "d": 0.1, "e": "2026-11-01", "f": [1, "x"], "g": 12345678901234567890}


def test_s10_who_may_read_the_configuration_is_for_the_operator_to_say(sqlite, tmp_path):
    site = Site(sqlite, tmp_path, policy='"info:get_config": "role:admin"\n').filled()
    assert site.get("/v1/info/config", "root")
    assert site.wrong("GET", "/v1/info/config", user="alice", status=403)
    assert site.get("/v1/info/metrics", "alice")
