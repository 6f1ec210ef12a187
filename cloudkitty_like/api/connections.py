"""Connections of clients: a request takes a thread when it has arrived, and slow clients are cut off.

Waitress reads and writes all sockets of a process in one loop, without threads.
This module adds what waitress lacks: gunicorn's stricter reading of a request's
head, an answer to a body that ends early, a least pace for who sends or reads,
and room for new clients where old ones only wait.
"""
from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any

from gunicorn.http import errors as refusals
from gunicorn.http.parser import RequestParser
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask
from waitress.utilities import BadRequest, Error

LONGEST_HEAD = 32 * 1024               # bytes, of the request line and all header fields together
LONGEST_CHUNK_LINE = 256
LONGEST_TRAILER = 8 * 1024
KEPT_IN_MEMORY = 512 * 1024            # bytes of a body; of a larger one the whole is in a temporary file
AHEAD = 64 * 2**20                     # bytes that an answer may be ahead of its reader; then its thread waits
STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (refusals.LimitRequestLine, 414, "URI Too Long"),
    (refusals.LimitRequestHeaders, 431, "Request Header Fields Too Large"),
    (refusals.ExpectationFailed, 417, "Expectation Failed"),
    (refusals.UnsupportedTransferCoding, 501, "Not Implemented"),
)


@dataclass(frozen=True, slots=True)
class ConnectionPatience:
    """How long one connection may take, and how much all of them may hold."""

    head_seconds: float = 20           # for a request line and its header fields
    idle_seconds: float = 75           # between two requests
    farewell_seconds: float = 5        # to see an answer that came before all was sent
    window_seconds: float = 20         # in which the least pace is looked at
    least_pace: int = 1024             # bytes per second, of a body that arrives or an answer that is read
    blocking_pace: int = 256 * 1024    # the same of who reads an answer so slowly that a thread waits
    held_bytes: int = 2**30            # of bodies that have not arrived whole, and of answers not yet read
    connections: int = 2000            # beyond, who has waited longest makes room


class ServerSettings(Adjustments):  # type: ignore[misc]
    """Waitress' settings; ``rules``: gunicorn's configuration, by which it reads a head."""

    def __init__(self, *, body_bytes: int, patience: ConnectionPatience, rules: Any, **others: Any) -> None:
        super().__init__(
            max_request_header_size=LONGEST_HEAD, max_request_body_size=2 * body_bytes + KEPT_IN_MEMORY,
            inbuf_overflow=KEPT_IN_MEMORY, outbuf_high_watermark=AHEAD, recv_bytes=64 * 1024,
            connection_limit=patience.connections + 100, asyncore_use_poll=True, log_socket_errors=False,
            clear_untrusted_proxy_headers=False, ident="cloudkitty-like", **others)
        self.body_bytes, self.patience, self.rules = body_bytes, patience, rules


