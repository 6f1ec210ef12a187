"""The service before a database that is silent, down, or late; and out of what a process may have.

Nothing hangs for ever: the processor goes on by itself, a health check answers, and who is
told to stop does.
"""
from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from cloudkitty_like.db.engine import Database
from cloudkitty_like.testing.network import free_port
from tests.databases import new_database
from tests.installation import History, Installation, number
from tests.proxy import Proxy

pytestmark = pytest.mark.slow

SERVERS = ("postgresql", "mysql")
HISTORY = History(hours=60)
FRAMES = "SELECT count(*) FROM frame"
LIMITS = {"connect_timeout": 2, "network_timeout": 4, "answer_timeout": 2}
HEALTH_SECONDS = 5.0
STOP_SECONDS = 10.0


def eventually(condition: Callable[[], bool], what: str, patience: float = 40) -> float:
    """Wait for it; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience, f"not within {patience:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def installed(directory: Path, kind: str, **settings: dict[str, object]) -> Iterator[
        tuple[Installation, Database, Proxy]]:
    """An installation that reaches its database through a proxy only; the test itself reaches it directly."""
    with new_database(kind, create=False) as database, Proxy(database.url.port or free_port()) as proxy:
        url = database.url if kind == "sqlite" else database.url.set(host="127.0.0.1", port=proxy.port)
        site = Installation(directory, url.render_as_string(hide_password=False), {
            "DEFAULT": {"auth_strategy": "noauth"}, "database": LIMITS, "api": {"query_seconds": 2, "workers": 1},
            "orchestrator": {"retry_first": 0.5, "retry_most": 1, "discovery_interval": 1}, **settings})
        site.prepare(HISTORY)
        yield site, database, proxy


@contextmanager
def processing(site: Installation, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A processor, killed where the test does not end it."""
    process = site.start("processor", *arguments)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Killed at once, it would leave its workers behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()


def said(site: Installation) -> str:
    """All of the log, where ``site.log`` is the end of it."""
    return (site.directory / "log").read_text()


@contextmanager
def serving(site: Installation) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The API on a free port, as soon as that is open."""
    port = free_port()
    process = site.start("api", "--port", str(port))
    try:
        eventually(lambda: is_open(f"http://127.0.0.1:{port}"), f"the API\n{site.log}")
        yield f"http://127.0.0.1:{port}", process
    finally:
        end(process)


def is_open(url: str) -> bool:
    try:
        requests.get(f"{url}/", timeout=10)
    except requests.RequestException:
        return False
    return True


def health(url: str) -> tuple[int, float]:
    """The status of the health check, and how long it took."""
    began = time.monotonic()
    status = requests.get(f"{url}/healthcheck", timeout=30).status_code
    return status, time.monotonic() - began


def in_the_past(site: Installation) -> None:
    """Let there be something to rate: a daemon alone begins with the month of today."""
    site.run("scopes", "reset", "--to", "2026-09-29", *(f"scope-{n}" for n in range(HISTORY.scopes)))


def rated(database: Database) -> bool:
    """Whether all of the history is; a daemon goes on behind its end."""
    return number(database, FRAMES) >= HISTORY.hours * HISTORY.scopes


def rating(site: Installation, database: Database) -> None:
    eventually(lambda: number(database, "SELECT count(*) FROM scope") == HISTORY.scopes, f"scopes\n{site.log}")


def stopped(process: subprocess.Popen[str], site: Installation) -> float:
    """Tell it to stop; how long it takes, and it ends well."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, site.log
    return time.monotonic() - began


# --- silent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_the_processor_goes_on_by_itself_when_a_silent_database_comes_back(kind: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind) as (site, database, proxy), processing(site) as process:
        rating(site, database)
        proxy.silent = True
        time.sleep(12)
        assert process.poll() is None, site.log
        # What was open stays dead, as behind a firewall that has forgotten it.
        proxy.strand()
        proxy.silent = False
        in_the_past(site)
        eventually(lambda: rated(database), f"everything\n{site.log}")
        assert stopped(process, site) < STOP_SECONDS
        site.verify()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_sigterm_ends_a_processor_whose_database_is_silent(kind: str, workers: str, tmp_path: Path) -> None:
    # The default limits, longer than what is left to end in.
    with installed(tmp_path, kind, database={}) as (site, database, proxy), \
            processing(site, "--workers", workers) as process:
        rating(site, database)
        proxy.silent = True
        time.sleep(7)          # heartbeat and worker wait for an answer by now
        assert stopped(process, site) < STOP_SECONDS


def test_i8_b4_sigterm_ends_a_processor_whose_database_file_is_locked(tmp_path: Path) -> None:
    with installed(tmp_path, "sqlite") as (site, database, _), processing(site) as process:
        rating(site, database)
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(7)
            assert stopped(process, site) < STOP_SECONDS


