"""A TCP proxy before a server, that a test can slow down, cut, or let fall silent.

A silent one still accepts connections and its kernel acknowledges what it is sent, as a
frozen host or a firewall that has lost its table does: nothing but the lack of an answer
tells.
"""
from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK = 65536


class Proxy:
    """``port`` leads to the server's port on this host while the ``with`` block lasts."""

    def __init__(self, server_port: int) -> None:
        self.silent = False            # nothing is passed on, in either direction
        self.refusing = False          # a new connection is closed at once
        self.delay = 0.0               # seconds that everything is held up before it is passed on
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._peer: dict[socket.socket, socket.socket] = {}
        self._stranded: list[socket.socket] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(10)
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """Close every connection, with a reset."""
        with self._lock:
            for end in [*self._peer, *self._stranded]:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    end.close()
            self._peer.clear()
            self._stranded.clear()

    def strand(self) -> None:
        """Let the connections that exist be silent for ever, while new ones work."""
        with self._lock:
            self._stranded += self._peer
            self._peer.clear()

    def _run(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                waiting = [self._listener, *([] if self.silent else self._peer)]
                try:
                    ready, _, _ = select.select(waiting, [], [], 0.02)
                except (OSError, ValueError):
                    continue
                for end in ready:
                    if end is self._listener:
                        self._accept()
                    elif end in self._peer:
                        self._pass_on(end)
            time.sleep(0)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.refusing:
            client.close()
            return
        try:
            server = socket.create_connection(self._server, 5)
        except OSError:
            client.close()
            return
        self._peer[client], self._peer[server] = server, client

    def _pass_on(self, end: socket.socket) -> None:
        other = self._peer[end]
        try:
            data = end.recv(CHUNK)
            if data:
                time.sleep(self.delay)
                other.sendall(data)
                return
        except OSError:
            pass
        for side in (end, other):
            del self._peer[side]
            side.close()
