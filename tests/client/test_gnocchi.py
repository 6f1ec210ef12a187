from __future__ import annotations

import json
from typing import Any

import pytest

from cloudkitty_like.client.gnocchi import PAUSES, Gnocchi
from cloudkitty_like.domain.errors import Error, Invalid, Refused, Unavailable
from tests.fake_http import Asked, Reply, as_json, serve
from tests.gnocchi import Resource, client, refused, small

QUESTION = {"operations": ["aggregate", "max", ["metric", "m", "max"]], "search": {},
            "resource_type": "x"}
EMPTY: list[tuple[str, str]] = []


def with_granule(granule: bytes) -> Reply:
    """An answer with one group and this granule."""
    series = b'{"measures": {"aggregated": [' + granule + b"]}}"
    return Reply(200, b'[{"group": {}, "measures": ' + series + b"}]")


def ask(reply: Reply | Any, timeout: float = 5.0) -> Any:
    """What the client makes of an answer to a question with a group-by."""
    with serve(reply if callable(reply) else lambda asked: reply) as fake:
        return client(fake.url, timeout=timeout).groups(QUESTION, EMPTY)


def error_of(reply: Reply) -> Error:
    with pytest.raises(Error) as caught:
        ask(reply)
    return caught.value


def test_a_number_keeps_the_characters_of_the_answer() -> None:
    body = (b'[{"group": {"id": "vm"}, "measures": {"measures": {"aggregated": ['
            b'["2026-03-01T10:00:00+00:00", 300.0, 12345678901234567890.125]]}}}]')
    (group,) = ask(Reply(200, body))
    (_, seconds, value), = group.measures.measures.aggregated
    assert (group.group, seconds, bytes(value)) == ({"id": "vm"}, 300, b"12345678901234567890.125")


def test_requests_are_json_with_basic_authentication() -> None:
    def answer(asked: Asked) -> Reply:
        assert (asked.method, asked.path) == ("POST", "/v1/aggregates")
        assert asked.headers["Accept"] == asked.headers["Content-Type"] == "application/json"
        assert asked.headers["Authorization"] == "basic YWRtaW46"
        assert json.loads(asked.body) == QUESTION
        assert asked.repeated == {"groupby": ["id", "a b&c"]}
        return as_json([])

    with serve(answer) as fake:
        assert client(fake.url).groups(QUESTION, [("groupby", "id"), ("groupby", "a b&c")]) == []


def test_d7_a_metric_that_does_not_exist_is_an_empty_answer() -> None:
    assert ask(refused(404, "Metric ['m'] does not exist")) == []


@pytest.mark.parametrize(("status", "description"), [
    (404, {"cause": "Metrics with unknown aggregation", "detail": [["m", "max"]]}),
    (404, {"cause": "Unknown metrics", "detail": ["m"]}),
    (400, "Metrics can't being aggregated: Granularities are missing"),
    (400, {"cause": "Attribute value error", "reason": "no such attribute"}),
])
def test_d6_a_question_that_is_refused_is_invalid(status: int, description: Any) -> None:
    error = error_of(refused(status, description))
    assert isinstance(error, Invalid)
    assert str(error).startswith("Gnocchi refuses the question: ")


@pytest.mark.parametrize("reply", [
    Reply(404, b"<html>not found</html>"), Reply(500), Reply(503), Reply(hang_up=True),
    Reply(302, headers={"Location": "/"}), Reply(200, b"[]  ", cut=1),
    Reply(200, b"{"), Reply(200, b"{}"), Reply(200, b"[{}]"),
    with_granule(b'["2026", 1.0, 1]'), with_granule(b'["2026-03-01T10:00:00Z", 1.0, NaN]'),
])
def test_a_fault_is_not_an_answer(reply: Reply) -> None:
    assert isinstance(error_of(reply), Unavailable)


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_refused(status: int) -> None:
    error = error_of(refused(status, "Forbidden"))
    assert isinstance(error, Refused)
    assert "credentials" in error.hint


def test_a_slow_answer_is_given_up_and_may_be_asked_for_in_parts() -> None:
    with serve(lambda asked: Reply(200, b"[]", delay=30)) as fake:
        with pytest.raises(Unavailable, match=r"took longer than 0.3 s") as caught:
            client(fake.url, timeout=0.3).groups(QUESTION, EMPTY)
        assert (caught.value.smaller, len(fake.asked)) == (True, 1)


def test_a_connection_that_breaks_is_tried_again() -> None:
    with serve(lambda asked: Reply(hang_up=len(fake.asked) < 3, body=b"[]")) as fake:
        gnocchi = client(fake.url)
        assert gnocchi.groups(QUESTION, EMPTY) == []
        assert gnocchi.requests_made == len(fake.asked) == len(PAUSES) + 1


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        client("http://127.0.0.1:9").groups(QUESTION, EMPTY)


def test_the_series_without_a_grouping() -> None:
    reply = as_json({"measures": {"aggregated": [["2026-03-01T10:00:00+00:00", 300.0, 1.0]]}})
    with serve(lambda asked: reply) as fake:
        assert len(client(fake.url).series(QUESTION, EMPTY).aggregated) == 1
    with serve(lambda asked: refused(404, "Metric ['m'] does not exist")) as fake:
        assert client(fake.url).series(QUESTION, EMPTY).aggregated == []


def test_the_backlog_comes_with_the_servers_time() -> None:
    with small(backlog=3) as (fake, _):
        backlog = client(fake.url).backlog()
    assert (backlog.measures, backlog.at.utcoffset() is not None) == (3, True)


def pages(gnocchi: Gnocchi) -> list[str]:
    return [str(row["id"]) for row in gnocchi.resources("instance", ("id",))]


def test_c44_pages_are_followed_to_their_end() -> None:
    resources = [Resource({"project_id": None}) for _ in range(7)]
    for page in (1, 2, 3, 7, 1000):
        with small(*resources, page=page) as (fake, _):
            assert pages(client(fake.url)) == sorted(one.id for one in resources)


@pytest.mark.parametrize("rows", [[{"id": "a"}], [{"name": "no id"}]])
def test_c44_pages_that_go_round_in_circles_are_an_error(rows: list[dict[str, str]]) -> None:
    def answer(asked: Asked) -> Reply:
        return as_json([{"id": "a"}] if not asked.parameters.get("marker") else rows)

    with serve(answer) as fake, pytest.raises(Unavailable, match="does not page"):
        list(client(fake.url).resources("instance"))
