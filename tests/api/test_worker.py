"""What a worker process does with its connections: the thread of the health check, and the end."""
from __future__ import annotations

import resource
import threading
from collections.abc import Iterator

import pytest

from cloudkitty_like.api import worker
from cloudkitty_like.api.connections import ConnectionPatience
from tests.api.loop import Loop, echo, looping, status

GET = b"GET /there HTTP/1.1\r\nHost: here\r\n\r\n"
HEALTH = GET.replace(b"/there", b"/healthcheck")


class Work:
    """An application that works until it may end, but for the health check."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].rstrip("/") != "/healthcheck" or "HTTP_AUTHORIZATION" in environ:
            assert self.may_end.wait(60)
        return echo(environ, start_response)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def loop(work: Work) -> Iterator[Loop]:
    with looping(work) as made:
        yield made
        work.may_end.set()


def test_i8_b5_the_health_check_answers_while_all_threads_work(loop: Loop, work: Work) -> None:
    working = [loop.client(GET) for _ in range(3)]
    assert status(loop.ask(HEALTH)) == 200
    assert status(loop.ask(HEALTH.replace(b"check", b"check/"))) == 200
    work.may_end.set()
    assert [status(loop.answer(client)) for client in working] == [200] * 3


def test_i8_b5_a_health_check_that_has_to_be_proven_is_a_request_like_others(loop: Loop, work: Work) -> None:
    proven = [loop.client(HEALTH[:-2] + b"Authorization: Basic eDp5\r\n\r\n") for _ in range(3)]
    assert status(loop.ask(HEALTH)) == 200
    work.may_end.set()
    assert [status(loop.answer(client)) for client in proven] == [200] * 3


def test_i8_b5_at_the_end_what_is_asked_is_answered_and_nobody_else_is_waited_for(loop: Loop, work: Work) -> None:
    working = loop.client(GET)
    idle, begun = loop.client(), loop.client(GET[:10])
    for connection in loop.connections:
        connection.active_at -= 2
    loop.listener.stop_listening()
    assert loop.listener.take_leave()
    assert len(loop.connections) == 1
    with pytest.raises(BlockingIOError):
        working.recv(1)
    work.may_end.set()
    answer = loop.answer(working)
    assert answer.endswith(b"GET /there 0")
    assert b"Connection: close" in answer
    assert not loop.listener.take_leave()
    assert [client.recv(1) for client in (idle, begun)] == [b"", b""]


def test_i8_b5_a_request_that_is_arriving_at_the_end_may_arrive(loop: Loop, work: Work) -> None:
    work.may_end.set()
    client = loop.client(GET[:10])
    assert loop.listener.take_leave()
    client.sendall(GET[10:])
    assert loop.answer(client).endswith(b"GET /there 0")


def test_i8_b5_there_are_as_many_connections_as_descriptors_allow() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        assert worker.affordable(ConnectionPatience()).connections == 2000
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(8192, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert worker.connections_of(1024) == 256
    assert worker.connections_of(100) == 16
