"""A worker process of gunicorn in which waitress reads and writes the connections.

Gunicorn starts, watches and stops the processes and opens the sockets; see
:mod:`cloudkitty_like.api.connections` for what happens to a connection.
"""
from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from cloudkitty_like.api.connections import Connection, ConnectionPatience, ServerSettings, Stage
from cloudkitty_like.api.identity import HEALTHCHECK, PROOFS

SWITCH_SECONDS = 0.001                 # a short answer is not to wait for the threads of long ones, five times as long
ROUND_SECONDS = 1.0                    # after which the loop looks at the clock, whatever happens
LAST_ROUND_SECONDS = 0.05
MOST_DESCRIPTORS, OTHER_DESCRIPTORS, DESCRIPTORS_EACH = 8192, 256, 3
FEWEST_CONNECTIONS = 16
ACCEPTED_AT_ONCE = 64
UNASKED = (Stage.HEAD, Stage.BODY, Stage.IDLE)     # no request has arrived whole that is not answered
BEFORE_THE_END = 0.5                   # seconds: gunicorn kills who has not ended at the end of the grace


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A socket that listens, and the connections that came by it.

    The health check has a thread of its own: it has to answer also when all others are at work.
    """

    channel_class = Connection
    active_channels: dict[int, Connection]

    def __init__(self, application: Any, sock: Any, settings: ServerSettings, sockets: dict[int, Any],
                 threads: ThreadedTaskDispatcher) -> None:
        self.patience = settings.patience
        self._health_thread = ThreadedTaskDispatcher()
        self._health_thread.set_thread_count(1)
        super().__init__(application, sockets, True, sock, dispatcher=threads, adj=settings, bind_socket=False,
                         sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()))

    def add_task(self, task: Connection) -> None:
        """Have the connection's first request answered."""
        thread = self._health_thread if _is_health_check(task.requests[0]) else self.task_dispatcher
        thread.add_task(task)

    def handle_accept(self) -> None:
        """Take new connections; where there are too many, who has waited longest makes room."""
        for _ in range(ACCEPTED_AT_ONCE):          # each round of the loop takes its time where there are many
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break
            if before >= self.patience.connections:
                self._make_room()

    def _make_room(self) -> None:
        waiting = [connection for connection in self.active_channels.values() if connection.stage in UNASKED]
        if waiting:
            min(waiting, key=lambda connection: connection.waiting_since).cut()

    def maintenance(self, now: float) -> None:
        """Leave it to :meth:`end_slow_ones`: waitress asks by a clock that jumps when it is set."""

    def end_slow_ones(self, now: float) -> None:
        """End who takes too long, and, while they hold too much together, who holds most.

        ``now`` is that of the monotonic clock.
        """
        for connection in list(self.active_channels.values()):
            if connection.overdue(now):
                connection.cut()
        held = {connection: connection.held for connection in self.active_channels.values()}
        excess = sum(held.values()) - self.patience.held_bytes
        for connection in sorted(held, key=held.__getitem__, reverse=True):
            if excess <= 0:
                break
            excess -= held[connection]
            connection.cut()

    def stop_listening(self) -> None:
        """Take no new connections, and answer what was asked on those that there are."""
        self.accepting = False
        with suppress(OSError):
            wasyncore.dispatcher.close(self)

    def take_leave(self) -> bool:
        """Close every connection on which nothing is asked; returns whether any is left."""
        for connection in list(self.active_channels.values()):
            for request in list(connection.requests):
                request.headers["CONNECTION"] = "close"
            if not connection.busy:
                connection.handle_close()
        return bool(self.active_channels)


def _is_health_check(request: Any) -> bool:
    return (request.error is None and request.path.rstrip("/") == HEALTHCHECK
            and not any(name.removeprefix("HTTP_") in request.headers for name in PROOFS))


class _Waker(wasyncore.file_dispatcher):  # type: ignore[misc]
    """Wakes the loop where a signal came."""

    def handle_read(self) -> None:
        self.recv(4096)

    def writable(self) -> bool:
        return False


class WaitressWorker(Worker):  # type: ignore[misc]
    """One process, with ``threads`` of gunicorn's configuration; ``body_bytes`` at most are a body."""

    body_bytes = 10 * 2**20
    patience = ConnectionPatience()

    def run(self) -> None:
        """Answer until told to stop; then what is asked already has the rest of the grace."""
        sys.setswitchinterval(SWITCH_SECONDS)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)     # that all threads are at work is no news
        settings = ServerSettings(body_bytes=self.body_bytes, patience=affordable(self.patience), rules=self.cfg)
        threads = ThreadedTaskDispatcher()
        threads.set_thread_count(self.cfg.threads)
        sockets: dict[int, Any] = {}
        _Waker(self.PIPE[0], sockets)
        listeners = [Listener(self.wsgi, sock.sock, settings, sockets, threads)
                     for sock in self.sockets]
        looked = time.monotonic()
        while self.alive and os.getppid() == self.ppid:
            self.notify()
            wasyncore.poll2(ROUND_SECONDS, sockets)
            if time.monotonic() - looked >= ROUND_SECONDS:
                looked = time.monotonic()
                for listener in listeners:
                    listener.end_slow_ones(looked)
        self._end(listeners, sockets)

    def _end(self, listeners: Iterable[Listener], sockets: dict[int, Any]) -> None:
        ends = time.monotonic() + self.cfg.graceful_timeout - BEFORE_THE_END
        for listener in listeners:
            listener.stop_listening()
        while time.monotonic() < ends:
            left = [listener.take_leave() for listener in listeners]
            if not any(left):
                break
            self.notify()
            wasyncore.poll2(LAST_ROUND_SECONDS, sockets)


def affordable(patience: ConnectionPatience) -> ConnectionPatience:
    """As many connections as this process may have descriptors for; the limit is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return patience
    if soft < MOST_DESCRIPTORS:
        soft = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return replace(patience, connections=min(patience.connections, connections_of(soft)))


def connections_of(descriptors: int) -> int:
    """How many connections so many descriptors are enough for: each may need a file for the body and the answer."""
    return max((descriptors - OTHER_DESCRIPTORS) // DESCRIPTORS_EACH, FEWEST_CONNECTIONS)
