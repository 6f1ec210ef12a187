"""The API under attack: clients that half send, or hardly read, and connections on which nothing is asked.

While 64 of the first and 500 of the second hold on to it, each replaced as soon as it is cut off, whoever asks for the
health check is answered within a second.
"""
from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.installation import History, Installation
from tests.serving import serving

SLOW, IDLE = 64, 500
ROUND = 0.25                           # seconds between two bytes of a slow client
WITHIN = 1.0                           # seconds in which the health check answers
PERIOD = {"begin": "2026-10-05T00:00:00Z", "end": "2026-10-05T01:00:00Z"}
WINDOW = "begin=2026-10-05T00:00:00Z&end=2026-10-05T01:00:00Z"
HEAD = b"POST /v2/dataframes HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
READ = f"GET /v2/dataframes?{WINDOW} HTTP/1.1\r\nHost: here\r\nAccept: text/csv\r\n\r\n".encode()


@dataclass(frozen=True)
class Kind:
    """What a client sends at first, and what it does then every now and then."""

    name: str
    first: bytes
    then: Callable[[socket.socket], object]
    number: int


KINDS = (
    Kind("half a head", HEAD, lambda client: client.send(b"X: y\r\n"), SLOW // 4),
    Kind("half a body", HEAD + b"Content-Length: 9000000\r\n\r\n{", lambda client: client.send(b" "), SLOW // 4),
    Kind("half of the chunks", HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda client: client.send(b"1\r\n \r\n"),
         SLOW // 4),
    Kind("an answer that is hardly read", READ, lambda client: client.recv(64), SLOW // 4),
    Kind("nothing", b"", lambda client: None, IDLE),
)


class Attack:
    """The clients, all of them in one thread; ``cut`` counts by kind how often one was cut off."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address, self._clients = address, dict[socket.socket, Kind]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.cut = dict.fromkeys((kind.name for kind in KINDS), 0)

    def __enter__(self) -> Attack:
        for kind in KINDS:
            for _ in range(kind.number):
                self._open(kind)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _open(self, kind: Kind) -> None:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(self._address)
        client.sendall(kind.first)
        client.setblocking(False)
        self._clients[client] = kind

    def _run(self) -> None:
        while not self._stop.wait(ROUND):
            for client, kind in list(self._clients.items()):
                with suppress(BlockingIOError):
                    try:
                        kind.then(client)
                    except OSError as error:
                        if isinstance(error, BlockingIOError):
                            raise
                        self._replace(client, kind)
            for client in self._ended():
                self._replace(client, self._clients[client])

    def _ended(self) -> Iterator[socket.socket]:
        """Those that the server has closed, or answered."""
        with selectors.PollSelector() as selector:
            for client, kind in self._clients.items():
                if kind.first != READ:
                    selector.register(client, selectors.EVENT_READ)
            yield from [key.fileobj for key, _ in selector.select(0)]  # type: ignore[misc]

    def _replace(self, client: socket.socket, kind: Kind) -> None:
        self.cut[kind.name] += 1
        del self._clients[client]
        client.close()
        with suppress(OSError):
            self._open(kind)


@contextmanager
def site(tmp_path: Path, number: int) -> Iterator[str]:
    """The URL of an API without authentication, over so many points, which are 250 bytes of CSV each."""
    made = Installation(tmp_path, f"sqlite:///{tmp_path / 'rating.sqlite'}", {"DEFAULT": {"auth_strategy": "noauth"}})
    made.prepare(History(hours=1))
    with serving("--config-file", tmp_path / "site.conf", "api", cwd=tmp_path) as url:
        points = [{"vol": {"unit": "h", "qty": 1}, "rating": {"price": 1}, "metadata": {"note": "x" * 100},
                   "groupby": {"project_id": "much", "id": str(point)}} for point in range(number)]
        posted = requests.post(f"{url}/v2/dataframes", timeout=300, json={
            "dataframes": [{"period": PERIOD, "usage": {"used": points}}]})
        assert posted.status_code == 204, posted.text
        yield url


def longest_wait(url: str, seconds: float) -> tuple[float, int]:
    """The longest that the health check took in so many seconds, and how often it was asked."""
    waited: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        answer = requests.get(f"{url}/healthcheck", timeout=30)
        waited.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
        time.sleep(random.uniform(0.02, 0.1))
    return max(waited), len(waited)


@pytest.mark.parametrize(("seconds", "points"), [
    pytest.param(8, 4_000, marks=pytest.mark.slow), pytest.param(120, 20_000, marks=pytest.mark.long)])
def test_i8_b5_the_health_check_answers_within_a_second_throughout(
        tmp_path: Path, seconds: float, points: int, capsys: pytest.CaptureFixture[str]) -> None:
    with site(tmp_path, points) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        with Attack((parts.hostname, parts.port)) as attack:
            longest, asked = longest_wait(url, seconds)
            answer = requests.get(f"{url}/v2/rating/modules", timeout=60)
        with capsys.disabled():
            print(f"\n{asked} health checks in {seconds} s, the longest {longest * 1000:.0f} ms; cut off: {attack.cut}")
    assert answer.ok
    assert longest < WITHIN
