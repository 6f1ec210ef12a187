"""``openstack rating``: OpenStack's own command, through a real Keystone and its catalog, to a server of ours."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from time import sleep
from typing import Any

import pytest
import requests

from cloudkitty_like.domain.money import plain
from cloudkitty_like.testing.network import free_port
from tests.commands import started
from tests.keystone import Keystone, keystone
from tests.tenants import site, tenants

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(port: int) -> Iterator[Keystone]:
    with keystone(f"http://127.0.0.1:{port}") as one:
        yield one


@pytest.fixture(scope="module")
def openstack(running: Keystone, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """``openstack rating``, as a user of a project, against a server that Keystone's catalog knows of."""
    who = tenants(running.projects["web"], running.projects["db"], "third-party")

    def rating(user: str, project: str, version: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "openstackclient.shell", "--os-auth-url", running.url, "--os-username", user,
             "--os-password", user, "--os-project-name", project, "--os-user-domain-id", "default",
             "--os-project-domain-id", "default", "--rating-api-version", version, "rating", *command],
            capture_output=True, text=True, check=False, timeout=120)

    with site(tmp_path_factory.mktemp("live"), "sqlite", who, settings={"DEFAULT": {"auth_strategy": "keystone"}},
              raw=running.authtoken) as made, \
            started("--config-file", made.config, "api", "--port", str(port), "--workers", "1") as process:
        wait_for(f"http://127.0.0.1:{port}/healthcheck", process)
        yield rating
        process.terminate()


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        with suppress(requests.RequestException):
            if requests.get(url, timeout=5).ok:
                return
        assert process.poll() is None, process.communicate()
        sleep(0.05)
    raise AssertionError("the server does not answer")


WINDOW = ("--begin", "2026-11-03T00:00:00", "--end", "2026-11-04T00:00:00")


def test_openstack_shows_an_admin_everything(openstack: Any) -> None:
    for version, by in (("1", ("-g", "tenant_id", "--all-tenants")), ("2", ("-g", "project_id"))):
        found = openstack("admin", "admin", version, "summary", "get", *by, *WINDOW, "-f", "json")
        assert found.returncode == 0, found.stderr
        assert len(json.loads(found.stdout)) == 3
    modules = openstack("admin", "admin", "2", "module", "list", "-f", "json")
    assert {"hashmap", "noop"} <= {row["Module"] for row in json.loads(modules.stdout)}
    services = openstack("admin", "admin", "2", "hashmap", "service", "list", "-f", "json")
    assert [row["Name"] for row in json.loads(services.stdout)] == ["instance"]


def test_openstack_shows_a_reader_its_own_and_no_more(openstack: Any, running: Keystone) -> None:
    own = tenants(running.projects["web"], "", "")["own"]
    for version, by, id_, rate in (("1", "tenant_id", "Tenant ID", plain(own.total)),
                                   ("2", "project_id", "Project id", float(own.total))):
        found = openstack("reader", "web", version, "summary", "get", *WINDOW, "-g", by, "-f", "json")
        (row,) = json.loads(found.stdout)
        assert (row[id_], row["Rate"]) == (own.id, rate)
    for version, *refused in (("2", "module", "list"), ("1", "module", "list"), ("2", "hashmap", "service", "list"),
                              ("1", "summary", "get", "--all-tenants", *WINDOW),
                              ("1", "summary", "get", "--tenant-id", running.projects["db"], *WINDOW)):
        answer = openstack("reader", "web", version, *refused)
        assert (answer.returncode != 0, "403" in answer.stderr, answer.stdout) == (True, True, ""), (refused, answer)
