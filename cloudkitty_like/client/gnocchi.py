"""A client of Gnocchi's HTTP API, on the session and the authentication of gnocchiclient.

Every method answers completely or raises an error.  gnocchiclient's own methods read numbers as
binary floats, so requests are made on its session and the answers are decoded here.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import msgspec
import requests
from gnocchiclient import exceptions as gnocchi_errors
from gnocchiclient.v1.client import Client
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter

from cloudkitty_like.domain.errors import Error, Invalid, Refused, Unavailable

PAGE = 1000
"""Resources per page: Gnocchi's own limit, unless its operator has changed that."""

SEES_ALL = frozenset({"admin", "service"})
"""Roles whose tokens read every resource under Gnocchi's default policy."""

PAUSES = (0.1, 0.4)
"""Seconds before the second and the third attempt where there is no connection."""

_CREDENTIALS = "see the credentials in this plugin's group of the configuration"
_STATUS_RIGHTS = ("give our user the role admin, or allow the rule 'get status' in Gnocchi's "
                  "policy; max_backlog = -1 does without")
_PARAMETERS = Sequence[tuple[str, str]]


class GranuleSeries(msgspec.Struct):
    """A series as Gnocchi sends it: begin, length in seconds and value of each granule."""

    aggregated: list[tuple[datetime, float, msgspec.Raw]]


class GroupMeasures(msgspec.Struct):
    """The measures of one group."""

    measures: GranuleSeries


class MeasuredGroup(msgspec.Struct):
    """One group of an aggregates answer: its attributes and its measures."""

    group: dict[str, Any]
    measures: GroupMeasures


class _Summary(msgspec.Struct):
    measures: int


class _StorageStatus(msgspec.Struct):
    summary: _Summary


class _Status(msgspec.Struct):
    storage: _StorageStatus


class _Start(msgspec.Struct):
    started_at: datetime


class _GnocchiFailure(msgspec.Struct):
    description: Any = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The measures that metricd had not processed, by the server's clock ``at``."""

    measures: int
    at: datetime


@dataclass(frozen=True, slots=True)
class GnocchiConnection:
    """How to reach a Gnocchi.  ``verify``: check its certificate, or the file of the CAs.

    ``reads_all``: whether the credentials read every resource; None asks the token for its roles.
    """

    timeout: float = 60.0
    verify: bool | str = True
    cert: tuple[str, str] | str | None = None
    interface: str | None = None
    region_name: str | None = None
    pool: int = 10
    reads_all: bool | None = None


_GROUPS = msgspec.json.Decoder(list[MeasuredGroup])
_TOTAL = msgspec.json.Decoder(GroupMeasures)
_ROWS = msgspec.json.Decoder(list[dict[str, Any]])
_STARTS = msgspec.json.Decoder(list[_Start])
_STATUS = msgspec.json.Decoder(_Status)


