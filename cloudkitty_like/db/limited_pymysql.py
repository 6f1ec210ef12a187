"""A connection to MariaDB that is given up where the server stays silent."""
from __future__ import annotations

import socket
from math import isinf
from typing import Any

import pymysql.connections


class LimitedPymysql(pymysql.connections.Connection):  # type: ignore[misc]
    """``patience`` is how many seconds the server may send nothing while it is waited for.

    PyMySQL knows such a limit, but one for all of a connection's life: while it connects it
    has to be short, and a statement may take longer.
    """

    def __init__(self, *args: Any, network_seconds: int, **parameters: Any) -> None:
        self._network_seconds = network_seconds
        patience = parameters["connect_timeout"]
        super().__init__(*args,
                         **{"read_timeout": patience, "write_timeout": patience, **parameters})

    @property
    def patience(self) -> float:
        """Seconds."""
        return float("inf") if self._read_timeout is None else float(self._read_timeout)

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._read_timeout = self._write_timeout = None if isinf(seconds) else seconds

    def connect(self, sock: socket.socket | None = None) -> None:
        """Connect, and let the kernel tell where the network is dead."""
        super().connect(sock)
        if self._sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        for name, value in (("TCP_KEEPIDLE", max(1, self._network_seconds // 2)),
                            ("TCP_KEEPINTVL", max(1, self._network_seconds // 8)),
                            ("TCP_KEEPCNT", 4),
                            ("TCP_USER_TIMEOUT", self._network_seconds * 1000)):
            if hasattr(socket, name):
                self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