@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b4_the_health_check_answers_while_the_database_is_silent(kind: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind, database={}, api={"query_seconds": 60, "workers": 1}) as (site, _, proxy), \
            serving(site) as (url, process):
        assert health(url)[0] == 200
        proxy.silent = True
        for _ in range(3):
            status, seconds = health(url)
            assert (status, seconds < HEALTH_SECONDS) == (503, True), seconds
        proxy.silent = False
        eventually(lambda: health(url)[0] == 200, f"health\n{site.log}")
        proxy.silent = True
        with suppress(requests.RequestException):
            requests.get(f"{url}/v2/scope", timeout=1)          # it hangs on, on the server's side
        assert stopped(process, site) < STOP_SECONDS


# --- down at the start -------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b9_a_processor_that_starts_before_its_database_waits_and_says_so_once(
        kind: str, workers: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind) as (site, database, proxy):
        proxy.refusing = True
        with processing(site, "--workers", workers) as process:
            eventually(lambda: "waiting for it" in said(site), "that it waits")
            time.sleep(2)          # some ten attempts
            assert process.poll() is None, site.log
            assert said(site).count("waiting for it") == 1, site.log
            assert "Traceback" not in said(site)
            proxy.refusing = False
            rating(site, database)
            assert "answers after" in said(site)
            assert stopped(process, site) < STOP_SECONDS


def test_i8_b9_one_that_waits_for_its_database_can_be_stopped(tmp_path: Path) -> None:
    with installed(tmp_path, "postgresql") as (site, _, proxy):
        proxy.silent = True
        with processing(site) as process:
            eventually(lambda: "waiting for it" in said(site), "that it waits")
            assert stopped(process, site) < STOP_SECONDS


@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b9_wrong_configuration_still_fails_at_once(kind: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind) as (site, database, proxy):
        absent = database.url.set(database="test_there_is_none").render_as_string(hide_password=False)
        for config, words in (
                (site.configure("absent.conf", database={"connection": absent}), "test_there_is_none"),
                (site.configure("period.conf", collect={"metrics_conf": tmp_path / "none.yml"}), "none.yml")):
            for command in ("processor", "api"):
                ran = site.run(command, code=1, config=Path(config).name)
                assert words in ran.stderr
                assert "Traceback" not in ran.stderr
        # The database is down, and the configuration is wrong beside it.
        proxy.refusing = True
        assert "none.yml" in site.run("processor", code=1, config="period.conf").stderr
        assert site.run("processor", "--once", code=1).stderr


@pytest.mark.parametrize("kind", SERVERS)
def test_i8_b9_an_api_that_starts_before_its_database_answers_503_until_it_is_there(kind: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind) as (site, _, proxy):
        proxy.refusing = True
        with serving(site) as (url, process):
            status, seconds = health(url)
            assert (status, seconds < HEALTH_SECONDS) == (503, True), seconds
            answer = requests.get(f"{url}/v1/report/total", timeout=10)
            assert (answer.status_code, answer.json()["faultcode"]) == (503, "Server")
            proxy.refusing = False
            eventually(lambda: health(url)[0] == 200, f"health\n{site.log}")
            assert requests.get(f"{url}/v2/scope", timeout=10).status_code in (200, 404)
            assert stopped(process, site) < STOP_SECONDS


# --- out of what a process may have --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_i8_b9_out_of_descriptors_the_processor_says_so_with_the_limit_and_goes_on_later(
        kind: str, tmp_path: Path) -> None:
    with installed(tmp_path, kind) as (site, database, proxy), processing(site) as process:
        rating(site, database)
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
        proxy.cut()            # so that it has to connect again
        in_the_past(site)
        words = "out of file descriptors: this process may have 3 "
        eventually(lambda: words in said(site), f"what is wrong\n{site.log}")
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        eventually(lambda: rated(database), f"everything\n{site.log}")
        assert "Traceback" not in said(site)
        assert stopped(process, site) < STOP_SECONDS


def test_i8_b9_out_of_memory_the_processor_says_so_with_the_limit(tmp_path: Path) -> None:
    with installed(tmp_path, "sqlite") as (site, database, _), processing(site) as process:
        rating(site, database)
        used = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_AS)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (used // 2, hard))
        with (tmp_path / "usage.csv").open("a") as file:       # read anew: it takes room
            file.writelines(f"2026-10-0{day}T00:00:00Z,instance,1,scope-{n},{n},small,{'x' * 400}\n"
                            for day in range(1, 9) for n in range(3000))
        eventually(lambda: f"out of memory: this process may use {used // 2} bytes" in said(site),
                   f"what is wrong\n{site.log}")
        resource.prlimit(process.pid, resource.RLIMIT_AS, (soft, hard))
        eventually(lambda: process.poll() is not None or number(database, "SELECT count(*) FROM scope") > 1000,
                   f"the new scopes, or an end that a service manager sees\n{site.log}")
