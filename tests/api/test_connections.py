"""What a connection reads, what it refuses, and when it is cut off."""
from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator

import pytest

from cloudkitty_like.api.connections import AHEAD, LONGEST_HEAD, ConnectionPatience
from tests.api.loop import BODY_BYTES, Loop, looping, status

GET = b"GET /there HTTP/1.1\r\nHost: here\r\n\r\n"
HEAD = b"POST /there HTTP/1.1\r\nHost: here\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def loop() -> Iterator[Loop]:
    with looping() as made:
        yield made


def ended(loop: Loop, client: socket.socket) -> bool:
    """Whether the server has closed this connection."""
    loop.turn()
    # What is still on its way comes once the client makes room for it.
    while select.select([client], [], [], 0.2)[0]:
        try:
            if not client.recv(1 << 16):
                return True
        except ConnectionError:
            return True
    return False


# --- requests ---------------------------------------------------------------------------------------

def test_requests_of_every_usual_form_are_answered(loop: Loop) -> None:
    assert loop.ask(GET).endswith(b"GET /there 0")
    assert loop.ask(HEAD + b"Content-Length: 5\r\n\r\nhello").endswith(b"POST /there 5")
    assert loop.ask(CHUNKED + b"3\r\nabc\r\n4;x=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n").endswith(b"POST /there 7")
    assert loop.ask(GET.replace(b"1.1", b"1.0")).endswith(b"GET /there 0")
    assert loop.ask(HEAD + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n").endswith(b"POST /there 0")


def test_a_connection_answers_one_request_after_the_other(loop: Loop) -> None:
    client = loop.client(GET + GET)
    assert loop.answer(client).count(b"GET /there 0") == 2
    client.sendall(HEAD + b"Content-Length: 2\r\n\r\nok")
    assert loop.answer(client).endswith(b"POST /there 2")


def test_a_body_is_asked_for_where_the_client_waits_for_that(loop: Loop) -> None:
    client = loop.client(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert loop.answer(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"ok")
    assert loop.answer(client).endswith(b"POST /there 2")


def test_what_a_proxy_on_this_host_says_of_the_scheme_is_believed(loop: Loop) -> None:
    assert b"X-Scheme: https\r\n" in loop.ask(GET[:-2] + b"X-Forwarded-Proto: https\r\n\r\n")
    assert b"X-Scheme: http\r\n" in loop.ask(GET)


# --- smuggling ----------------------------------------------------------------------------------------

SMUGGLED = (
    HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    HEAD + b"Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
    HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    HEAD + b"Content-Length: +5\r\n\r\nhello",
    HEAD + b"Content-Length: -5\r\n\r\nhello",
    HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    HEAD + b"Content-Length: five\r\n\r\nhello",
    HEAD + b"Content-Length : 5\r\n\r\nhello",
    HEAD + b"Content-Length:\r\n 5\r\n\r\nhello",
    HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip\r\n\r\nxx",
    HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"X: a\r\n b\r\n\r\n",
    HEAD + b"X: a\x00b\r\n\r\n",
    HEAD + b"X: a\nY: b\r\n\r\n",
    HEAD + b"X: a\rY: b\r\n\r\n",
    HEAD + b"Host: there\r\n\r\n",
    HEAD + b"no colon\r\n\r\n",
    HEAD + b": no name\r\n\r\n",
    HEAD + b" X: starts with a space\r\n\r\n",
    b"GET  /there HTTP/1.1\r\nHost: here\r\n\r\n",
    b"GET /there\tHTTP/1.1\r\nHost: here\r\n\r\n",
    b"GET /th\x00ere HTTP/1.1\r\nHost: here\r\n\r\n",
    b"GET /there HTTP/2.7\r\nHost: here\r\n\r\n",
    b"get /there HTTP/1.1\r\nHost: here\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
)


@pytest.mark.parametrize("shape", SMUGGLED, ids=range(len(SMUGGLED)))
def test_i8_b5_what_a_proxy_may_read_otherwise_is_refused(loop: Loop, shape: bytes) -> None:
    answer = loop.ask(shape + GET.replace(b"there", b"smuggled"))
    assert status(answer) in (400, 501, 505), answer
    assert b"smuggled" not in answer
    assert answer.count(b"\r\nDate: ") == 1
    assert "message" in json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(("chunks", "at_once"), [
    (b"x\r\n", True), (b"-1\r\n", True), (b"+3\r\nabc\r\n", True), (b"0x3\r\nabc\r\n", True), (b" 3\r\nabc\r\n", True),
    (b"3\r\nabcd\r\n0\r\n\r\n", True), (b"3 \r\nabc\r\n", True), (b"3;\x00\r\nabc\r\n", True), (b"f" * 5000, True),
    (b"0\r\n" + b"X: y\r\n" * 5000, True), (b"3\nabc\r\n0\r\n\r\n", True)])
def test_i8_b6_a_bad_chunk_is_a_400(loop: Loop, chunks: bytes, at_once: bool) -> None:
    answer = loop.ask(CHUNKED + chunks)
    assert status(answer) == 400, answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]


@pytest.mark.parametrize("sent", [
    HEAD + b"Content-Length: 10\r\n\r\nhello", CHUNKED + b"5\r\nhel", CHUNKED + b"3\r\nabc\r\n", CHUNKED, HEAD])
def test_i8_b6_a_request_that_ends_early_is_a_400(loop: Loop, sent: bytes) -> None:
    client = loop.client(sent)
    client.shutdown(socket.SHUT_WR)
    answer = loop.answer(client)
    assert status(answer) == 400, answer
    assert b"ends before its end" in answer
    loop.turn(lambda: not loop.connections)


def test_i8_b6_such_an_error_has_the_form_of_the_version_that_was_asked(loop: Loop) -> None:
    answer = loop.ask(CHUNKED.replace(b"/there", b"/v1/rating/quote") + b"x\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
        "faultcode": "Client", "faultstring": "Invalid chunk size", "debuginfo": None}


# --- size ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("head", "expected"), [
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: here\r\n\r\n", 414),
    (GET[:-2] + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
    (GET[:-2] + b"X: x\r\n" * 101 + b"\r\n", 431),
    (GET[:-2] + (b"X: " + b"x" * 8000 + b"\r\n") * 9 + b"\r\n", 431),
    (GET[:-2] + b"Expect: nothing\r\n\r\n", 417),
    (b"x" * (LONGEST_HEAD + 1), 431)])
