"""From a request to a controller's method: URL, identity, policy, arguments, answer; and every error to its status."""
from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from time import perf_counter
from typing import Any

from oslo_context.context import RequestContext
from webob import Request, Response
from webob.acceptparse import create_accept_encoding_header, create_accept_header

from cloudkitty_like.api import body, errors, identity, render
from cloudkitty_like.api.context import CSV, JSON, XML, Context, RouteAnswer
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.params import Param, arguments
from cloudkitty_like.api.policies import Policy
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.service.access import Caller

Target = Callable[[Mapping[str, Any], Caller], str | None]
"""From a request's arguments to the project that it is about."""

DECIMAL = "decimal"                    # the argument that says how numbers are wanted
GZIP_FROM = 1400                       # bytes; below, an answer fits a packet anyway


def own_project(values: Mapping[str, Any], caller: Caller) -> str | None:
    """The target of a rule where a request is not about anybody in particular."""
    return caller.project_id


@dataclass(frozen=True)
class Route:
    """A URL, a method, what answers it, and the policy rule that has to allow it.

    ``{name}`` in the URL is an argument, ``[...]`` at its end may be missing.
    ``rule`` '' is for what everybody may see, also without a token where ``url``
    is public.
    """

    method: str
    url: str
    answers: Callable[..., Any]
    rule: str
    status: int = 200
    target: Target = own_project
    hidden: bool = False               # answered, and not in the documentation

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    @property
    def params(self) -> Mapping[str, Param]:
        params: Mapping[str, Param] = getattr(self.answers, "takes", {})
        return params

    @property
    def shape(self) -> Mapping[str, Any]:
        """The JSON Schema of the answer."""
        schema: Mapping[str, Any] = getattr(self.answers, "shape", {})
        return schema

    @property
    def csv(self) -> bool:
        """Whether it can be had as CSV."""
        return bool(getattr(self.answers, "csv", False))

    @property
    def statuses(self) -> Sequence[int]:
        """Those that come with this shape."""
        return (self.status, *getattr(self.answers, "statuses", ()))

    @property
    def content_type(self) -> str:
        """Of the answer, where nothing else was asked for."""
        return str(getattr(self.answers, "content_type", JSON))

    @property
    def patterns(self) -> Iterator[tuple[str, ...]]:
        """The URL's segments, with and without what may be missing."""
        required, _, optional = self.url.rstrip("]").partition("[")
        yield tuple(required.strip("/").split("/"))
        if optional:
            yield tuple((required + optional).strip("/").split("/"))


class Router:
    """Finds the route of a method and a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            for pattern in route.patterns:
                self._by_length.setdefault(len(pattern), []).append((pattern, route))
        # what is written out before what stands for anything
        for pairs in self._by_length.values():
            pairs.sort(key=lambda pair: [segment.startswith("{") for segment in pair[0]])

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the arguments in the path; NotFound, or MethodNotAllowed."""
        segments = tuple(path.strip("/").split("/"))
        allowed: list[str] = []
        for pattern, route in self._by_length.get(len(segments), ()):
            values = _matched(pattern, segments)
            if values is None:
                continue
            if route.method == method or (route.method == "GET" and method == "HEAD"):
                return route, values
            allowed.append(route.method)
        if allowed:
            raise errors.UnknownMethod(sorted(set(allowed)))
        raise NotFound("there is nothing at this URL")


