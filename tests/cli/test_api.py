"""The REST API as it is started, answers and stops."""
from __future__ import annotations

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudkitty_like.testing.network import free_port
from tests.cli.small import Site
from tests.commands import started


@pytest.fixture
def noauth(site: Site) -> Site:
    site.configure(DEFAULT={"auth_strategy": "noauth"})
    return site


def answered(url: str, daemon) -> requests.Response:
    """The answer, as soon as there is one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return requests.get(url, timeout=10)
        except requests.ConnectionError:
            assert daemon.poll() is None, daemon.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("workers", ["1", "3"])
def test_it_answers_and_stops_when_told_to(noauth: Site, workers: str) -> None:
    noauth.rated()
    port = free_port()
    with started("--config-file", noauth.conf, "api", "--port", str(port), "--workers", workers) as daemon:
        here = f"http://127.0.0.1:{port}"
        assert [one["id"] for one in answered(f"{here}/", daemon).json()["versions"]] == ["v1", "v2"]
        question = "/v2/summary?begin=2026-03-01&end=2026-03-03&groupby=project_id&decimal=string"
        assert [row[2:] for row in answered(here + question, daemon).json()["results"]] == [
            ["8", "4", "alpha"], ["10.5", "6.5", "beta"]]
        for _ in range(20):
            answered(f"{here}/v2/rating/modules", daemon)
        # Whichever of the processes is asked knows of the requests to all of them.
        assert 'route="GET /v2/rating/modules",status="200"} 20\n' in answered(f"{here}/metrics", daemon).text
        daemon.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert daemon.wait(10) == 0
        assert time.monotonic() - asked < 10
        with pytest.raises(requests.ConnectionError):
            requests.get(here, timeout=10)
        _, err = daemon.communicate()
        assert "Traceback" not in err


def test_a_connection_that_stays_open_does_not_keep_it(noauth: Site) -> None:
    noauth.prepared()
    port = free_port()
    with started("--config-file", noauth.conf, "api", "--port", str(port)) as daemon:
        answered(f"http://127.0.0.1:{port}/", daemon)
        with socket.create_connection(("127.0.0.1", port)) as open_one:
            open_one.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert open_one.recv(12) == b"HTTP/1.1 200"
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(15) == 0


@pytest.mark.parametrize(("arguments", "said"), [
    (("--port", "99999"), "--port: 99999 is no port"), (("--port", "-1"), "--port: -1 is no port"),
    (("--workers", "0"), "--workers: 0 is not a number of processes"), (("--port", "http"), "--port"),
    (("--bogus",), "--bogus"), (("--host", "no such host"), "--host: ")])
def test_a_wrong_option_is_one_line_and_exit_1(noauth: Site, arguments: tuple[str, ...], said: str) -> None:
    ran = noauth.prepared().spawn("api", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_wrong_options_are_named_together(noauth: Site) -> None:
    ran = noauth.prepared().spawn("api", "--port", "99999", "--workers", "0")
    assert ran.code == 1
    assert "--port" in ran.err
    assert "--workers" in ran.err


def test_a_port_that_is_taken_is_one_line_and_exit_1(noauth: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = noauth.prepared().spawn("api", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"cloudkitty-like: error: 127.0.0.1 port {port}: Address already in use\n"


def test_without_a_database_it_says_how_to_make_one(noauth: Site) -> None:
    ran = noauth.spawn("api")
    assert ran.code == 1
    assert "dbsync upgrade" in ran.err
    assert "Traceback" not in ran.err


def test_what_keeps_the_strategy_from_working_is_said_at_the_start(site: Site, tmp_path: Path) -> None:
    site.configure(DEFAULT={"auth_strategy": "http_basic"}, http_basic={"htpasswd_file": tmp_path / "none"})
    ran = site.prepared().spawn("api")
    assert ran.code == 1
    assert "htpasswd_file" in ran.err
    assert "Traceback" not in ran.err


# --- clients that hold on to it -----------------------------------------------------------------------

HALF = b"POST /v2/dataframes HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


@contextmanager
def serving_api(site: Site, *options: str) -> Iterator[tuple[int, Any]]:
    """The API's port and process, once it answers."""
    port = free_port()
    with started("--config-file", site.conf, "api", "--port", str(port), *options) as daemon:
        answered(f"http://127.0.0.1:{port}/", daemon)
        yield port, daemon


