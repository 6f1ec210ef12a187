"""Addresses for servers."""
from __future__ import annotations

import socket

from cloudkitty_like.testing.network import free_port


def test_a_free_port_can_be_listened_on():
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        assert listener.getsockname()[1] > 0
