"""The body of a request: when it is read, and what is said of one that does not arrive whole."""
from __future__ import annotations

import io
from typing import Any

import pytest
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, NoMoreData
from webtest import TestApp

from tests.api.site import Site

JSON = {"content_type": "application/json", "expect_errors": True}
CHUNKED = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}


class Stream(io.RawIOBase):
    """What a server gives the application to read: so many bytes, then an error or the end."""

    def __init__(self, content: bytes = b"", error: Exception | None = None) -> None:
        super().__init__()
        self._content, self._error, self.asked = content, error, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.asked += 1
        piece, self._content = self._content[:len(buffer)], self._content[len(buffer):]
        if not piece and self._error is not None:
            raise self._error
        buffer[:len(piece)] = piece
        return len(piece)


def posted(site: Site, stream: Any, length: str, user: str = "root", url: str = "/v2/dataframes",
           method: str = "POST") -> Any:
    """The answer to a request whose body comes from there; ``length`` '' is one that comes in chunks."""
    environ = CHUNKED if not length else {"CONTENT_LENGTH": length}
    app: TestApp = site.app
    return app.request(url, method=method, headers=site.credentials(user) | {"Content-Type": "application/json"},
                       environ={**environ, "wsgi.input": stream}, expect_errors=True)


@pytest.mark.parametrize("error", [
    InvalidChunkSize(b"x"), ChunkMissingTerminator(b"xx"), NoMoreData(b""), OSError("gone"), TimeoutError("slow"),
    ValueError("I/O")], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("url", ["/v2/dataframes", "/v1/rating/quote"])
def test_i8_b6_a_body_that_the_server_cannot_read_is_a_400(site: Site, error: Exception, url: str) -> None:
    answer = posted(site, Stream(b'{"dataframes"', error), "", url=url)
    assert answer.status_int == 400
    assert "the body does not arrive whole" in (answer.json.get("message") or answer.json["faultstring"])


@pytest.mark.parametrize("content", [b"", b"{}", b'{"dataframes": []'])
def test_i8_b6_a_body_that_ends_early_is_a_400(site: Site, content: bytes) -> None:
    answer = posted(site, Stream(content), "20")
    assert answer.status_int == 400
    assert answer.json["message"].startswith("the body ")


@pytest.mark.parametrize(("user", "status"), [("", 401), ("nobody", 403), ("alice", 403)])
@pytest.mark.parametrize(("method", "url"), [
    ("POST", "/v2/dataframes"), ("PUT", "/v2/scope"), ("GET", "/v1/rating/modules"), ("GET", "/v1/report/tenants"),
    ("POST", "/v1/rating/module_config/hashmap/mappings"), ("DELETE", "/v1/rating/module_config/hashmap/services")])
def test_i8_b6_nothing_is_read_of_a_body_by_who_may_not_send_it(site: Site, user, status, method, url) -> None:
    for length in ("30", "300000", ""):
        stream = Stream(b"x" * 30, OSError("nobody should have asked"))
        assert posted(site, stream, length, user, url, method).status_int == status
        assert stream.asked == 0


@pytest.mark.parametrize("url", ["/v1/report/total", "/v1/report/summary", "/v1/storage/dataframes"])
def test_i8_b6_nor_where_the_body_may_say_whose_it_is(site: Site, url: str) -> None:
    for user, asked in (("guest", url), ("alice", f"{url}?tenant_id=bob"), ("nobody", url)):
        stream = Stream(b'{"tenant_id": "alice"}')
        assert posted(site, stream, "22", user, asked, "GET").status_int == 403
        assert stream.asked == 0
    assert posted(site, io.BytesIO(b'{"tenant_id": "alice"}'), "22", "alice", url, "GET").status_int == 200
    assert posted(site, io.BytesIO(b'{"tenant_id": "bob"}'), "20", "alice", url, "GET").status_int == 403
