"""Who calls, by the tokens of a real Keystone."""
from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from keystoneauth1.exceptions import ConnectFailure
from webtest import TestApp

from cloudkitty_like.api import identity
from cloudkitty_like.api.policies import list_rules
from cloudkitty_like.testing.network import free_port
from tests.api.doors import CLAIMS, configuration, door
from tests.certificates import Authority
from tests.fake_http import Reply, serve
from tests.keystone import Keystone, keystone

NAMED = [rule.name for rule in list_rules() if ":" in rule.name]
READER_RULES = ["report:get_summary", "report:get_total", "storage:list_data_frames", "dataframes:get",
                "summary:get_summary"]


@pytest.fixture(scope="module")
def running() -> Iterator[Keystone]:
    with keystone() as one:
        yield one


@pytest.fixture(scope="module")
def app(running: Keystone, tmp_path_factory: pytest.TempPathFactory) -> TestApp:
    return door(configuration(tmp_path_factory.mktemp("keystone"), running.authtoken))


def proof(running: Keystone, name: str) -> dict[str, str]:
    return {"X-Auth-Token": running.tokens[name]}


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "no token"}, {"X-Auth-Token": ""}, CLAIMS,
                                     {"Authorization": "Basic YWxpY2U6YQ=="}])
@pytest.mark.parametrize("path", ["/v2/summary", "/v1/info/metrics", "/metrics"])
def test_without_a_valid_token_nobody_gets_in(app: TestApp, path: str, headers: dict[str, str]) -> None:
    refused = app.get(path, headers=headers, status=401)
    assert refused.headers["WWW-Authenticate"].startswith('Keystone uri="http://127.0.0.1:')
    assert refused.content_type == "application/json"
    assert refused.json["error"]["code"] == 401


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2", "/healthcheck"])
def test_open_paths_ask_for_no_token(app: TestApp, path: str) -> None:
    assert app.get(path, headers=CLAIMS).json == {"user": "", "project": None, "domain": None, "roles": [],
                                                  "admin": False, "headers": []}


@pytest.mark.parametrize(("name", "project", "roles", "admin"), [
    ("admin", "admin", {"admin", "manager", "member", "reader"}, True),
    ("reader", "web", {"reader"}, False),
    ("member", "web", {"member", "reader"}, False),
    ("foo", "web", {"foo"}, False),
    ("stranger", "db", {"reader"}, False),
    ("unscoped", None, set(), False),
])
@pytest.mark.parametrize("claims", [{}, CLAIMS], ids=["honest", "claims to be another"])
def test_everybody_is_who_keystone_says(app: TestApp, running: Keystone, name: str, project: str | None,
                                        roles: set[str], admin: bool, claims: dict[str, str]) -> None:
    seen = app.get("/v2/summary", headers={**claims, **proof(running, name)}).json
    assert seen["user"] == running.users["reader" if name == "unscoped" else name]
    assert seen["project"] == (running.projects[project] if project else None)
    assert (seen["domain"], set(seen["roles"]), seen["admin"]) == (None, roles, admin)


@pytest.mark.parametrize("rule", READER_RULES)
def test_readers_see_their_project_and_admins_all(app: TestApp, running: Keystone, rule: str) -> None:
    may = {(name, project) for name in ("admin", "reader", "member", "foo", "stranger", "unscoped")
           for project in ("web", "db")
           if app.get(f"/v1/report/total?rule={rule}&project={running.projects[project]}",
                      headers=proof(running, name), status="*").status_int == 200}
    assert may == {("admin", "web"), ("admin", "db"), ("reader", "web"), ("member", "web"), ("stranger", "db")}


@pytest.mark.parametrize("rule", NAMED)
def test_an_admin_may_do_everything(app: TestApp, running: Keystone, rule: str) -> None:
    app.get(f"/v2/x?rule={rule}", headers=proof(running, "admin"), status=200)


@pytest.mark.parametrize("rule", NAMED)
@pytest.mark.parametrize("scope", ["domain", "system"])
def test_s15_a_token_of_a_domain_or_of_the_system_is_forbidden(
        app: TestApp, running: Keystone, scope: str, rule: str) -> None:
    asked = f"/v2/x?rule={rule}&project={running.projects['web']}"
    refused = app.get(asked, headers={**CLAIMS, **proof(running, scope)}, status=403)
    assert refused.json == {"error": f"{rule} takes the token of a project, not of a domain or of the system"}


@pytest.mark.parametrize("scope", ["domain", "system"])
def test_s15_an_admin_of_a_domain_or_of_the_system_is_none_here(
        app: TestApp, running: Keystone, scope: str) -> None:
    assert app.get("/v2/x", headers=proof(running, scope)).json["admin"] is False


def test_details_of_the_health_check_take_an_admins_token(app: TestApp, running: Keystone) -> None:
    asked = "/healthcheck?rule=healthcheck:details"
    app.get(asked, headers=proof(running, "admin"), status=200)
    app.get(asked, headers=proof(running, "reader"), status=403)
    app.get(asked, status=403)
    app.get(asked, headers={"X-Auth-Token": "no token"}, status=401)