class RequestRefusal(Error):  # type: ignore[misc]
    """Why a request is answered without asking the application."""

    def __init__(self, code: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.code, self.reason = code, reason


class RequestReader(HTTPRequestParser):  # type: ignore[misc]
    """One request, as it arrives from ``peer``."""

    path = ""
    url_scheme: str
    error: Error | None
    refusal: RequestRefusal | None = None

    def __init__(self, settings: ServerSettings, peer: Any = None) -> None:
        super().__init__(settings)
        self._peer = peer

    def received(self, data: bytes) -> int:
        """Take what has arrived; returns how much of it belongs to this request."""
        consumed: int = super().received(data)
        if self.refusal is not None:
            self.error = self.refusal
        elif self.headers_finished and self.content_length > self.adj.body_bytes:
            # The application says that it is too large, to those who may send any. Nothing of it is read.
            self.error, self.body_rcv, self.completed = None, None, True
            self.headers["CONNECTION"] = "close"
            consumed = len(data)
        elif isinstance(self.body_rcv, ChunkedReceiver) and (
                len(self.body_rcv.control_line) > LONGEST_CHUNK_LINE or len(self.body_rcv.trailer) > LONGEST_TRAILER):
            self.error, self.completed = BadRequest("a chunk's size or the trailer is too long"), True
        if self.completed:
            self.expect_continue = False           # waitress would ask for a body that nobody waits for
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head, by gunicorn's rules and then by waitress'."""
        scheme = None
        if header_plus.endswith(b"\r\n\r\n"):
            try:
                scheme = next(RequestParser(self.adj.rules, iter([header_plus]), self._peer)).scheme
            except (refusals.ParseException, OSError, StopIteration) as error:
                self.refusal = _refused(error)
                raise ParsingError(str(error)) from error
        super().parse_header(header_plus)
        self.url_scheme = scheme or self.url_scheme


def _refused(error: Exception) -> RequestRefusal:
    code, reason = next(((code, reason) for kind, code, reason in STATUSES if isinstance(error, kind)),
                        (400, "Bad Request"))
    return RequestRefusal(code, reason, str(error) or "the request is not HTTP")


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """Answers a request that never gets to the application, in the form that the API's errors have."""

    def execute(self) -> None:
        """Write status, text and nothing else; the connection ends."""
        error = self.request.error
        text = str(error.body).encode("ascii", "backslashreplace").decode()[:200]
        fault = getattr(self.request, "path", "").startswith("/v1/")
        side = "Client" if error.code < 500 else "Server"
        content = {"faultcode": side, "faultstring": text, "debuginfo": None} if fault else {"message": text}
        body = json.dumps(content).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Stage(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    WORK = auto()                      # the application
    READER = auto()                    # the client, to read the answer
    FAREWELL = auto()                  # the client, to end what it sends: nobody reads it any more
    IDLE = auto()


class Connection(HTTPChannel):  # type: ignore[misc]
    """One client's connection, and how fast it moves."""

    error_task_class = RefusalTask
    request: Any
    total_outbufs_len: int
    close_when_flushed: bool
    will_close: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: ServerSettings, **others: Any) -> None:
        self.parser_class: Callable[[ServerSettings], RequestReader] = partial(RequestReader, peer=addr)
        self.waiting_since = self.active_at = time.monotonic()
        self.moved = 0
        self.answered = self.sends_more = self.leaving = False
        self._stage, self._since, self._moved = Stage.HEAD, time.monotonic(), 0
        super().__init__(server, sock, addr, adj, **others)

    # --- what moves ------------------------------------------------------------------------------

    def handle_read(self) -> None:
        """Take what the client has sent; a request that ends before its end is answered with a 400."""
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if data and self.leaving:
            return
        if data:
            self.moved += len(data)
            self.active_at = time.monotonic()
            self.received(data)
        elif self.request is None or self.leaving:
            self.handle_close()
        else:
            self._ended_early()

    def _ended_early(self) -> None:
        with self.requests_lock:
            request, self.request = self.request, None
            request.error, request.expect_continue = BadRequest("the request ends before its end"), False
            self.requests.append(request)
            self.server.add_task(self)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the client takes now; returns how many bytes that are."""
        sent: int = super().send(data, do_close=do_close)
        self.moved += sent
        return sent

    def service(self) -> None:
        """Answer the first request that waits; in a thread."""
        request = self.requests[0]
        self.sends_more = request.error is not None or request.content_length > self.adj.body_bytes
        super().service()
        self.waiting_since, self.answered = time.monotonic(), True

    # --- ending ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        """Whether what the client sends is read now."""
        return self.leaving or bool(super().readable())

    def writable(self) -> bool:
        """Whether something waits to be sent."""
        return not self.leaving and bool(super().writable())

    def handle_write(self) -> None:
        """Send what waits, and end where that was the last.

        A socket that is closed while the client still sends would take the answer with it: it is shut on this side,
        and what arrives is thrown away until the client has seen it.
        """
        if self.close_when_flushed and self.sends_more and not self.requests:
            self._flush_exception(self._flush_some)
            if self.connected and not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed, self.leaving = False, True
                with suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
                return
        if self.connected:
            super().handle_write()

    @property
    def busy(self) -> bool:
        """Whether a request is answered, or arrives and has not stood still for a second."""
        return bool(self.requests or self.total_outbufs_len) or (
            self.request is not None and time.monotonic() - self.active_at < 1)

    # --- pace ------------------------------------------------------------------------------------

    @property
    def stage(self) -> Stage:
        """What it waits for now."""
        if self.leaving:
            return Stage.FAREWELL
        if self.total_outbufs_len:
            return Stage.READER
        if self.requests:
            return Stage.WORK
        if self.request is not None:
            return Stage.BODY if self.request.headers_finished else Stage.HEAD
        return Stage.IDLE if self.answered else Stage.HEAD

    @property
    def held(self) -> int:
        """Bytes of an answer that is not read, and of a request that has not arrived whole."""
        return int(self.total_outbufs_len) + (0 if self.request is None else int(self.request.body_bytes_received))

    def overdue(self, now: float) -> bool:
        """Whether it has taken too long for what it waits for; to be asked every second or so.

        ``now`` is that of the monotonic clock.
        """
        patience, stage = self.adj.patience, self.stage
        if stage is not self._stage:
            self._stage, self._since, self._moved = stage, now, self.moved
        waited = now - self._since
        most = {Stage.HEAD: patience.head_seconds, Stage.IDLE: patience.idle_seconds,
                Stage.FAREWELL: patience.farewell_seconds}.get(stage)
        if most is not None:
            return bool(waited > most)
        if stage is Stage.WORK or waited < patience.window_seconds:
            return False
        pace = patience.blocking_pace if self.total_outbufs_len > AHEAD else patience.least_pace
        moved, self._since, self._moved = self.moved - self._moved, now, self.moved
        return bool(moved < pace * waited)

    def cut(self) -> None:
        """End it, whatever it waits for; who has begun a request is told why."""
        if self.stage in (Stage.HEAD, Stage.BODY) and self.request is not None:
            with suppress(OSError):
                self.socket.send(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.handle_close()
