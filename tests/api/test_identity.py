"""Who calls, by each strategy that needs no server; what clients claim of themselves; what is wrong at the start."""
from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import bcrypt
import pytest
from oslo_config import cfg
from webtest import TestApp

from cloudkitty_like.api import identity
from cloudkitty_like.api.policies import Policy
from cloudkitty_like.domain.errors import Invalid
from tests.api.doors import CLAIMS, configuration, door, echo

USERS = """\
alice: {project: web, roles: [reader]}
root: {roles: [admin]}
"""
NOBODY = {"user": "", "project": None, "domain": None, "roles": [], "admin": False, "headers": []}
KEYSTONE = """\
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:9/v3
username = rating
password = secret
"""


def digest(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def basic_configuration(directory: Path, htpasswd: str | None, users: str | None) -> cfg.ConfigOpts:
    for name, text in (("htpasswd", htpasswd), ("users.yaml", users)):
        if text is not None:
            (directory / name).write_text(text, encoding="utf-8")
    return configuration(directory, f"[DEFAULT]\nauth_strategy = http_basic\n[http_basic]\n"
                                    f"htpasswd_file = {directory}/htpasswd\nusers_file = {directory}/users.yaml\n")


@pytest.fixture
def passwords() -> str:
    return "".join(f"{name}:{digest(f'{name}-secret')}\n" for name in ("alice", "root", "guest"))


@pytest.fixture
def protected(tmp_path: Path, passwords: str) -> TestApp:
    return door(basic_configuration(tmp_path, passwords, USERS))


# --- noauth -------------------------------------------------------------------------------------

def test_without_authentication_everybody_is_an_admin_without_a_name(tmp_path: Path) -> None:
    open_door = door(configuration(tmp_path, "[DEFAULT]\nauth_strategy = noauth\n"))
    seen = {**NOBODY, "admin": True, "roles": ["admin"]}
    assert open_door.get("/v2/summary?rule=scope:reset_state").json == seen
    assert open_door.get("/v1/report/total", headers=CLAIMS).json == seen


# --- http_basic ---------------------------------------------------------------------------------

def test_a_user_has_the_project_and_the_roles_of_the_file(protected: TestApp) -> None:
    seen = protected.get("/v2/summary?rule=summary:get_summary", headers=basic("alice", "alice-secret")).json
    assert (seen["user"], seen["project"], seen["roles"], seen["admin"]) == ("alice", "web", ["reader"], False)
    seen = protected.get("/v2/scope?rule=scope:get_state", headers=basic("root", "root-secret")).json
    assert (seen["user"], seen["project"], seen["roles"], seen["admin"]) == ("root", None, ["admin"], True)


def test_a_user_who_is_in_the_file_of_passwords_alone_has_nothing(protected: TestApp) -> None:
    guest = basic("guest", "guest-secret")
    seen = protected.get("/v1/info/metrics?rule=info:list_metrics_info", headers=guest).json
    assert (seen["user"], seen["project"], seen["roles"], seen["admin"]) == ("guest", None, [], False)
    protected.get("/v1/report/total?rule=report:get_total", headers=guest, status=403)


@pytest.mark.parametrize("headers", [
    {}, basic("alice", "wrong"), basic("alice", ""), basic("bob", "alice-secret"), basic("", "alice-secret"),
    basic("alice", "x" * 100), basic("alice", "a\0b"), {"Authorization": "Bearer abc"}, {"Authorization": "Basic"},
    {"Authorization": "Basic !"}, {"Authorization": "Basic YWxpY2U="}, {"X-Auth-Token": "abc"}, CLAIMS,
])
def test_who_shows_no_right_password_is_asked_for_one(protected: TestApp, headers: dict[str, str]) -> None:
    refused = protected.get("/v2/summary", headers=headers, status=401)
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert refused.content_type == "application/json"
    assert refused.json == {"error": {"code": 401, "title": "Unauthorized",
                                      "message": "The request you have made requires authentication."}}


def test_a_changed_password_holds_at_once(tmp_path: Path, protected: TestApp) -> None:
    (tmp_path / "htpasswd").write_text(f"alice:{digest('new')}\n")
    protected.get("/v2/summary", headers=basic("alice", "alice-secret"), status=401)
    protected.get("/v2/summary", headers=basic("alice", "new"), status=200)
    (tmp_path / "htpasswd").unlink()
    protected.get("/v2/summary", headers=basic("alice", "new"), status=401)


def test_the_password_goes_no_further(tmp_path: Path, passwords: str) -> None:
    seen = []

    def application(environ, start_response):
        seen.append("HTTP_AUTHORIZATION" in environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    conf = basic_configuration(tmp_path, passwords, USERS)
    TestApp(identity.wrap(application, conf)).get("/v2", headers=basic("alice", "wrong"))
    TestApp(identity.wrap(application, conf)).get("/v2/summary", headers=basic("alice", "alice-secret"))
    assert seen == [True, False]                # nobody read it on an open path; it is the client's to send


def test_an_error_of_the_application_stays_one(tmp_path: Path, passwords: str) -> None:
    def broken(environ, start_response):
        raise RuntimeError("the disk is full")

    wrapped = TestApp(identity.wrap(broken, basic_configuration(tmp_path, passwords, USERS)))
    with pytest.raises(RuntimeError, match="the disk is full"):
        wrapped.get("/v2/summary", headers=basic("alice", "alice-secret"))


# --- what a stranger learns, and who may write the files ------------------------------------------

def cpu_seconds(app: TestApp, name: str) -> float:
    """The least that one question with a wrong password costs this process, of several."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        app.get("/v2/summary", headers=basic(name, "wrong"), status=401)
        spent.append(time.process_time() - began)
    return min(spent)


def test_i8_b7_a_name_that_is_not_there_costs_as_much_as_one_that_is(tmp_path: Path) -> None:
    text = "".join(f"{name}:{bcrypt.hashpw(b'x', bcrypt.gensalt(10)).decode()}\n" for name in ("alice", "bob"))
    app = door(basic_configuration(tmp_path, text, "{}\n"))
    known = cpu_seconds(app, "alice")
    for name in ("nobody", "alic", "alice2", "", "Alice"):
        assert known / 2 < cpu_seconds(app, name) < known * 2, name


@pytest.mark.slow
def test_i8_b7_where_the_costs_differ_a_name_that_is_not_there_has_one_of_them_and_keeps_it(tmp_path: Path) -> None:
    text = "".join(f"{name}:{bcrypt.hashpw(b'x', bcrypt.gensalt(cost)).decode()}\n"
                   for name, cost in (("cheap", 4), ("dear", 11)))
    app = door(basic_configuration(tmp_path, text, "{}\n"))
    between = (cpu_seconds(app, "cheap") * cpu_seconds(app, "dear")) ** 0.5
    dear = [cpu_seconds(app, f"nobody-{number}") > between for number in range(20)]
    assert 0 < sum(dear) < 20
    assert [cpu_seconds(app, f"nobody-{number}") > between for number in range(5)] == dear[:5]


def test_i8_b7_a_line_that_is_commented_out_lets_nobody_in(tmp_path: Path) -> None:
    app = door(basic_configuration(tmp_path, f"#alice:{digest('secret')}\nbob:{digest('b')}\n", "{}\n"))
    for name in ("alice", "#alice"):
        app.get("/v2/summary", headers=basic(name, "secret"), status=401)


@pytest.mark.parametrize("option", ["htpasswd", "users.yaml"])
def test_i8_b7_a_file_that_others_may_write_is_refused(tmp_path: Path, passwords: str, option: str) -> None:
    conf = basic_configuration(tmp_path, passwords, USERS)
    (tmp_path / option).chmod(0o602)
    (problem,) = identity.problems(conf)
    assert problem.startswith("[http_basic] ")
    assert problem.endswith(f"{tmp_path / option}: everybody on this host may write it; chmod o-w")
    with pytest.raises(Invalid, match="may write it"):
        door(conf)
    (tmp_path / option).chmod(0o660)
    assert identity.problems(conf) == []               # the group is our own
    if os.geteuid() == 0:
        os.chown(tmp_path / option, -1, 54321)
        (problem,) = identity.problems(conf)
        assert "the group 54321, which is not the service's, may write it" in problem


def test_i8_b7_a_file_that_others_may_replace_is_refused(tmp_path: Path, passwords: str) -> None:
    conf = basic_configuration(tmp_path, passwords, USERS)
    tmp_path.chmod(0o777)
    assert ["may put another in its place" in problem for problem in identity.problems(conf)] == [True, True]
    tmp_path.chmod(0o1777)             # as /tmp is, where only the owner may
    assert identity.problems(conf) == []


def test_i8_b7_a_file_that_everybody_may_read_is_a_warning(tmp_path: Path, passwords: str) -> None:
    conf = basic_configuration(tmp_path, passwords, USERS)
    for option, mode in (("htpasswd", 0o644), ("users.yaml", 0o640)):
        (tmp_path / option).chmod(mode)
    assert identity.problems(conf) == []
    assert identity.warnings(conf) == [
        f"[http_basic] htpasswd_file: {tmp_path / 'htpasswd'}: everybody on this host may read it"]
    assert identity.warnings(configuration(tmp_path, "[DEFAULT]\nauth_strategy = noauth\n")) == []


# --- what everybody may see, and what nobody may claim ------------------------------------------

@pytest.mark.parametrize("path", ["/", "//", "/v1", "/v1/", "/v2", "/v2///", "/healthcheck", "/healthcheck/"])
def test_open_paths_ask_nobody_and_know_nobody(protected: TestApp, path: str) -> None:
    assert protected.get(path, headers=CLAIMS).json == NOBODY


@pytest.mark.parametrize("path", ["/v1/info", "/v3", "/v2/summary", "/v1/../v2/scope", "//v1", "/V1", "/healthcheck/x",
                                  "/v1%2f..", "/%2e", "/metrics"])
def test_other_paths_do_not(protected: TestApp, path: str) -> None:
    protected.get(path, status=401)


def test_other_paths_can_be_open(tmp_path: Path, passwords: str) -> None:
    conf = basic_configuration(tmp_path, passwords, USERS)
    application = identity.wrap(echo(Policy(conf), "http_basic"), conf, public=("/metrics",))
    assert TestApp(application).get("/metrics").json == NOBODY
    TestApp(application).get("/v2", status=401)


def test_details_of_the_health_check_are_for_admins_who_show_who_they_are(protected: TestApp) -> None:
    asked = "/healthcheck?rule=healthcheck:details"
    protected.get(asked, status=403)
    protected.get(asked, headers=basic("alice", "alice-secret"), status=403)
    protected.get(asked, headers=basic("root", "root-secret"), status=200)
    protected.get(asked, headers=basic("root", "wrong"), status=401)


def test_what_a_client_claims_of_itself_is_forgotten(protected: TestApp) -> None:
    true = basic("alice", "alice-secret")
    assert protected.get("/v2/summary", headers={**CLAIMS, **true}).json == \
        protected.get("/v2/summary", headers=true).json
    protected.get("/v2/scope?rule=scope:get_state", headers={**CLAIMS, **true}, status=403)
    root = basic("root", "root-secret")         # of no project: none may be brought along
    assert protected.get("/v2/scope", headers={**CLAIMS, **root}).json["project"] is None


# --- what is wrong at the start -----------------------------------------------------------------

def wrong(conf: cfg.ConfigOpts) -> list[str]:
    """The problems, which wrap() refuses to start with."""
    found = identity.problems(conf)
    with pytest.raises(Invalid) as refused:
        identity.wrap(lambda environ, start_response: [], conf)
    assert list(refused.value.problems) == found
    return found


def test_everything_wrong_with_both_files_is_said_at_once(tmp_path: Path) -> None:
    conf = basic_configuration(
        tmp_path, f"alice:$apr1$abc$def\n\n# a remark\nnonsense\nbob:{digest('b')}\nbob:{digest('c')}\n",
        "alice: {projekt: web, roles: reader}\nbob: reader\ncarol: {project: 12, roles: ['a,b']}\n")
    htpasswd = f"[http_basic] htpasswd_file: {tmp_path}/htpasswd"
    users = f"[http_basic] users_file: {tmp_path}/users.yaml"
    assert wrong(conf) == [
        f"{htpasswd}: line 1: alice: only bcrypt digests are read; make one by htpasswd -B",
        f"{htpasswd}: line 4: write NAME:DIGEST, as htpasswd -B does",
        f"{htpasswd}: line 6: bob is there already, on line 5",
        f"{users}: line 1: alice: projekt is not known; did you mean project?",
        f"{users}: line 1: alice: roles: write a list of names, [reader] for instance",
        f"{users}: line 2: bob: write {{project: ID, roles: [ROLE, ...]}}",
        f"{users}: line 3: carol: project: write the id as text, in quotes where it looks like a number",
        f"{users}: line 3: carol: roles: write a list of names, [reader] for instance",
    ]


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    assert wrong(basic_configuration(tmp_path, None, None)) == [
        f"[http_basic] htpasswd_file: {tmp_path}/htpasswd: it cannot be read: No such file or directory",
        f"[http_basic] users_file: {tmp_path}/users.yaml: it cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(("users", "reason"), [
    ("alice: {}\nalice: {}\n", "the key 'alice' is there twice"),
    ("- alice\n", "write one user a line"),
    ("alice: {project: ''}\n", "project: write the id as text"),
    ("alice: {role: [reader]}\n", "role is not known; did you mean roles?"),
    ("alice: {roles: [1]}\n", "roles: write a list of names"),
    ("alice: [\n", "users.yaml: line"),
])
def test_users_that_cannot_be_read_are_refused(tmp_path: Path, users: str, reason: str) -> None:
    (problem,) = wrong(basic_configuration(tmp_path, f"alice:{digest('a')}\n", users))
    assert reason in problem


def test_a_file_without_users_gives_nobody_a_role(tmp_path: Path) -> None:
    app = door(basic_configuration(tmp_path, f"alice:{digest('a')}\n", "# none yet\n"))
    assert app.get("/v2/summary", headers=basic("alice", "a")).json["roles"] == []


def test_a_strategy_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (problem,) = wrong(configuration(tmp_path, "[DEFAULT]\nauth_strategy = ldap\n"))
    assert problem.startswith("[DEFAULT] auth_strategy: ")
    assert "ldap" in problem


def test_keystone_is_the_default_and_has_to_be_described(tmp_path: Path) -> None:
    conf = configuration(tmp_path)
    assert [problem.partition(": ")[0] for problem in wrong(conf)] == ["[keystone_authtoken] auth_type"]
    assert conf.auth_strategy == "keystone"


@pytest.mark.parametrize(("before", "after", "reason"), [
    ("auth_url = http://127.0.0.1:9/v3\n", "", "auth_url"),
    ("auth_type = password", "auth_type = pasword", "pasword"),
    ("auth_type = password", "auth_type = none", "auth_type: none does not log in"),
    ("password = secret", "password = secret\ninsecure = perhaps", "insecure"),
    ("password = secret", "password = secret\ncafile = nowhere.pem", "cafile: nowhere.pem: there is no such file"),
    ("password = secret", "password = secret\nmemcache_security_strategy = MAC", "memcache_secret_key"),
    ("password = secret", "password = secret\ntoken_cache_time = never", "token_cache_time"),
])
def test_a_keystone_that_is_badly_described_is_refused(tmp_path: Path, before: str, after: str, reason: str) -> None:
    problems = wrong(configuration(tmp_path, KEYSTONE.replace(before, after)))
    assert [problem for problem in problems if problem.startswith("[keystone_authtoken]") and reason in problem]


def without(library: str, directory: Path, text: str) -> list[str]:
    """The problems where that library is not installed, and the groups of options."""
    code = (f"import sys; sys.modules[{library!r}] = None\n"
            "from pathlib import Path\n"
            "from cloudkitty_like.api import identity\n"
            "from tests.api.doors import configuration\n"
            f"print(*identity.problems(configuration(Path({str(directory)!r}), {text!r})), sep='\\n')\n"
            "print([group for group, _ in identity.list_opts()])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         cwd=Path(__file__).parents[2])
    return run.stdout.splitlines()


def test_a_library_that_only_a_cache_needs_is_named_too(tmp_path: Path) -> None:
    problem, _ = without("memcache", tmp_path, KEYSTONE + "memcached_servers = 127.0.0.1:11211\n")
    assert problem == ("[keystone_authtoken] memcached_servers: they need python-memcached, which is not installed: "
                       "pip install 'cloudkitty-like[keystone]'")


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    problem, groups = without("keystonemiddleware", tmp_path, KEYSTONE)
    assert problem == ("[DEFAULT] auth_strategy: keystone needs keystonemiddleware, which is not installed: "
                       "pip install 'cloudkitty-like[keystone]'")
    assert groups == "['DEFAULT', 'http_basic', 'oslo_policy']"


def test_no_strategy_loads_what_it_does_not_need() -> None:
    code = ("import sys\nimport cloudkitty_like.api.identity\n"
            "print([name for name in ('keystonemiddleware', 'keystoneauth1', 'bcrypt') if name in sys.modules])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- options ------------------------------------------------------------------------------------

def test_every_option_has_a_group_and_every_secret_is_one() -> None:
    groups = dict(identity.list_opts())
    assert list(groups) == ["DEFAULT", "http_basic", "oslo_policy", "keystone_authtoken"]
    named = {opt.dest: opt for opt in groups["keystone_authtoken"]}
    assert {"auth_type", "auth_url", "username", "password", "www_authenticate_uri", "memcached_servers"} <= set(named)
    assert named["password"].secret
    assert [opt.name for opts in groups.values() for opt in opts if not opt.help] == []
