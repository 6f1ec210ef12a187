from __future__ import annotations

import gzip
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from cloudkitty_like.client.prometheus import EDGES, Basic, Bearer, Prometheus, Transport
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.testing.collector import HOUR, MILLISECOND
from cloudkitty_like.testing.network import free_port
from tests.certificates import Authority
from tests.fake_http import Answer, Asked, Reply, as_json, refusal, serve, vector
from tests.servers import SERVERS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE = ({"project_id": "alice", "extra": "1"}, "1.5")


def failure(answer: Answer, transport: Transport | None = None) -> tuple[Unavailable, int]:
    """What the client says of a server that answers so, and how often it asked."""
    with serve(answer) as fake:
        with pytest.raises(Unavailable) as caught:
            Prometheus(fake.url, transport).query("up", ("project_id",))
        return caught.value, len(fake.asked)


def constantly(reply: Reply) -> Answer:
    return lambda asked: reply


def in_turn(*replies: Reply) -> Answer:
    turns = iter(replies)
    return lambda asked: next(turns)


def test_rows_hold_the_labels_asked_for_and_samples_as_written() -> None:
    with serve(constantly(vector(ALICE, ({"zone": "north"}, "1e-07")))) as fake:
        answer = Prometheus(fake.url).query("up", ("zone", "project_id"))
    assert answer.rows == [("", "alice"), ("north", "")]
    assert answer.values == ["1.5", "1e-07"]


@pytest.mark.parametrize("labels", [(), ("project_id",), ("class",), ("project_id", "from", "_x", "l0", "l1")])
def test_any_number_of_labels_of_any_name_can_be_asked_for(labels: tuple[str, ...]) -> None:
    with serve(constantly(vector(({name: f"<{name}>" for name in labels}, "1")))) as fake:
        assert Prometheus(fake.url).query("up", labels).rows == [tuple(f"<{name}>" for name in labels)]


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/"])
@pytest.mark.parametrize("prefix", ["", "/select/0/prometheus"])
def test_the_url_may_end_in_the_api_version(prefix: str, path: str) -> None:
    with serve(constantly(vector())) as fake:
        Prometheus(fake.url + prefix + path).query("up")
        assert fake.asked[0].path == f"{prefix}/api/v1/query"


def test_an_instant_is_sent_to_the_millisecond_and_now_is_not_sent() -> None:
    with serve(constantly(vector())) as fake:
        client = Prometheus(fake.url)
        for at in (NOON, NOON - MILLISECOND, None):
            client.query("up", at=at)
        assert [asked.parameters.get("time") for asked in fake.asked] == ["1772366400", "1772366399.999", None]


def test_a_long_query_is_posted_and_arrives_whole() -> None:
    query = "up{x=~\"" + "ü|" * 4000 + "\"}"
    with serve(constantly(vector(ALICE))) as fake:
        client = Prometheus(fake.url)
        client.query("up")
        assert client.query(query, ("project_id",)).rows == [("alice",)]
        assert [(asked.method, asked.query) for asked in fake.asked] == [("GET", "up"), ("POST", query)]


def test_a_compressed_answer_is_read() -> None:
    reply = vector(ALICE)
    packed = Reply(200, gzip.compress(reply.body), {"Content-Encoding": "gzip"})
    with serve(constantly(packed)) as fake:
        assert Prometheus(fake.url).query("up").values == ["1.5"]


def test_remarks_are_no_warnings() -> None:
    remark = "PromQL info: metric might not be a counter"
    with serve(in_turn(vector(ALICE, infos=[remark]), vector(ALICE, warnings=[remark]))) as fake:
        client = Prometheus(fake.url)
        assert client.query("up").values == client.query("up").values == ["1.5"]


PARTIAL = {
    "a warning": (vector(ALICE, warnings=["remote store: timeout"]), "remote store: timeout"),
    "a partial answer of VictoriaMetrics": (vector(ALICE, isPartial=True), "partial"),
    "an error with status 200": (refusal(200, "execution", "boom"), "execution: boom"),
    "an empty object": (as_json({}), "cannot be read"),
    "success without data": (as_json({"status": "success"}), "without data"),
    "no data": (as_json({"status": "success", "data": None}), "without data"),
    "another type": (as_json({"status": "success", "data": {"resultType": "matrix", "result": []}}), "matrix"),
    "a native histogram": (as_json({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {}, "histogram": [1, {"count": "1"}]}]}}), "cannot be read"),
    "a label that is a number": (as_json({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"project_id": 1}, "value": [1, "1"]}]}}), "cannot be read"),
    "a page": (Reply(200, b"<html>Sign in</html>"), "cannot be read"),
    "nothing": (Reply(200, b""), "cannot be read"),
    "bytes that are no text": (Reply(200, b'{"status": "success\xff'), "cannot be read"),
    "half an answer": (Reply(200, vector(ALICE).body[:-20]), "cannot be read"),
    "a connection that breaks": (Reply(200, vector(ALICE).body, cut=20), "cannot be reached"),
    "no answer": (Reply(hang_up=True), "cannot be reached"),
    "an error": (Reply(500, b"Internal Server Error"), "HTTP status 500"),
    "a redirection": (Reply(302, b"", {"Location": "https://login.example.org/"}), "redirects to https://login.example.org/"),
    "a permanent redirection": (Reply(308, b"", {"Location": "/x"}), "redirects to /x"),
    "no content": (Reply(204), "HTTP status 204"),
    "not found": (Reply(404, b"404 page not found"), "no Prometheus API"),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_what_is_not_the_whole_answer_is_unavailable(name: str) -> None:
    reply, words = PARTIAL[name]
    error, _ = failure(constantly(reply))
    assert words in str(error)
    assert "Prometheus at http://127.0.0.1" in str(error)
    assert not error.smaller
    assert "\n" not in str(error)


