"""Waitress' loop with our connections in a test's own thread: clients are asked in turn, and time is an argument."""
from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from gunicorn.config import Config
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from cloudkitty_like.api.connections import ConnectionPatience, ServerSettings
from cloudkitty_like.api.worker import Listener

BODY_BYTES = 100_000
SOON = 20.0


def echo(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
    """Answers with the method, the path and the size of the body."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if int(length) > BODY_BYTES:
        start_response("413 Content Too Large", [("Content-Length", "9")])
        return [b"too large"]
    said = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {len(environ['wsgi.input'].read())}".encode()
    start_response("200 OK", [("Content-Length", str(len(said))), ("X-Scheme", environ["wsgi.url_scheme"])])
    return [said]


class Counting(Listener):
    """A listener that knows how many have come."""

    accepted = 0

    def handle_accept(self) -> None:
        super().handle_accept()
        self.accepted += 1


class Loop:
    """A listener of one thread, and clients that it answers."""

    def __init__(self, stack: ExitStack, application: Any, patience: ConnectionPatience, threads: int) -> None:
        self._stack, self._sockets = stack, dict[int, Any]()
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=500))
        self.listener = Counting(
            application, listening,
            ServerSettings(body_bytes=BODY_BYTES, patience=patience, rules=Config()), self._sockets,
            dispatcher)
        stack.callback(wasyncore.close_all, self._sockets)
        stack.callback(dispatcher.shutdown, True, 1)

    @property
    def connections(self) -> list[Any]:
        """Those that are open, the oldest first."""
        return list(self.listener.active_channels.values())

    def client(self, sent: bytes = b"", small: bool = False) -> socket.socket:
        """One that is connected and has sent so much; ``small``: it takes little at a time."""
        before = self.listener.accepted
        made = self._stack.enter_context(socket.socket())
        if small:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.connect(self.listener.socket.getsockname())
        made.settimeout(0)
        if sent:
            made.sendall(sent)
        self.turn(lambda: self.listener.accepted > before)
        return made

    def turn(self, until: Callable[[], bool] = lambda: True) -> None:
        """Let the loop run until that is so, and then some times more."""
        ends = time.monotonic() + SOON
        while not until():
            assert time.monotonic() < ends, "it did not come"
            wasyncore.poll2(0.01, self._sockets)
        for _ in range(5):
            wasyncore.poll2(0.005, self._sockets)

    def later(self, seconds: float) -> None:
        """What happens when so much time has gone by since the last look at the clock."""
        self.turn()
        self.now = max(self.now, time.monotonic())
        self.listener.end_slow_ones(self.now)
        self.now += seconds
        self.listener.end_slow_ones(self.now)
        self.turn()

    now = 0.0

    def answer(self, client: socket.socket) -> bytes:
        """Everything that comes until the connection ends, or is quiet after whole answers."""
        said = bytearray()
        ends, quiet = time.monotonic() + SOON, 0
        while quiet < 5:
            wasyncore.poll2(0.01, self._sockets)
            try:
                piece = client.recv(1 << 16)
            except BlockingIOError:
                quiet += whole(bytes(said))
                assert time.monotonic() < ends, "no answer came"
                continue
            except ConnectionError:
                break
            if not piece:
                break
            said += piece
        return bytes(said)

    def ask(self, sent: bytes) -> bytes:
        """What a new client gets for this."""
        return self.answer(self.client(sent))


@contextmanager
def looping(application: Any = echo, patience: ConnectionPatience | None = None, threads: int = 1) -> Iterator[Loop]:
    """The loop while a test uses it."""
    with ExitStack() as stack:
        yield Loop(stack, application, patience or ConnectionPatience(), threads)


def whole(said: bytes) -> bool:
    """Whether these are answers, all of them with all of their bodies."""
    while said:
        head, ends, said = said.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        if not ends or len(said) < size:
            return False
        said = said[size:]
        if not said:
            return True
    return False


def status(answer: bytes) -> int:
    """Of an answer; 0 where there is none."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else 0
