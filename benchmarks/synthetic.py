"""A Prometheus made of formulas: every value can be worked out by a test itself, and faults come where it wants them.

A test starts one::

    catalogue = Catalogue.of(scopes=3, series=4, periods=6)
    with Synthetic(catalogue) as source:
        source.faults.append(Fault("nan", scope="scope-0001"))
        ...                                # source.url, source.asked

It understands the queries that our collector and fetcher make, and no others.
Answers are put together from bytes prepared beforehand, so that it costs little
beside what it measures.
"""
from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

METRICS = ("instance_seconds", "volume_bytes", "network_bytes_total", "cpu_seconds", "floating_ips")
FLAVORS = tuple((f"{family}.{size}", str(2**power)) for family in ("m1", "c1", "r1")
                for power, size in enumerate(("small", "medium", "large", "xlarge")))
REGIONS = ("north", "south", "west")
LABELS = ("flavor", "id", "project_id", "region", "vcpus")

VARIANTS = 3
_TIME, _TAIL = b"\x00t", b"\x00d"

_USAGE = re.compile(
    r"\w+\((?:\w+\()?(?P<function>\w+)\((?P<metric>\w+)\{(?P<matchers>.*)\}\[(?P<length>\d+)(?P<unit>ms|s)\]\)\)?\)"
    r" by \((?P<labels>[\w, ]*)\)", re.DOTALL)
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)",?', re.DOTALL)
_BEGINS = re.compile(r">= (\d+(?:\.\d+)?)\)\[")


@dataclass(frozen=True)
class Catalogue:
    """What there is: ``series`` of every metric for every scope, one sample in each of ``periods``."""

    scopes: tuple[str, ...]
    series: int = 10
    periods: int = 3
    begin: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    length: timedelta = timedelta(hours=1)
    metrics: tuple[str, ...] = METRICS
    scope_key: str = "project_id"
    silent: frozenset[int] = frozenset()       # periods in which the server did not scrape

    @classmethod
    def of(cls, scopes: int, **more: Any) -> Catalogue:
        """So many scopes, called ``scope-0000`` and so on."""
        return cls(tuple(f"scope-{number:04}" for number in range(scopes)), **more)

    @cached_property
    def ordinals(self) -> dict[str, int]:
        return {scope: number for number, scope in enumerate(self.scopes)}

    @property
    def end(self) -> datetime:
        return self.begin + self.periods * self.length

    def labels(self, scope: str, number: int) -> dict[str, str]:
        """The labels of a scope's series; those of all its metrics are of the same resources."""
        ordinal = self.ordinals[scope] * self.series + number
        digits = md5(f"{scope}/{number}".encode(), usedforsecurity=False).hexdigest()
        flavor, vcpus = FLAVORS[ordinal * 7 % len(FLAVORS)]
        return {
            "flavor": flavor, "id": f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
            self.scope_key: scope, "region": REGIONS[ordinal * 11 % len(REGIONS)], "vcpus": vcpus,
        }

    def value(self, metric: str, scope: str, number: int, period: int) -> str:
        """The sample, as the server writes it."""
        return self.stem(metric, scope, number, period % VARIANTS).replace(_TAIL.decode(), self.tail(period))

    def stem(self, metric: str, scope: str, number: int, variant: int) -> str:
        """The sample with a placeholder for the digits that the period gives."""
        ordinal, tail = self.ordinals[scope] * self.series + number, _TAIL.decode()
        match self.metrics.index(metric) % 5:
            case 0:
                return f"{3000 + (ordinal * 37 + variant * 101) % 600}.{tail}"
            case 1:
                return str((1 + (ordinal * 13 + variant) % 500) << 30)
            case 2:
                return f"{1 + (ordinal * 7919 + variant * 104729) % 9999}{tail}"
            case 3:
                return f"{(ordinal * 31 + variant) % 100}.{ordinal * 271 % 1000:03}{tail}"
            case _:
                return str(1 + (ordinal + variant) % 5)

    @staticmethod
    def tail(period: int) -> str:
        return f"{(period * 7919 + 13) % 1000000:06}"