REFUSED = {
    "too many samples": (refusal(422, "execution", "query processing would load too many samples into memory"), True),
    "too many points": (refusal(400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries"), True),
    "too long a query": (refusal(422, "422", "too long query; got 20001 bytes; mustn't exceed 16384 bytes"), True),
    "too many series": (refusal(422, "422", "the number of matching timeseries exceeds 300000"), True),
    "too long in evaluation": (refusal(503, "timeout", "query timed out in expression evaluation"), True),
    "too large a request": (Reply(413), True),
    "too long a URL": (Reply(414), True),
    "an error of execution": (refusal(422, "execution", "found duplicate series for the match group {}"), True),
    "a query that is wrong": (refusal(400, "bad_data", "1:5: parse error: unclosed left parenthesis"), False),
    "a query that VictoriaMetrics cannot read": (refusal(422, "422", 'unexpected token ""; want "("'), False),
    "credentials": (Reply(401, b"Unauthorized"), False),
    "rights": (Reply(403, b"Forbidden"), False),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_whether_a_smaller_question_may_be_answered(name: str) -> None:
    reply, smaller = REFUSED[name]
    error, asked = failure(constantly(reply))
    assert (error.smaller, asked) == (smaller, 1)
    assert ("bearer_token" in error.hint) == (name in ("credentials", "rights"))


def test_the_error_of_a_query_is_named() -> None:
    error, _ = failure(constantly(refusal(400, "bad_data", "1:5: parse error:\n unclosed left parenthesis")))
    assert "bad_data: 1:5: parse error: unclosed left parenthesis" in str(error)


@pytest.mark.parametrize("bad", [Reply(502), Reply(503), Reply(504), Reply(429), Reply(hang_up=True)])
def test_a_passing_fault_is_not_noticed(bad: Reply) -> None:
    with serve(in_turn(bad, bad, vector(ALICE))) as fake:
        client = Prometheus(fake.url)
        assert client.query("up").values == ["1.5"]
        assert client.requests_made == len(fake.asked) == 3


@pytest.mark.parametrize(("bad", "smaller"), [(503, False), (502, False), (429, False), (504, True)])
def test_attempts_are_bounded(bad: int, smaller: bool) -> None:
    error, asked = failure(constantly(Reply(bad)))
    assert (error.smaller, asked) == (smaller, 3)


@pytest.mark.parametrize("slow", [Reply(delay=20), Reply(200, b" " * 100, drip=0.1)], ids=["silent", "dripping"])
def test_an_answer_that_takes_too_long_is_given_up_and_not_asked_for_again(slow: Reply) -> None:
    started = time.monotonic()
    error, asked = failure(constantly(slow), Transport(timeout=0.3))
    assert time.monotonic() - started < 3
    assert (error.smaller, asked) == (True, 1)
    assert "longer than 0.3 s" in str(error)


def test_an_answer_without_end_is_given_up() -> None:
    error, asked = failure(constantly(Reply(200, b" " * 100_000)), Transport(largest_answer=1000))
    assert (error.smaller, asked) == (True, 1)


def test_a_server_that_is_not_there_is_named_without_noise() -> None:
    port = free_port()
    client = Prometheus(f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable) as caught:
        client.query("up")
    assert str(caught.value) == (
        f"Prometheus at http://127.0.0.1:{port}/api/v1 cannot be reached: [Errno 111] Connection refused")
    assert (caught.value.smaller, client.requests_made) == (False, 3)


def test_several_threads_share_a_client() -> None:
    with serve(lambda asked: vector(({"project_id": asked.query}, "1"))) as fake, ThreadPoolExecutor(8) as threads:
        client = Prometheus(fake.url)
        asked = [f"q{n}" for n in range(200)]
        answers = list(threads.map(lambda query: client.query(query, ("project_id",)).rows, asked))
    assert answers == [[(query,)] for query in asked]
    assert client.requests_made == 200
    assert client.seconds > 0


def test_basic_authentication_in_utf_8() -> None:
    with serve(constantly(vector())) as fake:
        Prometheus(fake.url, Transport(auth=Basic("zoë", "p:w"))).query("up")
        assert fake.asked[0].headers["Authorization"] == f"Basic {b64encode('zoë:p:w'.encode()).decode()}"


def test_a_token_is_sent_and_its_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serve(constantly(vector())) as fake:
        Prometheus(fake.url, Transport(auth=Bearer("secret"))).query("up")
        client = Prometheus(fake.url, Transport(auth=Bearer(file=str(file))))
        for token in ("one", "two"):
            file.write_text(f"{token}\n")
            client.query("up")
        file.unlink()
        with pytest.raises(Unavailable, match="token"):
            client.query("up")
        assert [asked.headers["Authorization"] for asked in fake.asked] == ["Bearer secret", "Bearer one", "Bearer two"]


def test_no_message_holds_a_secret() -> None:
    with serve(constantly(Reply(401))) as fake, pytest.raises(Unavailable) as caught:
        Prometheus(fake.url.replace("//", "//user:hush@"), Transport(auth=Basic("user", "hush"))).query("up")
    assert "hush" not in f"{caught.value}{caught.value.hint}"


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @pytest.fixture
    def url(self, authority: Authority) -> Iterator[str]:
        """A server that shows a certificate of the authority and wants one of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.certificate("server"))
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_OPTIONAL
        with serve(constantly(vector(ALICE)), context) as fake:
            yield fake.url

    def test_a_certificate_is_checked(self, url: str) -> None:
        with pytest.raises(Unavailable, match="certificate verify failed") as caught:
            Prometheus(url).query("up")
        assert "cafile" in caught.value.hint

    def test_it_is_checked_with_the_authorities_given(self, url: str, authority: Authority) -> None:
        assert Prometheus(url, Transport(verify=authority.file)).query("up").values == ["1.5"]

    def test_it_can_be_left_unchecked(self, url: str) -> None:
        with pytest.warns(match="Unverified HTTPS"):
            assert Prometheus(url, Transport(verify=False)).query("up").values == ["1.5"]

    def test_a_server_can_ask_for_a_certificate(self, authority: Authority) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.certificate("server"))
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
        with serve(constantly(vector(ALICE)), context) as fake:
            ours = authority.certificate("client")
            assert Prometheus(fake.url, Transport(verify=authority.file, cert=ours)).query("up").values == ["1.5"]
            with pytest.raises(Unavailable):
                Prometheus(fake.url, Transport(verify=authority.file)).query("up")


class TestEdges:
    @pytest.mark.parametrize(("answer", "closed"), [("2", True), ("1", False)])
    def test_the_server_is_asked_once(self, answer: str, closed: bool) -> None:
        with serve(constantly(vector(({}, answer)))) as fake:
            client = Prometheus(fake.url)
            assert client.includes_left_edge(NOON + timedelta(seconds=59.9)) is closed
            assert client.includes_left_edge(NOON) is closed
            assert [(asked.query, asked.parameters["time"]) for asked in fake.asked] == [(EDGES, "1772366400")]

    @pytest.mark.parametrize("answer", [vector(), vector(({}, "3")), vector(({}, "1"), ({}, "2"))])
    def test_what_cannot_be_told_is_unavailable_and_asked_again(self, answer: Reply) -> None:
        with serve(in_turn(answer, vector(({}, "1")))) as fake:
            client = Prometheus(fake.url)
            with pytest.raises(Unavailable, match="cannot be told"):
                client.includes_left_edge(NOON)
            assert not client.includes_left_edge(NOON)

    @pytest.mark.parametrize("server", SERVERS)
    def test_it_is_true_of_the_server(self, server: str) -> None:
        with SERVERS[server]([]) as url:
            client = Prometheus(url)
            closed = client.includes_left_edge(HOUR.end)
            # The server's time has a step every minute: the range of an hour holds 60 of them, or both edges.
            steps = client.query("count_over_time(vector(1)[1h:1m])", at=HOUR.end).values
        assert steps == ["61" if closed else "60"]


class TestLabelValues:
    def test_they_are_those_of_the_series_selected(self) -> None:
        def answer(asked: Asked) -> Reply:
            assert asked.path == "/api/v1/label/project_id/values"
            return as_json({"status": "success", "data": [asked.parameters.get("match[]", "all")]})

        with serve(answer) as fake:
            client = Prometheus(fake.url)
            assert client.label_values("project_id") == ["all"]
            assert client.label_values("project_id", '{a="b&c"}') == ['{a="b&c"}']

    @pytest.mark.parametrize("reply", [
        as_json({"status": "success", "data": ["a"], "warnings": ["one store is away"]}),
        as_json({"status": "success", "data": {"resultType": "vector", "result": []}}),
        as_json({"status": "success", "data": [1]}),
    ])
    def test_a_part_of_them_is_unavailable(self, reply: Reply) -> None:
        with serve(constantly(reply)) as fake, pytest.raises(Unavailable):
            Prometheus(fake.url).label_values("project_id")


def test_a_fault_between_good_answers_stays_one_fault() -> None:
    """A broken body must not leave a connection behind that answers the next question with the rest."""
    turns = count()

    def answer(asked: Asked) -> Reply:
        reply = vector(({"project_id": asked.query}, "1"))
        return Reply(200, reply.body, cut=10) if next(turns) % 2 else reply

    with serve(answer) as fake:
        client = Prometheus(fake.url)
        assert [client.query(f"q{n}", ("project_id",)).rows for n in range(6)] == [[(f"q{n}",)] for n in range(6)]
