"""Who may do what over the API: every URL of the table of routes, as everybody, about oneself and about others.

A row of TABLE is a request and the status that each of PEOPLE gets for it.  A
route without a row fails a test, and so does any word or number of a tenant in
an answer to somebody who may not see that tenant.
"""
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from webtest import TestApp, TestResponse

from cloudkitty_like.api.application import application
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.root import routes
from cloudkitty_like.domain.money import plain
from tests.keystone import Keystone, keystone
from tests.tenants import HOURS, Site, site, tenants

pytestmark = pytest.mark.slow

PEOPLE = ("admin", "reader", "member", "foo", "stranger", "unscoped", "domain", "system", "nobody")
"""``reader``, ``member`` and ``foo`` are of the tenant *own*; ``stranger`` reads *foreign* where that is a project."""
SEES = {"admin": ("own", "foreign", "third"), "reader": ("own",), "member": ("own",),
        "foo": ("own",)}

EVERYBODY = "200 200 200 200 200 200 200 200 200"
KNOWN = "200 200 200 200 200 200 200 200 401"
PROJECTS = "200 200 200 200 200 200 403 403 401"
READERS = "200 200 200 403 200 403 403 403 401"
OWN = "200 200 200 403 403 403 403 403 401"
OTHERS = "200 403 403 403 403 403 403 403 401"
ADMIN = "{} 403 403 403 403 403 403 403 401"
A200, A201, A202, A204, A302 = (ADMIN.format(status) for status in (200, 201, 202, 204, 302))
A400, A404, A405, A409 = (ADMIN.format(status) for status in (400, 404, 405, 409))
STRANGER = "200 403 403 403 200|403 403 403 403 401"
"""About *foreign*, which is the stranger's own where scopes are projects."""

