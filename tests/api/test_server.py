"""Where a server listens, and with how many processes."""
from __future__ import annotations

import socket

import pytest

from cloudkitty_like.api.server import ServerAddress
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.testing.network import free_port


def where(host="127.0.0.1", port=0, workers=1):
    return ServerAddress(host, port, workers, threads=1, grace_seconds=1)


def test_an_address_that_is_free_is_right():
    where(port=free_port(), workers=3).check()
    where(port=free_port()).try_address()
    where("localhost", free_port()).try_address()


def test_everything_that_is_wrong_is_named_at_once():
    with pytest.raises(Invalid) as raised:
        where(port=65536, workers=0).check()
    assert raised.value.problems == ("--port: 65536 is no port",
                                     "--workers: 0 is not a number of processes")


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "256.1.1.1"])
def test_an_address_that_is_not_this_hosts_is_refused(host):
    with pytest.raises(Invalid, match=host):
        where(host, free_port()).try_address()


def test_a_port_that_somebody_has_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1 port {port}: Address already in use"):
            where(port=port).try_address()


def test_a_port_that_was_just_left_can_be_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_RDWR)
    where(port=port).try_address()
