"""What OpenStack puts in front of its services, and what a request may cost."""
from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from webob import Request, Response
from webtest import TestApp

from cloudkitty_like.api.application import application
from cloudkitty_like.testing.databases import KINDS
from tests.keystone import keystone
from tests.tenants import Site, site, tenants

ORIGIN = "https://dashboard.example"
PROXIES = {"oslo_middleware": {"enable_proxy_headers_parsing": "true"}}
FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "rating.example",
             "X-Forwarded-Prefix": "/rating"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'a', 'b' FROM n WHERE i < 0"
SLOW = {"sqlite": ENDLESS, "postgresql": ENDLESS, "mysql": "SELECT 'a', sleep(20)"}
Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes an installation of some settings."""
    opened: list[Any] = []

    def made(kind: str = "sqlite", raw: str = "", **settings: Any) -> Site:
        one = site(tmp_path, kind, tenants("a", "b", "c"), settings=settings, raw=raw)
        opened.append(one)
        return one.__enter__()

    yield made
    for one in opened:
        one.__exit__(None, None, None)


def door(place: Site) -> TestApp:
    return TestApp(application(place.app))


@pytest.mark.parametrize("url", ["/v2/scope", "/v1/rating/quote", "/v1/collector/mappings"])
def test_s19_a_body_has_a_largest_size(make: Make, url: str) -> None:
    app = door(make(api={"max_body_bytes": 2000}))
    body = json.dumps({"scope_id": "x" * 3000})
    answer = app.post(url, body, content_type="application/json", status=413)
    assert re.search(r"2000 bytes", answer.text)
    # One that does not say how large it is, as a client sends it piece by piece.
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert app.post(url, body, extra_environ=chunked, content_type="application/json", status="*").status_int == 413
    app.post_json("/v1/collector/mappings", {"collector": "c", "service": "x" * 200}, status=200)


@pytest.mark.parametrize("kind", KINDS)
def test_s19_a_question_that_takes_too_long_is_a_503(make: Make, kind: str) -> None:
    place = make(kind, api={"query_seconds": 1})
    app = door(place)
    with place.app.database.write() as tx:
        tx.execute(text("DROP TABLE collector_mapping"))
        tx.execute(text(f"CREATE VIEW collector_mapping (service, collector) AS {SLOW[kind]}"))
    answer = app.get("/v1/collector/mappings", status=503)
    assert answer.json["faultstring"] == (
        "a part of the service does not answer, or not in time; try again, or ask for less")
    app.get("/v2/summary", status=200)      # and it goes on


def test_a_browser_may_ask_what_it_may_without_a_token(make: Make) -> None:
    with keystone() as running:
        app = door(make(DEFAULT={"auth_strategy": "keystone"}, cors={"allowed_origin": ORIGIN}, raw=running.authtoken))
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET",
                 "Access-Control-Request-Headers": "X-Auth-Token"}
        answer = app.options("/v2/summary", headers=asked, status=200)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "X-Auth-Token" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Access-Control-Allow-Methods"] == "GET"
        refused = app.get("/v2/summary", headers={"Origin": ORIGIN}, status=401)
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        stranger = app.options("/v2/summary", headers=asked | {"Origin": "https://elsewhere.example"}, status="*")
        assert "Access-Control-Allow-Origin" not in stranger.headers
        assert refused.headers["X-Openstack-Request-Id"].startswith("req-")


def test_every_answer_says_under_which_id_the_log_has_it(make: Make) -> None:
    place = make("postgresql")
    app = door(place)
    ids = [app.request(url, method=method, status=status).headers["X-Openstack-Request-Id"] for method, url, status in (
        ("GET", "/", 200), ("GET", "/v2/summary", 200), ("GET", "/v2/summary?limit=0", 400), ("GET", "/v3", 404),
        ("GET", "/healthcheck", 200), ("DELETE", "/v2/summary", 405), ("GET", "/v1/collector", 204))]
    with place.app.database.write() as tx:
        tx.execute(text("DROP TABLE collector_mapping"))
    broken = app.get("/v1/collector/mappings", status=500)
    ids.append(broken.headers["X-Openstack-Request-Id"])
    assert broken.json["faultstring"] == f"internal error; the log of the service has it under {ids[-1]}"
    assert all(one.startswith("req-") for one in ids)
    assert len(set(ids)) == len(ids)


def test_behind_a_proxy_links_are_those_of_the_proxy(make: Make) -> None:
    app = door(make(**PROXIES))
    (version, _) = app.get("/", headers=FORWARDED).json["versions"]
    assert version["links"][0]["href"] == "https://rating.example/rating/v1"
    made = app.post_json("/v1/rating/module_config/hashmap/groups", {"name": "g"}, headers=FORWARDED, status=201)
    assert made.headers["Location"].startswith(
        "https://rating.example/rating/v1/rating/module_config/hashmap/groups/")
    following = app.get("/v2/dataframes?limit=1", headers=FORWARDED).json["next"]
    assert following.startswith("https://rating.example/rating/v2/dataframes?limit=1&after=")


def test_a_client_is_no_proxy_unless_the_configuration_says_so(make: Make) -> None:
    app = door(make())
    (version, _) = app.get("/", headers=FORWARDED).json["versions"]
    assert version["links"][0]["href"] == "http://localhost/v1"


def test_a_large_answer_is_packed_for_whoever_unpacks_it(make: Make) -> None:
    packing = application(make().app)

    def answered(url: str, accepted: str) -> Response:
        return Request.blank(url, headers={"Accept-Encoding": accepted}).get_response(packing)

    plain, packed = answered("/v2/openapi.json", ""), answered("/v2/openapi.json", "deflate, gzip")
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) * 3 < len(plain.body)
    for unpacked in (plain, answered("/v2/openapi.json", "gzip;q=0"), answered("/v1", "gzip")):
        assert "Content-Encoding" not in unpacked.headers