NAMES = "/v1/rating/module_config/hashmap"
SCRIPTS = "/v1/rating/module_config/pyscripts"
KINDS = ("service", "field", "group", "mapping", "threshold")
POINT = {"vol": {"unit": "h", "qty": 1}, "rating": {"price": 1}, "metadata": {}}
TASK = {"start_reprocess_time": "2026-11-03T00:00:00Z", "end_reprocess_time": "2026-11-03T01:00:00Z", "reason": "w"}
TABLE: list[tuple[str, str] | tuple[str, str, Any]] = [
    ("GET /", EVERYBODY), ("GET /v1", EVERYBODY), ("GET /v2", EVERYBODY), ("GET /healthcheck", EVERYBODY),
    ("GET /metrics", A200),
    ("GET /v2/openapi.json", KNOWN),
    ("GET /v1/info/config", PROJECTS), ("GET /v1/info/metrics", PROJECTS), ("GET /v1/info/services", PROJECTS),
    ("GET /v1/info/metrics/instance", PROJECTS), ("GET /v1/info/services/instance", PROJECTS),
    ("GET /v1/collector", A204), ("GET /v1/collector/mappings", A200),
    ("POST /v1/collector/mappings", A200, {"service": "s", "collector": "c"}),
    ("POST /v1/collector/mappings/c/s", A200), ("GET /v1/collector/mappings/s", A200),
    ("DELETE /v1/collector/mappings?service=s", A204), ("DELETE /v1/collector/mappings/s", A404),
    ("GET /v1/collector/states?name=c", A200), ("GET /v1/collector/states/c", A200),
    ("GET /v1/collector/c/states", A200), ("PUT /v1/collector/states", A200, {"name": "c", "enabled": True}),
    ("PUT /v1/collector/states/c", A200, {"enabled": True}), ("PUT /v1/collector/c/states", A200, {"enabled": True}),

    ("GET /v1/report/tenants", A200),
    *((f"GET /v1/report/{what}{query}", statuses) for what in ("total", "summary") for query, statuses in (
        ("", READERS), ("?tenant_id={own}", OWN), ("?tenant_id={foreign}", STRANGER), ("?tenant_id={third}", OTHERS),
        ("?tenant_id=", READERS), ("?tenant_id=None", OTHERS), ("?tenant_id=%25", OTHERS),
        ("?all_tenants=true", OTHERS), ("?all_tenants=1&tenant_id={own}", OTHERS),
        ("?all_tenants=false", READERS), ("?service=quince-metric", READERS), ("?service=medlar-metric", READERS))),
    *((f"GET /v1/report/summary?groupby={by}", READERS) for by in ("tenant_id", "res_type", "tenant_id,res_type")),
    ("GET /v1/report/summary?groupby=tenant_id&all_tenants=true", OTHERS),
    ("GET /v1/storage/dataframes", READERS), ("GET /v1/storage/dataframes?tenant_id=", READERS),
    ("GET /v1/storage/dataframes?tenant_id={own}", OWN), ("GET /v1/storage/dataframes?tenant_id={foreign}", STRANGER),
    ("GET /v1/storage/dataframes?tenant_id={third}", OTHERS),
    ("GET /v1/storage/dataframes?resource_type=quince-metric", READERS),

    ("GET /v1/rating/modules", A200), ("GET /v1/rating/modules/hashmap", A200),
    ("PUT /v1/rating/modules", A302, {"module_id": "noop", "priority": 2}),
    ("PUT /v1/rating/modules/noop", A302, {"module_id": "noop", "priority": 3}),
    ("GET /v1/rating/reload_modules", A204),
    *((f"{method} {SCRIPTS}{path}", A405) for method in ("GET", "POST", "PUT", "DELETE") for path in ("", "/script")),
    (f"GET {SCRIPTS}/scripts", A200), (f"GET {SCRIPTS}/scripts/{{script_id}}", A200),
    (f"POST {SCRIPTS}/scripts", A201, {"name": "{new}", "data": "a = 0"}),
    (f"PUT {SCRIPTS}/scripts/{{script_id}}", A201, {"end": "2026-12-01"}),
    (f"PUT {SCRIPTS}/scripts", A201, {"script_id": "{script_id}", "end": "2026-12-01"}),
    (f"DELETE {SCRIPTS}/scripts/{{script_id}}", A204),
    (f"DELETE {SCRIPTS}/scripts", A204, {"script_id": "{script_id}"}),
    *((f"{method} /v1/rating/module_config/noop", A409) for method in ("GET", "POST", "PUT")),
    ("POST /v1/rating/quote", PROJECTS, {"resources": [{"service": "instance", "volume": 1, "desc": {
        "flavor": "quince-flavor"}}]}),
    ("POST /v1/rating/quote", "200 200 200 200 403 403 403 403 401", {"resources": [
        {"service": "instance", "volume": 1, "desc": {"flavor": "plum-flavor", "{key}": "{own}"}}]}),
    ("POST /v1/rating/quote", STRANGER, {"resources": [{"service": "instance", "volume": 1, "desc": {
        "flavor": "quince-flavor", "{key}": "{foreign}"}}]}),
    ("POST /v1/rating/quote", OTHERS, {"resources": [{"service": "instance", "volume": 1, "desc": {
        "flavor": "medlar-flavor", "{key}": "{third}"}}]}),

    (f"GET {NAMES}/types", A200), (f"GET {NAMES}/services", A200), (f"GET {NAMES}/groups", A200),
    (f"POST {NAMES}/services", A201, {"name": "{new}"}), (f"POST {NAMES}/groups", A201, {"name": "{new}"}),
    (f"POST {NAMES}/fields", A201, {"name": "{new}", "service_id": "{service_id}"}),
    (f"POST {NAMES}/services/{{service_id}}/fields", A201, {"name": "{new}"}),
    (f"POST {NAMES}/services/{{service_id}}/mappings", A201, {"cost": 1}),
    (f"POST {NAMES}/mappings", A201, {"cost": 1, "field_id": "{field_id}", "value": "{new}"}),
    (f"POST {NAMES}/thresholds", A201, {"cost": 1, "level": 7, "field_id": "{field_id}"}),
    (f"GET {NAMES}/fields?service_id={{service_id}}", A200),
    (f"GET {NAMES}/mappings", A200), (f"GET {NAMES}/thresholds", A200),
    (f"GET {NAMES}/mappings?tenant_id={{foreign}}&filter_tenant=true", A200),
    (f"GET {NAMES}/services/{{service_id}}/fields", A200), (f"GET {NAMES}/services/{{service_id}}/mappings", A200),
    *((f"GET {NAMES}/{kind}s/{{{kind}_id}}", A200) for kind in KINDS),
    *((f"GET {NAMES}/groups/{kind}?group_id={{group_id}}", A200) for kind in ("mappings", "thresholds")),
    *((f"GET {NAMES}/groups/{{group_id}}/{kind}", A200) for kind in ("mappings", "thresholds")),
    *((f"GET {NAMES}/{kind}s/group?{kind}_id={{{kind}_id}}", A200) for kind in ("mapping", "threshold")),
    *((f"GET {NAMES}/{kind}s/{{{kind}_id}}/group", A200) for kind in ("mapping", "threshold")),
    (f"PUT {NAMES}/mappings/{{mapping_id}}", A302, {"end": "2026-12-01"}),
    (f"PUT {NAMES}/mappings", A302, {"mapping_id": "{mapping_id}", "end": "2026-12-01"}),
    (f"PUT {NAMES}/thresholds/{{threshold_id}}", A302, {"level": 2, "cost": 3}),
    (f"PUT {NAMES}/thresholds", A302, {"threshold_id": "{threshold_id}", "level": 2, "cost": 3}),
    *((f"DELETE {NAMES}/{kind}s/{{{kind}_id}}", A204) for kind in KINDS),
    *((f"DELETE {NAMES}/{kind}s", A204, {f"{kind}_id": f"{{{kind}_id}}"}) for kind in KINDS),

    ("GET /v2/dataframes", "200 200 200 403 200|404 403 403 403 401"),
    # Whoever asks for others only gets nothing, and that is no error: so it tells nothing of what others have either.
    *((f"GET /v2/dataframes?filters={which}", READERS) for which in (
        "{key}:{own}", "{key}:{foreign}", "scope:{third}", "{key}:{own},{key}:{third}")),
    ("GET /v2/dataframes?filters={key}:nobody", "404 200 200 403 200 403 403 403 401"),
    ("GET /v2/dataframes?filters=type:medlar-metric", "200 404 404 403 404 403 403 403 401"),
    ("GET /v2/dataframes?filters=flavor:medlar-flavor", "200 404 404 403 404 403 403 403 401"),
    *((f"GET /v2/summary{query}", READERS) for query in (
        "", "?filters={key}:{own}", "?filters={key}:{foreign}", "?filters=scope:{third}",
        "?filters={key}:{own},{key}:{third}", "?filters=type:quince-metric", "?filters=flavor:medlar-flavor",
        "?groupby={key}", "?groupby=scope,type,time", "?groupby=flavor", "?groupby=quince_label,medlar_label",
        "?groupby={key},type&response_format=object&custom_fields=MAX(price)%20AS%20most,MIN(qty)%20AS%20least",
        "?groupby={key}&decimal=string&as_of=6")),
    ("POST /v1/rating/quote", PROJECTS, {"explain": True, "resources": [{"service": "instance", "volume": 1, "desc": {
        "flavor": "quince-flavor"}}]}),
    *((f"GET /v2/explanations{query}", READERS) for query in (
        "", "?filters={key}:{own}", "?filters={key}:{foreign}", "?filters=scope:{third}", "?limit=1",
        "?filters={key}:{own},{key}:{third}", "?filters=type:quince-metric", "?filters=flavor:medlar-flavor",
        "?decimal=string&as_of=6", "?offset=2")),
    ("POST /v2/rating/simulations", A200, {"begin": "2026-11-03", "end": "2026-11-04"}),
    ("POST /v2/rating/simulations", A200, {"begin": "2026-11-03", "end": "2026-11-04", "scope_ids": ["{third}"],
                                           "rules": "services: {}"}),
    ("GET /v2/rating/modules", A200), ("GET /v2/rating/modules/hashmap", A200),
    ("PUT /v2/rating/modules/noop", A204, {"priority": 4}),
    *((f"GET /v2/scope{query}", A200) for query in ("", "?scope_id={own}", "?scope_id={foreign}", "?active=true")),
    *(("PATCH /v2/scope", A200, {"scope_id": f"{{{whose}}}", "active": True}) for whose in ("own", "third")),
    ("POST /v2/scope", A200, {"scope_id": "{new}", "last_processed_timestamp": "2026-11-03"}),
    ("GET /v2/task/reprocesses", A200), ("GET /v2/task/reprocesses?scope_ids={own}", A200),
    ("GET /v2/task/reprocesses/{own}", A200), ("GET /v2/task/reprocesses/{third}", A200),
    ("POST /v2/dataframes", A204, {"dataframes": [{"period": {"begin": "2026-11-04T00:00:00Z", "end":
        "2026-11-04T01:00:00Z"}, "usage": {"gift": [{**POINT, "groupby": {"{key}": "{own}"}}]}}]}),
    ("POST /v2/task/reprocesses", A202, {"scope_ids": ["{own}"], **TASK}),
    ("POST /v2/task/reprocesses/1/undo", A400, {"reason": "has not ended"}), ("DELETE /v2/task/reprocesses/1", A204),
    *((f"GET /v2/history{query}", A200) for query in (
        "", "?kind=ledger&everything=true", "?scope_id={own}", "?scope_id={third}&kind=rules")),
    ("PUT /v2/scope", A202, {"scope_id": ["{third}"], "last_processed_timestamp": "2026-11-03T01:00:00Z"}),
    ("PUT /v2/scope", A202, {"all_scopes": True, "last_processed_timestamp": "2026-11-03T01:00:00Z"}),
]