def test_a_revoked_token_is_worth_nothing(app: TestApp, running: Keystone) -> None:
    url = f"{running.url}/auth/tokens"
    user = {"name": "reader", "domain": {"id": "default"}, "password": "reader"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {
        "project": {"id": running.projects["web"]}}}}
    issued = requests.post(url, json=body, timeout=30).headers["X-Subject-Token"]
    app.get("/v2/summary", headers={"X-Auth-Token": issued}, status=200)
    requests.delete(url, headers={"X-Auth-Token": issued, "X-Subject-Token": issued}, timeout=30).raise_for_status()
    app.get("/v2/summary", headers={"X-Auth-Token": issued}, status=401)


def test_an_application_credential_does_what_its_access_rules_allow(app: TestApp, running: Keystone) -> None:
    name = uuid.uuid4().hex
    rule = {"path": "/v2/summary", "method": "GET", "service": "rating"}
    made = requests.post(
        f"{running.url}/users/{running.users['reader']}/application_credentials", headers=proof(running, "reader"),
        json={"application_credential": {"name": name, "secret": name, "access_rules": [rule]}}, timeout=30)
    assert made.status_code == 201, made.text
    credential = {"id": made.json()["application_credential"]["id"], "secret": name}
    issued = requests.post(f"{running.url}/auth/tokens", timeout=30, json={"auth": {"identity": {
        "methods": ["application_credential"], "application_credential": credential}}})
    token = {"X-Auth-Token": issued.headers["X-Subject-Token"]}
    app.get("/v2/summary", headers=token, status=200)
    app.get("/v2/dataframes", headers=token, status=401)


def test_no_option_lets_anybody_in_without_a_token(running: Keystone, tmp_path: Path) -> None:
    careless = door(configuration(tmp_path, running.authtoken + "delay_auth_decision = true\n"))
    careless.get("/v1/info/metrics", status=401)


def test_an_error_of_the_application_stays_one(running: Keystone, tmp_path: Path) -> None:
    # Such as the same library raises where the application itself asks Keystone for something.
    def broken(environ, start_response):
        raise ConnectFailure("the catalog is out of reach")

    wrapped = TestApp(identity.wrap(broken, configuration(tmp_path, running.authtoken)))
    with pytest.raises(ConnectFailure, match="the catalog is out of reach"):
        wrapped.get("/v2/summary", headers=proof(running, "admin"))


# --- a Keystone that does not answer ------------------------------------------------------------

@pytest.mark.slow
def test_a_keystone_that_went_away_is_a_503(tmp_path: Path) -> None:
    with keystone() as one:
        app = door(configuration(tmp_path, one.authtoken + "http_request_max_retries = 0\n"))
        app.get("/v2/summary", headers=proof(one, "reader"), status=200)
    app.get("/v2/summary", headers=proof(one, "reader"), status=503)
    app.get("/v2/summary", status=401)
    app.get("/v2", status=200)


@pytest.mark.parametrize("uri", ["", "www_authenticate_uri = http://keystone.example.org\n"])
def test_a_keystone_that_was_never_there_is_a_503(tmp_path: Path, uri: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/v3"
    app = door(configuration(tmp_path, f"[keystone_authtoken]\nauth_type = password\nauth_url = {url}\n{uri}"
                                       "username = rating\npassword = rating\nhttp_request_max_retries = 0\n"))
    app.get("/v2/summary", headers={"X-Auth-Token": "any"}, status=503)
    refused = app.get("/v2/summary", status=401)
    assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{"http://keystone.example.org" if uri else url}"'


@pytest.mark.parametrize("answer", [
    Reply(500, b"broken"), Reply(200, b"no JSON"), Reply(404, b"{}"), Reply(200, b"{}"), Reply(hang_up=True),
    Reply(401, json.dumps({"error": {"code": 401}}).encode()), Reply(300, b'{"versions": {"values": []}}'),
])
def test_a_keystone_that_is_broken_is_a_503(tmp_path: Path, answer: Reply) -> None:
    with serve(lambda asked: answer) as fake:
        app = door(configuration(
            tmp_path, f"[keystone_authtoken]\nauth_type = password\nauth_url = {fake.url}\n"
                      "username = rating\npassword = rating\nhttp_request_max_retries = 0\n"))
        assert app.get("/v2/summary", headers={"X-Auth-Token": "any"}, status="*").status_int == 503


def test_s8_a_keystone_is_asked_only_over_a_connection_that_is_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("keystone"))
    with serve(lambda asked: Reply(500), context) as fake:
        settings = (f"[keystone_authtoken]\nauth_type = password\nauth_url = {fake.url}\nusername = rating\n"
                    "password = rating\nhttp_request_max_retries = 0\n")
        door(configuration(tmp_path, settings)).get("/v2/summary", headers={"X-Auth-Token": "any"}, status=503)
        assert fake.asked == []
        trusting = configuration(tmp_path, f"{settings}cafile = {authority.file}\n")
        door(trusting).get("/v2/summary", headers={"X-Auth-Token": "any"}, status=503)
        assert fake.asked != []


def test_a_service_that_keystone_does_not_know_is_a_503(running: Keystone, tmp_path: Path) -> None:
    wrong = running.authtoken.replace("password = rating", "password = wrong")
    door(configuration(tmp_path, wrong)).get("/v2/summary", headers=proof(running, "reader"), status=503)
