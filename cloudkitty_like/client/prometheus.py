"""A typed client of the Prometheus HTTP API, which VictoriaMetrics speaks too.

It answers completely or raises Unavailable: whatever is not the whole answer
to the question (an HTTP error, ``status: error``, a warning, a truncated body)
must never be mistaken for an empty one.
"""
from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.period import EPOCH

LONGEST_URL = 2000
"""Parameters longer than this are posted: proxies and servers limit the length of a URL."""

RETRIED = frozenset({429, 502, 503, 504})
PAUSES = (0.1, 0.4)
"""Seconds before the second and the third attempt."""

POOL = 32
_CHUNK = 1 << 18
_TOO_BIG = re.compile(r"too (many|long|large|big)|exceed|limit|maximum|time[d -]*out|deadline|memory", re.IGNORECASE)
_PARSE = re.compile(r"\bpars(e|ing)\b|unknown func|unexpected token|unparsed", re.IGNORECASE)
_CREDENTIALS = "see prometheus_user, prometheus_password, bearer_token and bearer_token_file"
_CERTIFICATES = "see prometheus_url, cafile, certfile and keyfile"
_MINUTE = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)
EDGES = "count_over_time(vector(1)[1m:1m])"
"""Evaluated on a whole minute it is 2 where a range holds both its ends, 1 where it is open on the left."""


@dataclass(frozen=True, slots=True)
class Vector:
    """The answer to an instant query, row by row: the values of the labels asked for, and the sample as written."""

    rows: Sequence[tuple[str, ...]]
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Transport:
    """How to reach a server.  ``verify``: check its certificate, or the file of the CAs to check it with."""

    timeout: float = 60.0
    auth: AuthBase | None = None
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    largest_answer: int = 512 << 20    # bytes


class Basic(AuthBase):
    """A user with a password, or with a file that holds it: the file is read for each request."""

    def __init__(self, user: str, password: str = "", file: str = "") -> None:
        self._user, self._password, self._file = user, password, file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        password = _secret(self._file, "password") if self._file else self._password
        # In UTF-8, where requests alone would use Latin-1.
        prepared: requests.PreparedRequest = HTTPBasicAuth(self._user.encode(), password.encode())(request)
        return prepared


class Bearer(AuthBase):
    """A token, or a file that holds one: the file is read for each request, as it may be rotated."""

    def __init__(self, token: str = "", file: str = "") -> None:
        self._token = token
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = _secret(self._file, "token") if self._file else self._token
        request.headers["Authorization"] = f"Bearer {token}"
        return request


def _secret(file: str, kind: str) -> str:
    """The text of a file without the white space around it; Unavailable where it cannot be read now."""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the {kind} file cannot be read: {error}") from error


class _Failure(msgspec.Struct):
    error: str = ""
    errorType: str = ""  # noqa: N815 (the API's name)