@dataclass(frozen=True)
class Reception:
    """An installation, and those who come to it."""

    site: Site
    app: TestApp
    tokens: Mapping[str, str]

    def ask(self, person: str, request: str, body: Any = None) -> TestResponse:
        """The answer to ``METHOD URL``."""
        method, _, url = request.partition(" ")
        headers = {"X-Auth-Token": self.tokens[person]} if person in self.tokens else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.app.request(url, method=method, headers=headers, status="*",
                                body=b"" if body is None else json.dumps(body).encode())

    def names(self) -> dict[str, str]:
        """Of a service and a field, with a rule of each kind and their group, and a script, just made."""
        found = {"new": uuid.uuid4().hex}
        for kind, url, body in (
                ("service", "services", {"name": "{new}"}), ("group", "groups", {"name": "{new}"}),
                ("field", "fields", {"name": "f", "service_id": "{service_id}"}),
                ("mapping", "mappings", {"cost": 1, "service_id": "{service_id}", "group_id": "{group_id}"}),
                ("threshold", "thresholds",
                 {"cost": 1, "level": 1, "service_id": "{service_id}", "group_id": "{group_id}"})):
            made = self.ask("admin", f"POST {NAMES}/{url}", filled(body, found))
            assert made.status_int == 201, made
            found[f"{kind}_id"] = made.json[f"{kind}_id"]
        made = self.ask("admin", f"POST {SCRIPTS}/scripts", {"name": found["new"], "data": "a = 0"})
        assert made.status_int == 201, made
        return found | {"script_id": made.json["script_id"]}

    def hidden(self, person: str) -> set[str]:
        """Whatever an answer to this person must not have in it."""
        sees = SEES.get(person, ("foreign",) if person == "stranger" and self.site.scope_key == "project_id" else ())
        unseen = [name for name in self.site.who if name not in sees]
        return self.site.traces(*unseen) if unseen else set()


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The same with ``{name}`` replaced wherever it is."""
    if isinstance(template, dict):
        return {filled(name, values): filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if isinstance(template, str):
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
    return template


def rows() -> Iterator[tuple[str, str, Any]]:
    """TABLE, and the same about the old name of a part of it."""
    for request, statuses, *body in TABLE:
        yield request, statuses, *(body or [None])
        if " /v1/rating" in request:
            yield request.replace("/v1/rating", "/v1/billing"), statuses, *(body or [None])


@pytest.fixture(scope="module")
def running() -> Iterator[Keystone]:
    with keystone() as one:
        yield one


@pytest.fixture(scope="module", params=["project_id", "tenant"])
def reception(request: pytest.FixtureRequest, running: Keystone,
              tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    """Scopes are projects; or they are something else, and one of them just happens to have a project's id."""
    web, db = running.projects["web"], running.projects["db"]
    who = tenants(web, db, "third-party") if request.param == "project_id" else tenants(web, "tenant-2", "tenant-3")
    directory = tmp_path_factory.mktemp(request.param)
    with site(directory, "sqlite", who, scope_key=request.param, settings={"DEFAULT": {"auth_strategy": "keystone"}},
              raw=running.authtoken.replace("token_cache_time = -1", "token_cache_time = 300")) as made:
        yield Reception(made, TestApp(application(made.app)), running.tokens)