class Gnocchi:
    """One Gnocchi server.  Thread-safe."""

    def __init__(self, auth: Any, connection: GnocchiConnection | None = None) -> None:
        self._connection = connection or GnocchiConnection()
        self._auth = auth
        http = requests.Session()
        for scheme in ("http://", "https://"):
            http.mount(scheme, HTTPAdapter(pool_maxsize=self._connection.pool))
        self._session = Session(
            auth=auth, session=http, verify=self._connection.verify, cert=self._connection.cert,
            timeout=self._connection.timeout)
        self._api = Client(session=self._session, adapter_options={
            "interface": self._connection.interface,
            "region_name": self._connection.region_name}).api
        self._lock = threading.Lock()
        self.requests_made = 0

    def groups(self, question: Mapping[str, Any], parameters: _PARAMETERS) -> list[MeasuredGroup]:
        """The groups of a ``POST /v1/aggregates`` with a group-by; none where there is no metric.

        :raises Invalid: when Gnocchi refuses the question, for instance because a metric has no
            such aggregation or granularity.
        :raises Unavailable: when the answer is missing or cannot be read.
        """
        body = self._aggregates(parameters, question)
        return [] if body is None else self._decoded(_GROUPS, body)

    def series(self, question: Mapping[str, Any], parameters: _PARAMETERS) -> GranuleSeries:
        """The one series of a ``POST /v1/aggregates`` without a group-by; see :meth:`groups`."""
        body = self._aggregates(parameters, question)
        if body is None:
            return GranuleSeries([])
        total: GroupMeasures = self._decoded(_TOTAL, body)
        return total.measures

    def backlog(self) -> Backlog:
        """What metricd has still to process.

        :raises Refused: when the credentials may not read the status.
        """
        try:
            body, headers = self._answer("GET", "v1/status", [("details", "false")])
        except Refused as error:
            raise Refused(f"{self} does not tell us how far metricd is: {error}",
                          hint=_STATUS_RIGHTS) from error
        try:
            at = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            raise Unavailable(f"{self} does not say what time it is: no Date") from None
        status: _Status = self._decoded(_STATUS, body)
        return Backlog(status.storage.summary.measures, at)

    def earliest_start(self, resource_type: str) -> datetime | None:
        """When the first resource of a type started, also one that ended; None without any."""
        parameters = [("limit", "1"), ("sort", "started_at:asc")]
        body, _ = self._answer("POST", _search_of(resource_type), parameters, {})
        rows: list[_Start] = self._decoded(_STARTS, body)
        return rows[0].started_at if rows else None

    def resources(self, resource_type: str,
                  attributes: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
        """Every resource of a type, page by page; of each these attributes, where any are named.

        :raises Unavailable: when a page is missing, or repeats the one before it.
        """
        marker = ""
        while True:
            parameters = [("limit", str(PAGE)), ("sort", "id:asc"),
                          *(("attrs", name) for name in attributes),
                          *([("marker", marker)] if marker else [])]
            body, _ = self._answer("POST", _search_of(resource_type), parameters, {})
            rows = self._decoded(_ROWS, body)
            if not rows:
                return
            yield from rows
            last = str(rows[-1].get("id", ""))
            if not last or last == marker:
                raise Unavailable(f"{self} does not page its resources: {last!r} comes again")
            marker = last

    def reads_all(self) -> bool:
        """Whether the credentials read every resource under Gnocchi's default policy."""
        if self._connection.reads_all is not None:
            return self._connection.reads_all
        try:
            access = self._auth.get_access(self._session)
        except keystone_errors.ClientException as error:
            raise self._unreachable(error) from error
        return bool(SEES_ALL.intersection(access.role_names))

    def __str__(self) -> str:
        return "Gnocchi"

    def _aggregates(self, parameters: _PARAMETERS, question: Any) -> bytes | None:
        """The body of an answer, or None where Gnocchi says that there is no such metric."""
        try:
            body, _ = self._answer("POST", "v1/aggregates", parameters, question)
        except MetricMissing:
            return None
        return body

    def _answer(self, method: str, path: str, parameters: _PARAMETERS,
                question: Any = None) -> tuple[bytes, Mapping[str, str]]:
        data = None if question is None else msgspec.json.encode(question)
        for pause in (*PAUSES, None):
            try:
                response = self._sent(method, path, parameters, data)
                break
            except (gnocchi_errors.ClientException, keystone_errors.ClientException) as error:
                failure = self._unreachable(error)
                if pause is None or failure.smaller or isinstance(failure, Refused):
                    raise failure from error
            time.sleep(pause)
        if response.status_code != 200:
            raise self._refusal(response.status_code, response.content)
        return response.content, response.headers

    def _sent(self, method: str, path: str, parameters: _PARAMETERS, data: bytes | None) -> Any:
        with self._lock:
            self.requests_made += 1
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return self._api.request(path, method, params=list(parameters), data=data,
                                 headers=headers, raise_exc=False, redirect=False)

    def _decoded(self, decoder: Any, body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(f"{self} sent an answer that cannot be read: {error}",
                              smaller=True) from error

    def _unreachable(self, error: Exception) -> Unavailable:
        if isinstance(error, keystone_errors.Unauthorized | keystone_errors.MissingAuthPlugin):
            return Refused(f"Keystone refuses us: {_line(str(error))}", hint=_CREDENTIALS)
        # gnocchiclient calls a time-out a failure to connect; what it caught says which it was.
        if isinstance(error.__context__, keystone_errors.ConnectTimeout):
            return Unavailable(f"{self} took longer than {self._connection.timeout:g} s",
                               smaller=True)
        return Unavailable(f"{self} cannot be reached: {_line(str(error) or repr(error))}")

    def _refusal(self, status: int, body: bytes) -> Error:
        try:
            description = msgspec.json.decode(body, type=_GnocchiFailure).description
        except (msgspec.DecodeError, UnicodeDecodeError):
            description = None          # not Gnocchi's: a proxy's page
        reason = _line(_text(description) or f"HTTP status {status}")
        if status in (401, 403):
            return Refused(f"{self} refuses us: {reason}", hint=_CREDENTIALS)
        if status == 404 and isinstance(description, str) and "does not exist" in description:
            return MetricMissing(reason)
        if status in (400, 404) and description:
            return Invalid(f"{self} refuses the question: {reason}")
        smaller = status in (413, 414, 500, 504)
        return Unavailable(f"{self} did not answer: {reason}", smaller=smaller)


class MetricMissing(Unavailable):
    """Gnocchi says that no resource that it found has such a metric."""


def _search_of(resource_type: str) -> str:
    return f"v1/search/resource/{quote(resource_type, safe='')}"


def _text(description: Any) -> str:
    """Gnocchi's reason, which is a text or an object with ``cause``, ``reason`` and ``detail``."""
    if isinstance(description, Mapping):
        return ": ".join(str(description[key]) for key in ("cause", "reason", "detail")
                         if key in description)
    return str(description or "")


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 400 else f"{text[:400]}..."
