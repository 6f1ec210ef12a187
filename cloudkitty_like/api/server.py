"""Serving the application: gunicorn's processes, each with waitress' threads, stopped gracefully."""
from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from errno import EADDRNOTAVAIL
from typing import Any

from gunicorn.app.base import BaseApplication

from cloudkitty_like.api.worker import WaitressWorker
from cloudkitty_like.domain.errors import Invalid, Unavailable


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address, and how many processes and threads answer there."""

    host: str
    port: int
    workers: int
    threads: int
    grace_seconds: int
    body_bytes: int = 10 * 2**20       # that a request may have

    def check(self) -> None:
        """Invalid for numbers that cannot be."""
        problems = []
        if not 0 <= self.port <= 65535:
            problems.append(f"--port: {self.port} is no port")
        if self.workers < 1:
            problems.append(f"--workers: {self.workers} is not a number of processes")
        if problems:
            raise Invalid(*problems)

    def try_address(self) -> None:
        """Invalid for an address that is none of this host's, Unavailable where somebody listens there already."""
        # The server itself would try for seconds, and say it in many lines.
        try:
            family, kind, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        except (socket.gaierror, UnicodeError) as error:
            raise Invalid(f"--host: {self.host!r}: {getattr(error, 'strerror', None) or 'is no name'}") from None
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(address)
            except OSError as error:
                text = f"{self.host} port {self.port}: {error.strerror}"
                raise (Invalid(text) if error.errno == EADDRNOTAVAIL else Unavailable(text)) from None


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn without a configuration file or arguments of its own."""

    def __init__(self, application: Callable[[], Any], where: ServerAddress) -> None:
        self._application, self._where = application, where
        super().__init__()

    def load_config(self) -> None:
        where = self._where
        host = f"[{where.host}]" if ":" in where.host else where.host
        worker_class = type("WaitressWorker", (WaitressWorker,), {"body_bytes": where.body_bytes})
        for name, value in {
            "bind": f"{host}:{where.port}", "workers": where.workers, "threads": where.threads,
            "worker_class": worker_class, "graceful_timeout": where.grace_seconds, "timeout": 120,
            "proc_name": "cloudkitty-like api", "control_socket_disable": True, "limit_request_line": 8190,
            "preload_app": False,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In every worker process: connections to a database must not be shared."""
        return self._application()


def serve(application: Callable[[], Any], where: ServerAddress) -> None:
    """Until told to stop; then requests under way have some seconds."""
    _Server(application, where).run()