def test_i8_b5_a_head_has_bounds(loop: Loop, head: bytes, expected: int) -> None:
    assert status(loop.ask(head)) == expected


def test_i8_b5_the_largest_body_is_taken_and_of_a_larger_one_nothing_is_read(loop: Loop) -> None:
    whole = b"x" * BODY_BYTES
    client = loop.client(HEAD + b"Content-Length: %d\r\n\r\n" % BODY_BYTES)
    client.settimeout(5)
    client.sendall(whole)
    client.settimeout(0)
    assert loop.answer(client).endswith(b"POST /there %d" % BODY_BYTES)
    # The application is asked before anything of it has come.
    answer = loop.ask(HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1))
    assert status(answer) == 413
    assert b"Connection: close" in answer


def test_i8_b5_who_still_sends_what_is_too_large_sees_why(loop: Loop) -> None:
    client = loop.client(HEAD + b"Content-Length: 10000000\r\n\r\n")
    sent = 0
    while sent < 10_000_000:
        try:
            sent += client.send(b"x" * 65536)
        except BlockingIOError:
            loop.turn()
        except ConnectionError:
            break
    assert status(loop.answer(client)) == 413


def test_i8_b5_who_is_gone_before_the_answer_is_no_error(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    for sent in (HEAD + b"Content-Length: 10000000\r\n\r\n", CHUNKED + b"x\r\n", GET, GET + HEAD):
        client = loop.client()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")      # it ends with a reset
        client.sendall(sent)
        client.close()
        loop.turn(lambda: not loop.connections)
    assert caplog.messages == []


def test_i8_b5_chunks_without_end_are_a_413(loop: Loop) -> None:
    client = loop.client(CHUNKED)
    for _ in range(200):
        try:
            client.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            break
        loop.turn()
    assert status(loop.answer(client)) == 413


# --- pace ---------------------------------------------------------------------------------------------

def test_i8_b5_a_head_that_does_not_end_is_cut_off_however_it_trickles(loop: Loop) -> None:
    client = loop.client(HEAD)
    silent = loop.client()
    for _ in range(19):
        loop.later(1)
        client.sendall(b"X: y\r\n")
    loop.turn()
    assert not ended(loop, client)
    loop.later(5)
    assert status(loop.answer(client)) == 408
    assert ended(loop, silent)
    assert loop.connections == []


def test_i8_b5_a_body_that_trickles_is_cut_off_and_one_that_flows_is_not(loop: Loop) -> None:
    trickling = loop.client(HEAD + b"Content-Length: 90000\r\n\r\n")
    flowing = loop.client(HEAD + b"Content-Length: 90000\r\n\r\n")
    loop.later(0)
    for number in range(11):
        if number < 5:
            trickling.sendall(b"x" * 100)
        flowing.sendall(b"x" * 5000)
        loop.later(4)
    assert status(loop.answer(trickling)) == 408
    assert not ended(loop, flowing)
    flowing.sendall(b"x" * 35000)
    assert loop.answer(flowing).endswith(b"POST /there 90000")


def test_i8_b5_who_asks_nothing_more_is_cut_off_after_a_while(loop: Loop) -> None:
    client = loop.client(GET)
    assert loop.answer(client).endswith(b"GET /there 0")
    loop.later(70)
    assert not ended(loop, client)
    loop.later(10)
    assert ended(loop, client)


def test_i8_b5_who_does_not_read_the_answer_is_cut_off() -> None:
    def large(environ, start_response):
        start_response("200 OK", [("Content-Length", str(20 * 2**20))])
        return [b"x" * 2**20] * 20

    with looping(large) as loop:
        client = loop.client(GET, small=True)
        loop.turn(lambda: loop.connections[0].held > 10 * 2**20)
        loop.turn(lambda: not loop.connections[0].requests)     # its thread is free, though nothing is read
        loop.later(19)
        assert len(loop.connections) == 1
        loop.later(2)
        assert loop.connections == []
        assert ended(loop, client)


def test_i8_b5_who_reads_so_slowly_that_a_thread_waits_has_to_read_faster() -> None:
    closed = threading.Event()

    def endless(environ, start_response):
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 2**20
        finally:
            closed.set()

    with looping(endless) as loop:
        client = loop.client(GET, small=True)
        loop.turn(lambda: loop.connections[0].total_outbufs_len > AHEAD)
        loop.later(0)
        for _ in range(15):                # 30 kB and more in 20 seconds, which an answer that is done may take
            loop.turn()
            client.recv(1 << 16)
            loop.later(1.5)
        loop.turn(closed.is_set)
        assert loop.connections == []


def test_i8_b5_the_application_may_take_its_time() -> None:
    going = threading.Event()

    def waits(environ, start_response):
        assert going.wait(60)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with looping(waits) as loop:
        client = loop.client(GET)
        loop.later(1000)
        assert not ended(loop, client)
        going.set()
        assert status(loop.answer(client)) == 200


# --- room ---------------------------------------------------------------------------------------------

def test_i8_b5_who_has_waited_longest_makes_room_for_who_comes() -> None:
    with looping(patience=ConnectionPatience(connections=5)) as loop:
        idle = [loop.client(HEAD[:number + 1]) for number in range(5)]
        assert loop.ask(GET).endswith(b"GET /there 0")
        assert ended(loop, idle[0])
        assert not any(ended(loop, client) for client in idle[1:])


def test_i8_b5_bodies_that_have_not_arrived_hold_only_so_much() -> None:
    with looping(patience=ConnectionPatience(held_bytes=100_000)) as loop:
        clients = [loop.client(HEAD + b"Content-Length: 90000\r\n\r\n" + b"x" * size)
                   for size in (40_000, 60_000, 50_000)]
        loop.turn(lambda: sum(one.held for one in loop.connections) == 150_000)
        loop.later(1)
        assert [ended(loop, client) for client in clients] == [False, True, False]
