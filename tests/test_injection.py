"""Whatever anybody sends as a name, a label, an id, a date or a filter is a value, and never more than that.

The requests are made from the table of routes: each argument of each route, in
the path, the query and the body, with each of the hostile texts of
``hostile.py``.  One of a kind that nobody has thought of here fails the test.
"""
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import bcrypt
import pytest
from webtest import TestApp, TestResponse

from cloudkitty_like.api.application import application
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.fields import (
    BooleanField,
    FilterField,
    InstantField,
    IntegerField,
    NumberField,
    TextField,
    TextListField,
)
from cloudkitty_like.api.params import Param
from cloudkitty_like.api.policies import ADMIN, NAMED
from cloudkitty_like.api.root import routes
from cloudkitty_like.api.routes import Route
from cloudkitty_like.api.v1.rating import ResourcesField
from cloudkitty_like.api.v2.points import FramesField
from cloudkitty_like.api.v2.simulations import ScriptsField
from tests.hostile import EVERYTHING
from tests.tenants import Site, site, tenants

pytestmark = pytest.mark.slow

USERS = {"root": "{project: elsewhere, roles: [admin]}", "reader": "{project: own, roles: [reader]}"}
SHARE = 17              # where time is short, one of so many requests of an administrator is made ...
READERS_SHARE = 7       # ... and one of so many of a reader
DATABASES = ("sqlite", "postgresql")
PERIOD = {"begin": "2026-11-05T00:00:00Z", "end": "2026-11-05T01:00:00Z"}
HEADERS = ("Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Origin", "X-OpenStack-Request-ID",
           "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Roles", "X-Project-Id", "X-User-Id", "Cookie",
           "X-Auth-Token", "If-None-Match", "Range", "User-Agent", "X-HTTP-Method-Override")
ADMINS_RULES = {name for name, check, *_ in NAMED if check == ADMIN}
USUAL = {TextField: "x", InstantField: "2026-11-03T00:00:00Z", IntegerField: 1,
         BooleanField: "true", NumberField: "1", TextListField: ["x"],
         FilterField: ["a:b"]}


class Door:
    """The API as one of USERS."""

    def __init__(self, place: Site) -> None:
        self.place = place
        self.app = TestApp(application(place.app), lint=False)
        self.routes = [one for one in routes(place.app.use_cases, Counters(), 0) if "/v1/billing" not in one.url]
        self.turn = DATABASES.index(place.app.database.dialect)        # not the same requests on each

    def ask(self, user: str, method: str, url: str, body: Any = None, **headers: str) -> TestResponse:
        """The answer, which is no error of the server and of a type that the API has."""
        proof = b64encode(f"{user}:secret".encode()).decode()
        sent = {"Authorization": f"Basic {proof}"} | ({"Content-Type": "application/json"} if body is not None else {})
        answer = self.app.request(url, method=method, status="*", headers=sent | headers,
                                  body=b"" if body is None else json.dumps(body).encode())
        assert answer.status_int < 500, (method, url[:300], str(body)[:300], headers, answer.text[:300])
        assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
        if answer.body and answer.content_type == "application/json" and "Content-Encoding" not in answer.headers:
            json.loads(answer.body)
        return answer