@dataclass(frozen=True)
class Fault:
    """What goes wrong, with those usage queries that all of the other fields fit (None: any).

    ``hang`` never answers; ``500`` and ``503`` are statuses; ``error`` is
    ``status: error``; ``truncated`` cuts the JSON; ``warning`` and ``partial``
    mark an answer as incomplete; ``nan``, ``huge`` (10^16) and ``absent`` are of the
    scope's samples alone, whoever else is asked about.
    """

    kind: Literal["hang", "500", "503", "error", "truncated", "warning", "partial", "nan", "huge", "absent"]
    scope: str | None = None           # queries that select this scope
    metric: str | None = None
    period: int | None = None
    request: int | None = None         # the n-th usage query, from 1

    def hits(self, asked: Asked) -> bool:
        return (self.metric in (None, asked.metric) and self.period in (None, asked.period)
                and self.request in (None, asked.request) and (self.scope is None or self.scope in asked.scopes))


@dataclass(frozen=True)
class Asked:
    """A usage query: its number from 1, what for, and the scopes that it selects."""

    request: int
    metric: str
    period: int
    labels: tuple[str, ...]
    scopes: tuple[str, ...]


class Refused(Exception):
    """A query that cannot be answered here."""


class Synthetic:
    """The server.  ``faults`` may be changed while it runs; ``asked`` are the usage queries so far.

    ``closed``: whether its ranges hold both their ends, as those of Prometheus 2 do.
    ``counts`` are all requests, by kind; those of a kind in ``hanging`` (usage, guard, begins, scopes ...) get no
    answer.
    """

    def __init__(self, catalogue: Catalogue, faults: Iterable[Fault] = (), *, closed: bool = True) -> None:
        self.catalogue, self.closed = catalogue, closed
        self.faults = list(faults)
        self.hanging: set[str] = set()
        self.latency = 0.0                 # seconds before each answer about usage
        self.asked: list[Asked] = []
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._rows: dict[tuple[str, int, tuple[str, ...]], dict[str, bytes]] = {}
        self._selected: dict[str, tuple[str, ...]] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.source = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Answer until shut down."""
        self._server.serve_forever(poll_interval=0.05)

    def prepare(self) -> None:
        """Make the parts of all answers now rather than when they are asked for."""
        for metric in self.catalogue.metrics:
            for variant in range(VARIANTS):
                self._parts(metric, variant, LABELS)

    # --- what is asked ---------------------------------------------------------------------------

    def answer(self, path: str, parameters: dict[str, str]) -> tuple[int, bytes] | None:
        """Status and body; None where no answer shall be given."""
        if path == "/_stats":
            return 200, json.dumps(dict(self.counts)).encode()
        if path == "/api/v1/query":
            return self._query(parameters["query"], parameters.get("time"))
        if path in ("/api/v1/status/runtimeinfo", "/flags"):         # how long it remembers: it does not tell
            return 404, b""
        values = re.fullmatch(r"/api/v1/label/(.+)/values", path)
        if values:
            self._count("label values")
            known = unquote(values[1]) == self.catalogue.scope_key
            return 200, _success(json.dumps(sorted(self.catalogue.scopes) if known else []).encode())
        self._count("unknown")
        return 404, b""

    def _query(self, text: str, time: str | None) -> tuple[int, bytes] | None:
        at = EPOCH + round(float(time or "0") * 1000) * MILLISECOND
        try:
            if usage := _USAGE.fullmatch(text):
                return self._usage(usage, at)
            return 200, _vector(self._other(text, at))
        except Refused as error:
            return 422, json.dumps({"status": "error", "errorType": "execution", "error": str(error)}).encode()

    def _other(self, text: str, at: datetime) -> Iterable[bytes]:
        stamp = _stamp(at)
        if text == "count_over_time(vector(1)[1m:1m])":
            self._count("edges")
            return [_row({}, stamp, b"2" if self.closed else b"1")]
        if text.startswith("count(count_over_time("):
            self._count("guard")
            return [_row({}, stamp, b"1")] if self._alive(self._period(at)) else []
        if since := _BEGINS.search(text):
            self._count("begins")
            window = EPOCH + round(float(since[1]) * 1000) * MILLISECOND
            first = next((period for period in range(self.catalogue.periods) if self._alive(period)
                          and self.catalogue.begin + (period + 1) * self.catalogue.length > window), None)
            if first is None:
                return []
            begin = max(self.catalogue.begin + first * self.catalogue.length, window)
            return [_row({}, stamp, _stamp(begin))] if begin < min(at, self.catalogue.end) else []
        if text.startswith(f"max by ({self.catalogue.scope_key}) ("):
            self._count("scopes")
            return [_row({self.catalogue.scope_key: scope}, stamp, b"1") for scope in self.catalogue.scopes]
        self._count("unknown")
        raise Refused(f"not understood: {text[:200]}")

    def _usage(self, query: re.Match[str], at: datetime) -> tuple[int, bytes] | None:
        asked = self._asked(query, at)
        faults = [fault for fault in self.faults if fault.hits(asked)]
        kinds = {fault.kind for fault in faults}
        if "hang" in kinds:
            self._ending.wait()
            return None
        self._ending.wait(self.latency)
        for status in ("500", "503"):
            if status in kinds:
                return int(status), b"out of order"
        if "error" in kinds:
            return 200, b'{"status":"error","errorType":"execution","error":"out of order"}'
        remarks = b'"warnings":["half of it is missing"],' if "warning" in kinds else b""
        remarks += b'"isPartial":true,' if "partial" in kinds else b""
        body = _vector(self._usage_rows(asked, faults, at), remarks)
        return 200, body[:len(body) * 2 // 3] if "truncated" in kinds else body

    def _asked(self, query: re.Match[str], at: datetime) -> Asked:
        catalogue = self.catalogue
        length = int(query["length"]) * (MILLISECOND if query["unit"] == "ms" else timedelta(seconds=1))
        over_the_range = query["function"] in ("delta", "deriv", "increase", "rate")
        expected = catalogue.length - MILLISECOND * (self.closed and not over_the_range)
        period = self._period(at)
        if length != expected or at + MILLISECOND != catalogue.begin + (period + 1) * catalogue.length:
            raise Refused(f"[{length}] at {at} is not a period to the millisecond")
        labels = tuple(query["labels"].split(", "))
        if query["metric"] not in catalogue.metrics:
            raise Refused(f"there is no {query['metric']}")
        if "id" not in labels:
            raise Refused("adding up is not understood: group by id")
        scopes = self._scopes(query["matchers"])
        with self._lock:
            self.counts["usage"] += 1
            asked = Asked(self.counts["usage"], query["metric"], period, labels, scopes)
            self.asked.append(asked)
        return asked

    def _scopes(self, matchers: str) -> tuple[str, ...]:
        if matchers not in self._selected:
            if _MATCHER.sub("", matchers):
                raise Refused(f"not understood: {matchers[:200]}")
            scopes: Iterable[str] = self.catalogue.scopes
            for name, operator, quoted in _MATCHER.findall(matchers):
                if name != self.catalogue.scope_key:
                    raise Refused(f"a matcher of {name} is not understood")
                scopes = list(_matching(scopes, operator, json.loads(f'"{quoted}"', strict=False)))
            self._selected[matchers] = tuple(scopes)
        return self._selected[matchers]

    def _period(self, at: datetime) -> int:
        return (at - self.catalogue.begin) // self.catalogue.length

    def _alive(self, period: int) -> bool:
        return 0 <= period < self.catalogue.periods and period not in self.catalogue.silent

    def _count(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] += 1
        if kind in self.hanging:
            self._ending.wait()

    # --- what is answered ------------------------------------------------------------------------

    def _usage_rows(self, asked: Asked, faults: Iterable[Fault], at: datetime) -> Iterator[bytes]:
        if not self._alive(asked.period) or not self.catalogue.series:
            return
        parts = self._parts(asked.metric, asked.period % VARIANTS, asked.labels)
        wrong = {fault.scope: fault.kind for fault in faults if fault.kind in ("nan", "huge", "absent")}
        if wrong:
            kinds = {scope: wrong.get(scope, wrong.get(None)) for scope in asked.scopes}
            answers = [self._wrong(asked, scope, kind) if kind else parts[scope] for scope, kind in kinds.items()]
        else:
            answers = list(map(parts.__getitem__, asked.scopes))
        body = b",".join(filter(None, answers))
        if body:
            yield body.replace(_TIME, _stamp(at)).replace(_TAIL, self.catalogue.tail(asked.period).encode())

    def _wrong(self, asked: Asked, scope: str, kind: str) -> bytes:
        if kind == "absent":
            return b""
        value = b"NaN" if kind == "nan" else b"1e+16"
        labels = (self.catalogue.labels(scope, number) for number in range(self.catalogue.series))
        return b",".join(_row(_only(some, asked.labels), _TIME, value) for some in labels)

    def _parts(self, metric: str, variant: int, labels: tuple[str, ...]) -> dict[str, bytes]:
        """Every scope's rows, with placeholders for what only the period gives."""
        key = metric, variant, tuple(sorted(labels))
        if key not in self._rows:
            catalogue = self.catalogue
            self._rows[key] = {
                scope: b",".join([
                    _row(_only(catalogue.labels(scope, number), labels), _TIME,
                         catalogue.stem(metric, scope, number, variant).encode())
                    for number in range(catalogue.series)
                ]) for scope in catalogue.scopes
            }
        return self._rows[key]


