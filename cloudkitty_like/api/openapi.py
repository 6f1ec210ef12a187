"""``/v2/openapi.json``: OpenAPI 3.1, made from the table of routes and what its methods declare."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudkitty_like import __version__
from cloudkitty_like.api.context import CSV, JSON, XML
from cloudkitty_like.api.identity import HEALTHCHECK, PUBLIC
from cloudkitty_like.api.params import Param
from cloudkitty_like.api.routes import Route

FAULT = {"type": "object", "required": ["faultcode", "faultstring"], "properties": {
    "faultcode": {"enum": ["Client", "Server"]}, "faultstring": {"type": "string"}, "debuginfo": {"type": "null"}}}
MESSAGE = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
REFUSAL = {"type": "object", "required": ["error"], "properties": {"error": {
    "type": "object", "required": ["code", "title", "message"], "properties": {
        "code": {"type": "integer"}, "title": {"type": "string"}, "message": {"type": "string"}}}}}
SECURITY = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token",
              "description": "A project's token, where the service asks Keystone."},
    "password": {"type": "http", "scheme": "basic", "description": "Where the service has passwords of its own."},
}
OPEN = {*PUBLIC, HEALTHCHECK}
LOCATION = {"Location": {"required": True, "schema": {"type": "string"}, "description": "Where it is."}}
WRONG = {
    "400": "Something in the request is wrong; the answer names every argument that is.",
    "401": "There is no token, or none that is valid.", "403": "The caller may not do this.",
    "404": "It names something that does not exist.", "405": "The URL answers other methods.",
    "409": "It contradicts something that exists.", "413": "The body is too large.",
    "415": "The body is not JSON.", "503": "A part of the service does not answer, or not in time.",
}
DECIMAL = {"name": "decimal", "in": "query", "required": False, "schema": {"enum": ["float", "string"]},
           "description": "``string``: numbers as text, with every digit"}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document.  A URL whose end may be missing is two paths in it."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path, names in _paths(route):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cloudkitty-like", "version": __version__, "license": {"name": "Apache-2.0",
                                                                                  "identifier": "Apache-2.0"},
                 "description": "Rating: what was used, what it costs, and why. CloudKitty's API, v1 and v2."},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {"Fault": FAULT, "Message": MESSAGE, "Refusal": REFUSAL},
                       "securitySchemes": SECURITY},
    }


def _paths(route: Route) -> Iterator[tuple[str, list[str]]]:
    """Each path of a route, and the arguments in it."""
    for pattern in route.patterns:
        path = "/" + "/".join(pattern)
        yield path, re.findall(r"{(\w+)}", path)


def _operation(route: Route, path: str, in_path: Sequence[str]) -> dict[str, Any]:
    params = {name: param for name, param in route.params.items() if not param.hidden or name in in_path}
    in_query = route.method == "GET"
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{path}").strip("_"),
        "summary": (route.answers.__doc__ or "").strip().split("\n")[0],
        "tags": [_tag(path)],
        "responses": _responses(route),
    }
    if route.rule:
        operation["description"] = f"Policy rule: ``{route.rule}``."
    places = [_parameter(name, params[name], "path") for name in in_path]
    others = {name: param for name, param in params.items() if name not in in_path}
    if in_query:
        places += [_parameter(name, param, "query") for name, param in others.items()] + [DECIMAL]
    elif others:
        operation["requestBody"] = {"required": any(param.required for param in others.values()),
                                    "content": {JSON: {"schema": _body(others)}}}
    if places:
        operation["parameters"] = places
    if path not in OPEN:
        operation["security"] = [{name: []} for name in SECURITY]
    return operation


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return "/".join(parts[:2]) if parts[0] in ("v1", "v2") else "service"


def _parameter(name: str, param: Param, place: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": place,
                                 "required": place == "path" or param.required,
                                 "schema": param.kind.schema}
    if param.kind.repeatable and place == "query":
        parameter |= {"style": "form", "explode": False}
    if param.text:
        parameter["description"] = param.text
    return parameter


def _body(params: Mapping[str, Param]) -> dict[str, Any]:
    properties = {}
    for name, param in params.items():
        schema = dict(param.kind.schema)
        if param.text:
            schema["description"] = param.text
        # Null is as good as nothing.
        properties[name] = schema if param.required else {"anyOf": [schema, {"type": "null"}]}
    required = [name for name, param in params.items() if param.required]
    return {"type": "object", "properties": properties, "additionalProperties": False,
            **({"required": required} if required else {})}


def _responses(route: Route) -> dict[str, Any]:
    error = _schema("Fault" if route.url.startswith("/v1/") else "Message")
    responses: dict[str, Any] = {
        status: {"description": text, "content": {JSON: {"schema": {
            "401": _schema("Refusal"), "503": {"anyOf": [error, _schema("Refusal")]}}.get(status, error)}}}
        for status, text in WRONG.items()}
    responses["405"]["headers"] = {"Allow": {"required": True, "schema": {"type": "string"}}}
    for status in route.statuses:
        responses[str(status)] = _success(route, status)
    return dict(sorted(responses.items()))


def _success(route: Route, status: int) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "As asked for."}
    if status in (201, 302):
        success["headers"] = LOCATION
    if status not in (204, 302):
        success["content"] = {route.content_type: {"schema": route.shape}}
        if route.csv:
            success["content"][CSV] = {"schema": {"type": "string"}}
        if route.url.startswith("/v1/"):
            success["content"][XML] = {"schema": {}}
    return success


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