@pytest.fixture(scope="module", params=DATABASES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    directory: Path = tmp_path_factory.mktemp("injection")
    digest = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (directory / "passwords").write_text("".join(f"{name}:{digest}\n" for name in USERS))
    (directory / "users").write_text("".join(f"{name}: {entry}\n" for name, entry in USERS.items()))
    files = {"htpasswd_file": directory / "passwords", "users_file": directory / "users"}
    with site(directory, request.param, tenants("own", "foreign-1", "third-1"),
              settings={"DEFAULT": {"auth_strategy": "http_basic"}, "http_basic": files}) as made:
        yield Door(made)


def forms(kind: Any, hostile: str) -> Iterator[Any]:
    """An argument of this kind that has the text in it, in every place where it has one."""
    if isinstance(kind, FilterField):
        yield from ([f"{hostile}:x"], [f"flavor:{hostile}"], {hostile: hostile}, {"type": [hostile]})
    elif isinstance(kind, TextListField):
        yield from ([hostile], hostile)
    elif isinstance(kind, ResourcesField):
        one = {"service": "instance", "volume": "1", "desc": {"flavor": "small"}}
        yield from ([one | change] for change in (
            {"service": hostile}, {"volume": hostile}, {"desc": {hostile: hostile}}, {"desc": hostile}))
    elif isinstance(kind, FramesField):
        yield from frames(hostile)
    elif isinstance(kind, ScriptsField):
        yield from ([{"name": "n", "data": "x"} | change] for change in (
            {"name": hostile}, {"data": hostile}, {"start": hostile}, {"order": hostile}, {hostile: hostile}))
    else:
        assert isinstance(kind, TextField | InstantField | IntegerField | BooleanField
                          | NumberField), f"nobody knows how to misuse {kind}"
        yield hostile


def frames(hostile: str, scope: str = "posted") -> Iterator[Any]:
    labels = {"project_id": scope}
    for point, metric in (
            ({"vol": {"unit": hostile, "qty": 1}, "groupby": labels}, "m"),
            ({"vol": {"unit": "h", "qty": hostile}, "groupby": labels}, "m"),
            ({"vol": {"unit": "h", "qty": 1}, "groupby": labels | {hostile: hostile}}, hostile),
            ({"vol": {"unit": "h", "qty": 1}, "groupby": {"project_id": hostile}, "metadata": {hostile: hostile}}, "m"),
            ({"vol": {"unit": "h", "qty": 1}, "groupby": labels, "rating": {"price": hostile}}, "m")):
        yield [{"period": PERIOD, "usage": {metric: [{"metadata": {}} | point]}}]
    yield [{"period": {"begin": hostile, "end": hostile}, "usage": {}}]


def usual(param: Param) -> Any:
    if isinstance(param.kind, FramesField):
        return next(frames("h"))
    if isinstance(param.kind, ResourcesField):
        return next(forms(param.kind, "instance"))
    return next((value for kind, value in USUAL.items() if isinstance(param.kind, kind)), "x")


def requests(route: Route, hostile: str) -> Iterator[tuple[str, Any]]:
    """URLs and bodies with the text in each argument of the route, in each place; and as an argument's name."""
    needed = {name: usual(param) for name, param in route.params.items() if param.required}
    for pattern in route.patterns:
        in_path = {part[1:-1]: "x" for part in pattern if part.startswith("{")}
        others = {name: value for name, value in needed.items() if name not in in_path}
        for name in in_path:
            yield url(pattern, in_path | {name: hostile}), others or None
        for name, param in route.params.items():
            if name not in in_path:
                for value in forms(param.kind, hostile):
                    yield url(pattern, in_path), others | {name: value}
                    rest = {key: one for key, one in others.items() if key != name}
                    yield url(pattern, in_path) + query({name: value}), rest or None
        yield url(pattern, in_path) + query({hostile: "x"}), {hostile: "x"}


def url(pattern: tuple[str, ...], values: Mapping[str, str]) -> str:
    return "/" + "/".join(escaped(values[part[1:-1]]) if part.startswith("{") else part for part in pattern)


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def query(values: Mapping[str, Any]) -> str:
    written = {name: value if isinstance(value, str) else ",".join(map(str, value)) if isinstance(value, list)
               else json.dumps(value) for name, value in values.items()}
    return "?" + urlencode({name.encode("utf-8", "surrogatepass"): value.encode("utf-8", "surrogatepass")
                            for name, value in written.items()})


def everything(door: Door, which: Callable[[Route], bool] = lambda route: True) -> Iterator[tuple[Route, str, Any]]:
    for route in filter(which, door.routes):
        for hostile in EVERYTHING:
            for address, body in requests(route, hostile):
                yield route, address, body


def totals(door: Door) -> list[Any]:
    ids = {one.id for one in door.place.who.values()}
    return [row for row in door.place.sums() if row[0][0] in ids]


def shares(usual: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("share", [usual, pytest.param(1, marks=pytest.mark.long)])


@shares(SHARE)
def test_s3_s4_hostile_arguments_are_refused_or_are_values(door: Door, share: int) -> None:
    before = totals(door)
    for number, (route, address, body) in enumerate(everything(door)):
        if number % share == door.turn % share:
            door.ask("root", route.method, address, body)
    assert totals(door) == before


@shares(READERS_SHARE)
def test_s3_s4_hostile_arguments_show_a_reader_nothing_of_others(door: Door, share: int) -> None:
    hidden, shown = door.place.traces("foreign", "third"), set()
    for number, (route, address, body) in enumerate(everything(door, lambda one: one.rule not in ADMINS_RULES)):
        if number % share == door.turn % share:
            answer = door.ask("reader", route.method, address, body)
            if answer.status_int == 200:
                shown.add(route.url)
                assert [one for one in hidden if one in answer.text] == [], (address, body, answer.text)
    assert {"/v1/report/summary", "/v1/storage/dataframes", "/v2/dataframes", "/v2/summary"} <= shown


@shares(READERS_SHARE)
def test_s3_s4_hostile_headers_are_nobody(door: Door, share: int) -> None:
    hidden = door.place.traces("foreign", "third")
    for address in ("/v1/report/summary?groupby=tenant_id", "/v2/summary?groupby=scope", "/v2/scope"):
        for name in HEADERS:
            for hostile in EVERYTHING[::share]:
                if not set(hostile) & set("\r\n\0"):        # with which no server lets a header through
                    value = hostile.encode("utf-8", "surrogatepass").decode("latin-1")
                    answer = door.ask("reader", "GET", address, **{name: value})
                    assert answer.status_int in ((403,) if address == "/v2/scope" else (200, 400)), (name, hostile)
                    assert [one for one in hidden if one in answer.text] == []
                    assert all("\r" not in one and "\n" not in one for one in answer.headers.values())


def unstorable(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def test_s3_s4_hostile_names_come_back_as_they_were(door: Door) -> None:
    base, kept = "/v1/rating/module_config/hashmap", 0
    for number, hostile in enumerate(EVERYTHING):
        made = door.ask("root", "POST", f"{base}/services", {"name": hostile})
        if made.status_int == 400:
            assert hostile == "" or len(hostile) > 255 or unstorable(hostile), made.text
            continue
        kept += 1
        service = made.json if made.status_int == 201 else None
        if service is None:                # another test has made it
            (service,) = [one for one in door.ask("root", "GET", f"{base}/services").json["services"]
                          if one["name"] == hostile]
        rule = {"cost": 1, "service_id": service["service_id"], "tenant_id": f"{number}{hostile}"[:200],
                "name": f"{number}{hostile}"[:30], "description": hostile[:200]}
        mapping = door.ask("root", "POST", f"{base}/mappings", rule)
        assert mapping.status_int == 201, mapping.text
        found = door.ask("root", "GET", f"{base}/mappings/{mapping.json['mapping_id']}").json
        assert {name: found[name] for name in rule if name != "cost"} == {
            name: value or None for name, value in rule.items() if name != "cost"}
        assert door.ask("root", "GET", f"{base}/services/{service['service_id']}").json["name"] == hostile
    assert kept > 100


def test_s3_s4_hostile_labels_come_back_as_they_were(door: Door) -> None:
    period = {"begin": "2026-11-06T00:00:00Z", "end": "2026-11-06T01:00:00Z"}
    labels = [one for one in EVERYTHING if len(one) < 200 and not unstorable(one)]
    points = [{"vol": {"unit": "h", "qty": 1}, "metadata": {"told": one},
               "groupby": {"project_id": "labels", "label": one}} for one in labels]
    frame = {"period": period, "usage": {"labelled": points}}
    assert door.ask("root", "POST", "/v2/dataframes", {"dataframes": [frame]}).status_int == 204
    when = urlencode(period) + "&limit=1000"
    found = door.ask("root", "GET", f"/v2/dataframes?{when}&filters=project_id:labels").json["dataframes"]
    assert sorted((one["groupby"]["label"], one["metadata"]["told"]) for frame in found
                  for one in frame["usage"]["labelled"]) == sorted(zip(labels, labels, strict=True))
    rows = door.ask("root", "GET", f"/v2/summary?{when}&groupby=label&filters=type:labelled").json["results"]
    assert sorted(row[-1] for row in rows) == sorted(labels)
    for one in labels:
        if "," not in one:
            (row,) = door.ask("root", "GET", f"/v2/summary?{when}&groupby=label&" + query(
                {"filters": f"label:{one}"})[1:]).json["results"]
            assert row[-1] == one
