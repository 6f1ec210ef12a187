"""A real Keystone for tests: started on a free port with a few people who have tokens, gone afterwards.

A test starts one::

    with keystone() as identity:
        requests.get(..., headers={"X-Auth-Token": identity.tokens["reader"]})

It is installed once, from PyPI, into an environment of its own in the user's
cache directory, and its empty database is kept there too: the first start takes
a minute, another one a few seconds.  Where it cannot be had the test is
skipped, but under ``REQUIRE_SERVERS=1`` it fails.
"""
from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudkitty_like.testing.network import free_port

VERSION = "30.0.0"
PATIENCE = 60.0
INSTALLING = 900.0
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = CACHES / "cloudkitty-like-tests" / f"keystone-{VERSION}"

# name: (role, project)
PEOPLE = {"reader": ("reader", "web"), "member": ("member", "web"), "foo": ("foo", "web"), "stranger": ("reader", "db")}
SERVICE = ("rating", "service", "service")

CONFIGURATION = """\
[DEFAULT]
log_file = {here}/keystone.log
[database]
connection = sqlite:///{here}/keystone.db
[token]
provider = fernet
[fernet_tokens]
key_repository = {here}/fernet
[credential]
key_repository = {here}/credential
[cache]
enabled = true
backend = oslo_cache.dict
[identity]
password_hash_rounds = 4
"""

# Keystone takes the arguments of its program for its own, so the server gets none; and a dict caches per process.
GUNICORN = """\
wsgi_app = "keystone.wsgi.api:application"
bind = "127.0.0.1:{port}"
workers = 1
threads = 8
keepalive = 75
control_socket_disable = True
raw_env = ["OS_KEYSTONE_CONFIG_FILES={here}/keystone.conf"]
"""

AUTHTOKEN = """\
[keystone_authtoken]
auth_type = password
auth_url = {url}
www_authenticate_uri = {url}
username = rating
password = rating
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles_required = true
token_cache_time = -1
"""


@dataclass(frozen=True)
class Keystone:
    """A Keystone that runs.  ``tokens`` by name, ``projects`` and ``users``: ids by name.

    The names are those of PEOPLE, and admin; admin has tokens of the system and of
    a domain too (``system``, ``domain``), and the reader one of nothing
    (``unscoped``).  ``authtoken`` is the group of a configuration that asks it.
    """

    url: str
    tokens: Mapping[str, str]
    projects: Mapping[str, str]
    users: Mapping[str, str]
    authtoken: str


@contextmanager
def keystone(rating: str = "http://127.0.0.1:8889") -> Iterator[Keystone]:
    """A Keystone with these people in it; ``rating`` is where its catalog says that we are."""
    programs = _installed()
    with tempfile.TemporaryDirectory(prefix="keystone-") as name:
        here, port = Path(name), free_port()
        shutil.copytree(CACHE / "empty", here, dirs_exist_ok=True)
        (here / "keystone.conf").write_text(CONFIGURATION.format(here=here))
        (here / "gunicorn.conf.py").write_text(GUNICORN.format(here=here, port=port))
        url = f"http://127.0.0.1:{port}/v3"
        with (here / "log").open("wb") as log, subprocess.Popen(
                [programs / "gunicorn"], cwd=here, stdout=log, stderr=log) as process:
            try:
                _wait(url, process, here / "log")
                yield _seeded(url, rating)
            finally:
                process.terminate()         # not killed: its worker would live on


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert process.poll() is None, f"keystone ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"keystone is not ready: {log.read_text()[-2000:]}"
        time.sleep(0.05)


# --- once ---------------------------------------------------------------------------------------