def test_the_table_has_every_url_of_the_api(reception: Reception) -> None:
    asked = {tuple(request.partition("?")[0].split("/")) for request, _, _ in rows()}
    unasked = [
        f"{route.method} /{'/'.join(pattern)}" for route in routes(reception.site.app.use_cases, Counters(), 0)
        for pattern in route.patterns if not any(_fits((f"{route.method} ", *pattern), one) for one in asked)]
    assert unasked == []


def _fits(pattern: tuple[str, ...], request: tuple[str, ...]) -> bool:
    return len(pattern) == len(request) and all(
        wanted == found or (wanted.startswith("{") and found not in ("mappings", "thresholds", "group"))
        for wanted, found in zip(pattern, request, strict=True))


def test_s9_s11_s13_s15_everybody_gets_what_the_table_says(reception: Reception) -> None:
    usual = {name: one.id for name, one in reception.site.who.items()} | {"key": reception.site.scope_key}
    shared, hidden = reception.names(), {person: reception.hidden(person) for person in PEOPLE}
    wrong, told, cells = [], [], 0
    for request, statuses, body in rows():
        expected = [one.split("|")[-1 if reception.site.scope_key == "tenant" else 0] for one in statuses.split()]
        for person, status in reversed(list(zip(PEOPLE, expected, strict=True))):      # who may change it is the last
            values = usual | (reception.names() if person == "admin" and "_id}" in f"{request} {body}" else shared)
            values |= {"new": uuid.uuid4().hex}
            asked = filled(request, values), filled(body, values)
            answer = reception.ask(person, *asked)
            cells += 1
            if answer.status_int != int(status):
                wrong.append(f"{request} {body or ''}: {person} {answer.status_int} not {status}: {answer.text[:150]}")
            if request.startswith("GET "):
                head = reception.ask(person, f"HEAD {asked[0][4:]}")
                if (head.status_int, head.body) != (int(status), b""):
                    wrong.append(f"HEAD {asked[0][4:]}: {person} {head}")
            if answer.status_int < 300:
                told += [f"{request}: {person} is told {trace}" for trace in hidden[person]
                         if trace in answer.text and trace not in f"{asked}"]
    assert (wrong, told) == ([], [])
    assert cells == len(PEOPLE) * len(list(rows()))


