"""A local HTTP server whose answers a test decides, for the faults of no real server."""
from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came in.  ``repeated`` are the parameters with all their values."""

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    repeated: Mapping[str, list[str]]
    body: str

    @property
    def query(self) -> str:
        return self.parameters["query"]


@dataclass(frozen=True)
class Reply:
    """What to send, and how badly.

    ``drip``: seconds between single bytes; ``cut``: bytes that never come.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    cut: int = 0
    hang_up: bool = False


@dataclass
class Fake:
    """The server: where it is, and everything it was asked."""

    url: str
    asked: list[Asked]


Answer = Callable[[Asked], Reply]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        parts = urlsplit(self.path)
        values = parse_qs(parts.query or body, keep_blank_values=True)
        first = {name: value for name, (value, *_) in values.items()}
        request = Asked(self.command, parts.path, first, dict(self.headers), values, body)
        self.server.asked.append(request)
        self._send(self.server.answer(request))

    do_POST = do_GET

    def _send(self, reply: Reply) -> None:
        self.server.over.wait(reply.delay)
        if reply.hang_up:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = reply.body[:len(reply.body) - reply.cut]
        if not reply.drip:
            self.wfile.write(body)
        for byte in body if reply.drip else b"":
            self.wfile.write(bytes([byte]))
            if self.server.over.wait(reply.drip):
                break
        self.close_connection |= bool(reply.cut)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *args: Any) -> None:
        pass     # clients that give up are what is tested


@contextmanager
def serve(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Fake]:
    """A server on a free port, that answers several requests at a time."""
    with _Server(answer) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Fake(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", server.asked)
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def vector(*series: tuple[Mapping[str, str], str], **more: Any) -> Reply:
    """An instant vector: labels and the value as text, for each series."""
    result = [{"metric": labels, "value": [time.time(), value]} for labels, value in series]
    data = {"resultType": "vector", "result": result}
    return as_json({"status": "success", "data": data, **more})


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def refusal(status: int, kind: str, error: str) -> Reply:
    return as_json({"status": "error", "errorType": kind, "error": error}, status)