def connected(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(sent)
    return client


def test_i8_b5_half_sent_requests_and_idle_connections_stop_nothing(noauth: Site) -> None:
    noauth.prepared()
    with serving_api(noauth) as (port, daemon), ExitStack() as stack:
        for number in range(24):
            stack.enter_context(connected(port, HALF if number % 2 else HALF[:30]))
        for _ in range(200):
            stack.enter_context(connected(port))
        waited = []
        for _ in range(5):
            began = time.monotonic()
            assert requests.get(f"http://127.0.0.1:{port}/healthcheck", timeout=10).ok
            assert requests.get(f"http://127.0.0.1:{port}/v2/rating/modules", timeout=10).ok
            waited.append(time.monotonic() - began)
        assert min(waited) < 1, waited
        assert max(waited) < 5, waited
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0
        assert "Traceback" not in daemon.communicate()[1]


def test_i8_b5_what_runs_is_finished_when_told_to_stop(noauth: Site) -> None:
    noauth.prepared()
    frames = [{"period": {"begin": "2026-03-01T00:00:00Z", "end": "2026-03-01T01:00:00Z"}, "usage": {"instance": [
        {"vol": {"unit": "h", "qty": 1}, "rating": {"price": 1}, "groupby": {"project_id": "alpha", "id": str(number)},
         "metadata": {}} for number in range(2_000)]}}]
    body = json.dumps({"dataframes": frames}).encode()
    with serving_api(noauth) as (port, daemon), connected(port, HALF.replace(b"1000", b"%d" % len(body))) as client:
        client.sendall(body[1:])
        time.sleep(0.1)                # it has arrived, and is worked at
        daemon.send_signal(signal.SIGTERM)
        assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
        assert daemon.wait(10) == 0


def test_i8_b5_the_end_comes_within_ten_seconds_whatever_hangs(noauth: Site, tmp_path: Path) -> None:
    noauth.prepared()
    with serving_api(noauth, "--workers", "1") as (port, daemon), ExitStack() as stack:
        held = sqlite3.connect(tmp_path / "state.sqlite")
        held.execute("BEGIN IMMEDIATE")            # whoever writes waits for this
        for _ in range(4):
            stack.enter_context(connected(port, HALF.replace(b"/v2/dataframes", b"/v2/rating/modules/noop")
                                          .replace(b"POST", b"PUT").replace(b"1000", b"17") + b'"enabled": false}'))
        time.sleep(0.5)
        daemon.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        daemon.wait(15)
        assert time.monotonic() - asked < 10
        held.close()


@pytest.mark.parametrize(("length", "expected"), [(2048, 400), (2049, 413)])
def test_i8_b5_a_body_may_be_as_large_as_the_option_says(noauth: Site, length: int, expected: int) -> None:
    noauth.configure(DEFAULT={"auth_strategy": "noauth"}, api={"max_body_bytes": 2048})
    noauth.prepared()
    url = "/v1/rating/quote"
    with serving_api(noauth, "--workers", "1") as (port, _):
        sent = requests.post(f"http://127.0.0.1:{port}{url}", data=b"x" * length, timeout=10,
                             headers={"Content-Type": "application/json"})
        chunked = requests.post(f"http://127.0.0.1:{port}{url}", data=iter([b"x" * 1000, b"x" * (length - 1000)]),
                                timeout=10, headers={"Content-Type": "application/json"})
    for answer in (sent, chunked):
        assert (answer.status_code, answer.json()["faultcode"]) == (expected, "Client")
        assert answer.headers["X-Openstack-Request-Id"]