def _installed() -> Path:
    """Where the programs are of an environment with Keystone, which is made where there is none yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)         # several processes of a test run come here at once
        if not (CACHE / "empty").exists():
            try:
                _install()
            except (OSError, subprocess.SubprocessError) as error:
                said = (getattr(error, "stderr", None) or b"").decode(errors="replace")[-2000:]
                reason = f"no Keystone {VERSION}: {error} {said}"
                if os.environ.get("REQUIRE_SERVERS") == "1":
                    pytest.fail(f"{reason} (REQUIRE_SERVERS=1)")
                pytest.skip(reason)
    return CACHE / "venv" / "bin"


def _install() -> None:
    venv, half, empty = CACHE / "venv", CACHE / "half", CACHE / "empty"
    _run(sys.executable, "-m", "venv", "--clear", venv)
    _run(venv / "bin" / "pip", "install", "-q", f"keystone=={VERSION}", "gunicorn")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    (half / "keystone.conf").write_text(CONFIGURATION.format(here=half))
    manage = [venv / "bin" / "keystone-manage", "--config-file", half / "keystone.conf"]
    me = ["--keystone-user", pwd.getpwuid(os.getuid()).pw_name, "--keystone-group", grp.getgrgid(os.getgid()).gr_name]
    _run(*manage, "db_sync")
    _run(*manage, "fernet_setup", *me)
    _run(*manage, "credential_setup", *me)
    _run(*manage, "bootstrap", "--bootstrap-password", "admin")
    half.rename(empty)                           # what is there is whole


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALLING)


# --- people -------------------------------------------------------------------------------------

class _Admin:
    """Somebody who makes things in Keystone."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = token(url, "admin", {"project": _named("admin")})

    def find(self, what: str, name: str) -> str:
        """The id of what there is one of by that name."""
        (one,) = self._answer("GET", f"{what}s?name={name}")[f"{what}s"]
        return str(one["id"])

    def make(self, kind: str, /, **values: Any) -> str:
        """A new one; its id."""
        return str(self._answer("POST", f"{kind}s", {kind: values})[kind]["id"])

    def grant(self, role: str, user: str, on: str) -> None:
        """The role, for the user, on ``projects/ID`` or ``domains/ID``."""
        self._answer("PUT", f"{on}/users/{user}/roles/{role}")

    def _answer(self, method: str, path: str, body: Any = None) -> Any:
        response = self.session.request(method, f"{self.url}/{path}", json=body, timeout=PATIENCE)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None


def token(url: str, name: str, scope: Any) -> str:
    """A token for somebody whose password is their name."""
    user = {**_named(name), "password": name}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    response = requests.post(f"{url}/auth/tokens", json=body, timeout=PATIENCE)
    assert response.status_code == 201, response.text
    return response.headers["X-Subject-Token"]


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "domain": {"id": "default"}}


def _seeded(url: str, rating: str) -> Keystone:
    admin = _Admin(url)
    for kind, name, at in (("identity", "keystone", url), ("rating", "cloudkitty", rating)):
        service = admin.make("service", name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            admin.make("endpoint", service_id=service, interface=interface, url=at)
    roles = {name: admin.find("role", name) for name in ("admin", "member", "reader", "service")}
    roles["foo"] = admin.make("role", name="foo")
    projects = {name: admin.make("project", name=name, domain_id="default") for name in ("web", "db", "service")}
    projects["admin"] = admin.find("project", "admin")
    users = {"admin": admin.find("user", "admin")}
    for name, (role, project) in {**PEOPLE, SERVICE[0]: SERVICE[1:]}.items():
        users[name] = admin.make("user", name=name, password=name, domain_id="default")
        admin.grant(roles[role], users[name], f"projects/{projects[project]}")
    admin.grant(roles["admin"], users["admin"], "domains/default")
    tokens = {name: token(url, name, {"project": {"id": projects[project]}}) for name, (_, project) in PEOPLE.items()}
    tokens |= {
        "admin": token(url, "admin", {"project": {"id": projects["admin"]}}),
        "domain": token(url, "admin", {"domain": {"id": "default"}}),
        "system": token(url, "admin", {"system": {"all": True}}),
        "unscoped": token(url, "reader", "unscoped"),
    }
    return Keystone(url, tokens, projects, users, AUTHTOKEN.format(url=url))