class Prometheus:
    """One server.  Thread-safe.  ``url`` may end in ``/api/v1`` or not."""

    def __init__(self, url: str, transport: Transport | None = None) -> None:
        self._root = url.rstrip("/").removesuffix("/api/v1") + "/api/v1"
        self._transport = transport or Transport()
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=POOL)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._lock = threading.Lock()
        self._closed: bool | None = None
        self.requests_made = 0
        self.seconds = 0.0

    def query(self, text: str, labels: Sequence[str] = (), at: datetime | None = None) -> Vector:
        """The instant vector ``text`` at ``at``, by default at the server's now.

        A label that a series lacks is the empty string.  Raises Unavailable;
        ``smaller`` where a shorter question may be answered.
        """
        parameters = {"query": text, "nocache": "1", "timeout": f"{self._transport.timeout * 1000:.0f}ms"}
        if at is not None:
            # VictoriaMetrics moves a time that is nearly now into the past unless it is told nocache.
            parameters["time"] = _timestamp(at)
        data = self.ask("query", parameters, _vector_decoder(tuple(labels))).data
        if data.resultType != "vector":
            raise Unavailable(f"{self} answered a {data.resultType} where a vector was asked for")
        return Vector(_rows([sample.metric for sample in data.result], len(labels)),
                      [sample.value.value for sample in data.result])

    def label_values(self, label: str, match: str = "") -> list[str]:
        """The values of a label that the server keeps, of the series that ``match`` selects."""
        # Without a start newer VictoriaMetrics answers for the current day only.
        parameters = {"start": "0", **({"match[]": match} if match else {})}
        return list(self.ask(f"label/{quote(label, safe='')}/values", parameters, _VALUES).data)

    def label_names(self, match: str) -> list[str]:
        """The names of the labels of the kept series that ``match`` selects, ``__name__`` among them."""
        return list(self.ask("labels", {"start": "0", "match[]": match}, _VALUES).data)

    def includes_left_edge(self, near: datetime) -> bool:
        """Whether the range ``[1h]`` holds a sample that is exactly one hour old; asked once.

        It does in Prometheus 2; in Prometheus 3 and VictoriaMetrics it does not.
        """
        if self._closed is None:
            answer = self.query(EDGES, at=EPOCH + (near - EPOCH) // _MINUTE * _MINUTE).values
            if list(answer) not in (["1"], ["2"]):
                raise Unavailable(f"{self} answers {', '.join(answer) or 'nothing'} to {EDGES}, not 1 or 2: "
                                  "which samples a range holds cannot be told")
            self._closed = answer[0] == "2"
        return self._closed

    def close(self) -> None:
        self._session.close()

    def __str__(self) -> str:
        parts = urlsplit(self._root)
        return f"Prometheus at {parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}"

    def ask(self, path: str, parameters: Mapping[str, str], decoder: msgspec.json.Decoder[Any]) -> Any:
        body = self.fetch(path, parameters)
        try:
            answer = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self} sent an answer that cannot be read: {error}") from error
        if answer.status != "success":
            raise self._refusal(200, body)
        # Some releases call remarks about the query itself, "PromQL info: ...", warnings too.
        warnings = [text for text in answer.warnings or () if not text.startswith("PromQL info")]
        if warnings:
            raise Unavailable(f"{self} warns that the answer may be partial: {_line('; '.join(warnings))}")
        if answer.isPartial:
            raise Unavailable(f"{self} gave a partial answer")
        if answer.data is None:
            raise Unavailable(f"{self} sent an answer without data")
        return answer

    def fetch(self, path: str, parameters: Mapping[str, str]) -> bytes:
        """The body of an answer with status 200; another try where a connection breaks or the server is busy."""
        for pause in (*PAUSES, None):
            failure: Unavailable
            try:
                status, headers, body = self._request(path, parameters)
            except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
                raise Unavailable(f"{self} cannot be reached: {_reason(error)}", hint=_CERTIFICATES) from error
            except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
                smaller = not isinstance(error, requests.exceptions.ConnectTimeout)
                raise Unavailable(f"{self} took longer than {self._transport.timeout:g} s", smaller=smaller) from error
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
                failure = Unavailable(f"{self} cannot be reached: {_reason(error)}")
            else:
                if status == 200:
                    return body
                failure = self._refusal(status, body, headers.get("Location", ""))
                if status not in RETRIED or (failure.smaller and status != 504):
                    raise failure
            if pause is not None:
                time.sleep(pause)
        raise failure

    def _request(self, path: str, parameters: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        limit = self._transport
        long = len(urlencode(parameters)) > LONGEST_URL
        started = time.monotonic()
        try:
            # Redirects are not followed: they would turn a POST into a GET, and carry credentials elsewhere.
            with self._session.request(
                "POST" if long else "GET", f"{self._root}/{path}", stream=True, allow_redirects=False,
                params=None if long else parameters, data=parameters if long else None, auth=limit.auth,
                verify=limit.verify, cert=limit.cert, timeout=(min(limit.timeout, 10.0), limit.timeout),
            ) as response:
                return response.status_code, response.headers, self._body(response.raw, started + limit.timeout)
        finally:
            with self._lock:
                self.requests_made += 1
                self.seconds += time.monotonic() - started

    def _body(self, raw: Any, deadline: float) -> bytes:
        chunks = []
        size = 0
        # read1 returns what has come, so that a server that drips is noticed.
        while chunk := raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._transport.largest_answer:
                raise Unavailable(f"{self} sent more than {self._transport.largest_answer} bytes", smaller=True)
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout
        return b"".join(chunks)

    def _refusal(self, status: int, body: bytes, location: str = "") -> Unavailable:
        try:
            answer = msgspec.json.decode(body, type=_Failure)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _Failure()
        reason = _line(": ".join(filter(None, (answer.errorType, answer.error))) or f"HTTP status {status}")
        if status in (401, 403):
            return Unavailable(f"{self} refuses us: {reason}", hint=_CREDENTIALS)
        if 300 <= status < 400:
            return Unavailable(f"{self} redirects to {_line(location)}", hint="set prometheus_url to where the API is")
        if status == 404 and not answer.error:
            return Unavailable(f"{self} is no Prometheus API: {reason}", hint="see prometheus_url")
        smaller = status in (413, 414, 504) or answer.errorType == "timeout"
        if status in (200, 400, 422, 503):
            smaller = smaller or bool(_TOO_BIG.search(answer.error))
        if status == 422:
            # An execution error may lie in a few series only, but a query that cannot be parsed is wrong for everyone.
            smaller = smaller or not _PARSE.search(answer.error)
        return Unavailable(f"{self} did not answer: {reason}", smaller=smaller)


def answer_decoder(data: Any) -> msgspec.json.Decoder[Any]:
    struct = msgspec.defstruct("Answer", [
        ("status", str), ("data", data | None, None), ("warnings", list[str] | None, None), ("isPartial", bool, False),
    ])
    return msgspec.json.Decoder(struct)


_VALUES = answer_decoder(list[str])


@lru_cache(maxsize=256)
def _vector_decoder(labels: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    # Fields for just these labels: decoding into them costs half of what dictionaries of all labels do.
    names = {f"l{i}": label for i, label in enumerate(labels)}
    metric: Any = msgspec.defstruct("Labels", [(name, str, "") for name in names], rename=names, gc=False)
    sample: Any = msgspec.defstruct("Sample", [("at", float), ("value", str)], array_like=True, gc=False)
    series: Any = msgspec.defstruct("Series", [("metric", metric), ("value", sample)], gc=False)
    return answer_decoder(msgspec.defstruct("Data", [("resultType", str), ("result", list[series])]))


def _rows(metrics: Sequence[Any], labels: int) -> list[tuple[str, ...]]:
    if labels > 1:
        return list(map(attrgetter(*(f"l{i}" for i in range(labels))), metrics))
    return [(metric.l0,) for metric in metrics] if labels else [()] * len(metrics)


def _timestamp(when: datetime) -> str:
    seconds, milliseconds = divmod((when - EPOCH) // _MILLISECOND, 1000)
    return f"{seconds}.{milliseconds:03}" if milliseconds else str(seconds)


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 400 else f"{text[:400]}..."


def _reason(error: BaseException) -> str:
    """What is at the bottom of a chain of exceptions that repeat each other."""
    inner = next((part for part in error.args if isinstance(part, BaseException)), error)
    inner = getattr(inner, "reason", None) or inner
    return _line(str(inner.__cause__ or inner))