def _matching(scopes: Iterable[str], operator: str, text: str) -> Iterator[str]:
    pattern = re.compile(text) if operator.endswith("~") else None
    for scope in scopes:
        matches = scope == text if pattern is None else pattern.fullmatch(scope) is not None
        if matches != operator.startswith("!"):
            yield scope


def _only(labels: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    wanted = set(names)
    return {name: value for name, value in labels.items() if name in wanted}


def _row(labels: dict[str, str], stamp: bytes, value: bytes) -> bytes:
    text = json.dumps(labels, ensure_ascii=False, separators=(",", ":")).encode()
    return b'{"metric":' + text + b',"value":[' + stamp + b',"' + value + b'"]}'


def _vector(rows: Iterable[bytes], remarks: bytes = b"") -> bytes:
    return _success(b'{"resultType":"vector","result":[' + b",".join(rows) + b"]}", remarks)


def _success(data: bytes, remarks: bytes = b"") -> bytes:
    return b'{"status":"success",' + remarks + b'"data":' + data + b"}"


def _stamp(when: datetime) -> bytes:
    seconds, milliseconds = divmod((when - EPOCH) // MILLISECOND, 1000)
    return (f"{seconds}.{milliseconds:03}" if milliseconds else str(seconds)).encode()


class _Server(ThreadingHTTPServer):
    source: Synthetic
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server                    # type: ignore[assignment]
    reasons: ClassVar = {200: "OK", 404: "Not Found", 422: "Unprocessable Entity", 500: "Internal Server Error",
                         503: "Service Unavailable"}

    def do_GET(self) -> None:
        self._answer(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, encoded: str) -> None:
        parameters = {name: values[-1] for name, values in parse_qs(encoded, keep_blank_values=True).items()}
        answer = self.server.source.answer(urlsplit(self.path).path, parameters)
        if answer is None:
            self.close_connection = True
            return
        status, body = answer
        self.send_response_only(status, self.reasons[status])
        self.send_header("Content-Type", "application/json" if body[:1] in (b"{", b"[") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: what was asked is in ``asked``."""