def _matched(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for part, segment in zip(pattern, segments, strict=True):
        if part.startswith("{"):
            if not segment:
                return None
            values[part[1:-1]] = segment
        elif part != segment:
            return None
    return values


@dataclass(frozen=True)
class RequestLimits:
    """What a request may cost."""

    body_bytes: int = 10 * 2**20


class Dispatcher:
    """Answers requests by a table of routes."""

    def __init__(self, routes: Sequence[Route], policy: Policy, strategy: str, clock: Callable[[], datetime],
                 limits: RequestLimits, counters: Counters) -> None:
        self._router, self._policy, self._strategy = Router(routes), policy, strategy
        self._clock, self._limits, self._counters = clock, limits, counters
        counters.name([str(route) for route in routes])

    def __call__(self, request: Request) -> Response:
        began = perf_counter()
        credentials = identity.request_context(request.environ, self._strategy)
        route: Route | None = None
        try:
            route, in_path = self._router.find(request.method, _path(request))
            response = self._answered(request, route, in_path, credentials)
        except Exception as error:
            response = self._failed(request, error, credentials.request_id or "")
        self._counters.count("" if route is None else str(route), response.status_int, perf_counter() - began)
        return response

    def _answered(self, request: Request, route: Route, in_path: Mapping[str, str],
                  credentials: RequestContext) -> Response:
        caller = identity.caller(credentials, self._policy)
        if route.target is own_project:
            # Before anything is read: what is wrong with it is nobody's business who may not call this.
            self._authorize(route, {}, caller, credentials)
        in_url = _in_url(request, in_path)
        if route.target is not own_project:
            # Whose it is may stand in the body too, which nobody reads for a caller who may not even ask this.
            url_values = {name: value for name, value in in_url.items() if name != DECIMAL}
            self._authorize(route, arguments(route.params, url_values), caller, credentials)
        raw_values = in_url | body.given(request, self._limits.body_bytes)
        exact = _exact(request, raw_values)
        values = arguments(route.params, raw_values)
        if route.target is not own_project:
            self._authorize(route, values, caller, credentials)
        context = Context(
            caller=caller, authorize=lambda rule, target: self._policy.authorize(rule, credentials, target),
            url=request.application_url, path=request.path_url, query=request.query_string, accepts=_accepts(request),
            exact=exact, now=self._clock(), request_id=credentials.request_id or "")
        answer = route.answers(context, **values)
        if not isinstance(answer, RouteAnswer):
            answer = RouteAnswer(answer, route.status)
        return _response(request, answer, context.accepts if request.path_info.startswith("/v1") else JSON)

    def _authorize(self, route: Route, values: Mapping[str, Any], caller: Caller, credentials: RequestContext) -> None:
        if route.rule:
            self._policy.authorize(route.rule, credentials, {"project_id": route.target(values, caller)})

    def _failed(self, request: Request, error: Exception, request_id: str) -> Response:
        fault = request.environ.get("PATH_INFO", "").startswith("/v1/")
        content = errors.body(error, fault=fault, request_id=request_id)
        headers = {"Allow": ", ".join(error.allowed)} if isinstance(error, errors.UnknownMethod) else {}
        return _response(request, RouteAnswer(content, errors.status(error), headers), JSON)


def _in_url(request: Request, in_path: Mapping[str, str]) -> dict[str, list[Any]]:
    """The arguments by name: of the path and of the query, which hides the path."""
    query: dict[str, list[Any]] = {}
    try:
        for name, value in request.GET.items():
            query.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        raise Invalid("the query is not text in UTF-8") from None
    return {**{name: [value] for name, value in in_path.items()}, **query}


def _path(request: Request) -> str:
    try:
        path: str = request.path_info
    except UnicodeDecodeError:
        raise NotFound("the URL is not text in UTF-8") from None
    return path


def _exact(request: Request, raw_values: dict[str, list[Any]]) -> bool:
    """Whether numbers are wanted as text: ``decimal=string`` in the query, or as a parameter of Accept."""
    forms = raw_values.pop(DECIMAL, [])
    for value in forms:
        if value not in ("string", "float"):
            raise Invalid("decimal: it is 'string' or 'float'")
    if forms:
        return bool(forms[-1] == "string")
    return bool(re.search(r";\s*decimal\s*=\s*\"?string\b", request.headers.get("Accept", "")))


def _accepts(request: Request) -> str:
    header = request.headers.get("Accept", "")
    if not header or "json" in header or header == "*/*":
        return JSON
    try:
        offers = create_accept_header(header).acceptable_offers([JSON, CSV, XML, "text/xml"])
    except ValueError:
        return JSON
    offer = offers[0][0] if offers else JSON
    return XML if offer == "text/xml" else offer


def _unpacks(request: Request) -> bool:
    header = request.headers.get("Accept-Encoding", "")
    return "gzip" in header and bool(create_accept_encoding_header(header).acceptable_offers(["gzip"]))


def _response(request: Request, answer: RouteAnswer, accepts: str) -> Response:
    headers = dict(answer.headers or {})
    if answer.status == 204 or (answer.body is None and answer.status in (301, 302)):
        response = Response(status=answer.status, headerlist=list(headers.items()))
        response.content_type = None
        return response
    content_type = answer.content_type
    if isinstance(answer.body, Iterator):
        # Its first piece is made now, while what goes wrong can still be said.
        first = next(answer.body, b"")
        kind = content_type if content_type == JSON else f"{content_type}; charset=utf-8"
        # A generator: of anything else Pecan would take the whole to see whether it is empty.
        pieces = (piece for piece in chain([first], answer.body))
        return Response(status=answer.status, app_iter=pieces, headerlist=[*headers.items(), ("Content-Type", kind)])
    if isinstance(answer.body, bytes):
        content = answer.body
    elif accepts == XML:
        content, content_type = render.xml_bytes(answer.body), XML
    else:
        content = render.json_bytes(answer.body)
    headers["Content-Type"] = content_type if content_type == JSON else f"{content_type}; charset=utf-8"
    if len(content) >= GZIP_FROM:
        headers["Vary"] = "Accept-Encoding"
        if _unpacks(request):
            content = gzip.compress(content, 5)
            headers["Content-Encoding"] = "gzip"
    return Response(status=answer.status, body=content, headerlist=list(headers.items()))