@pytest.mark.parametrize("accept", ["application/json", "application/json; decimal=string", "text/csv",
                                    "application/xml", "text/html"])
def test_s11_in_no_form_of_an_answer_is_anything_of_others(reception: Reception, accept: str) -> None:
    hidden, shown = reception.hidden("reader"), []
    own = reception.site.who["own"]
    reception.app.extra_environ["HTTP_ACCEPT"] = accept
    for url in ("/v1/report/total", "/v1/report/summary?groupby=tenant_id,res_type", "/v1/storage/dataframes",
                "/v2/dataframes", "/v2/summary?groupby=scope,type,flavor,image", "/v2/summary?groupby=plum_label"):
        answer = reception.ask("reader", f"GET {url}")
        assert answer.status_int == 200, answer
        assert [trace for trace in hidden if trace in answer.text] == [], (url, answer.text)
        shown.append(answer.text)
    del reception.app.extra_environ["HTTP_ACCEPT"]
    assert f"{own.word}-flavor" in shown[2]
    assert f"{own.word}-image" in shown[4]
    assert all(own.id in text for text in (shown[1], shown[4]))


def test_a_reader_sees_all_of_its_own(reception: Reception) -> None:
    own = reception.site.who["own"]
    query = "begin=2026-11-03T00:00:00Z&end=2026-11-04T00:00:00Z"
    assert reception.ask("reader", f"GET /v1/report/total?{query}").json == plain(own.total)
    assert reception.ask("reader", f"GET /v2/summary?{query}&decimal=string").json["results"][0][3] == plain(own.total)
    assert reception.ask("reader", f"GET /v2/dataframes?{query}").json["total"] == 2 * HOURS
    (row,) = reception.ask("reader", f"GET /v1/report/summary?{query}&groupby=tenant_id").json["summary"]
    assert (row["tenant_id"], row["rate"]) == (own.id, plain(own.total))
    everything = reception.ask("admin", f"GET /v1/report/total?{query}&all_tenants=true").json
    assert everything == plain(sum(one.total for one in reception.site.who.values()))
