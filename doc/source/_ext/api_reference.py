"""The directive ``api-reference``: every URL, as the OpenAPI document of the API itself describes it.

Made when the documentation is built, of the table of routes; no database and
no service has to be there.
"""
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

JSON, CSV = "application/json", "text/csv"
TITLES = {"service": "The service itself", "v1": "/v1", "v2": "/v2"}
Operation = Mapping[str, Any]


def described() -> Mapping[str, Any]:
    """The document, as the API answers it at ``/v2/openapi.json``."""
    from cloudkitty_like.api.counters import Counters
    from cloudkitty_like.api.root import routes
    from cloudkitty_like.app import App, read_configuration

    use_cases = App(read_configuration([os.devnull])).use_cases
    table = routes(use_cases, Counters(), simulation_points=0)
    (own,) = [route for route in table if route.url == "/v2/openapi.json"]
    found: Mapping[str, Any] = own.answers(None)
    return found


def reference(document: Mapping[str, Any]) -> Iterator[str]:
    """Lines of reStructuredText: a section for each tag, in it an entry for each method and path."""
    sections: dict[str, list[tuple[str, Operation]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sections.setdefault(operation["tags"][0], []).append((f"{method.upper()} {path}", operation))
    for tag, operations in sections.items():
        title = TITLES.get(tag, f"/{tag}")
        yield from (title, "=" * len(title), "")
        for name, operation in operations:
            yield from (f"``{name}``", *(f"   {line}" for line in _entry(operation)), "")


def _entry(operation: Operation) -> Iterator[str]:
    yield f"{operation['summary']} {operation.get('description', '')}".strip()
    yield from ("", _answer(operation), "")
    for param in operation.get("parameters", []):
        if param["name"] != "decimal":             # which every GET takes: the page on the API says it once
            yield _argument(param["name"], param["schema"], param["in"], param["required"], param.get("description"))
    body = operation.get("requestBody")
    if body is not None:
        shape = body["content"][JSON]["schema"]
        for name, schema in shape["properties"].items():
            yield _argument(name, schema, "body", name in shape.get("required", []), schema.get("description"))


def _answer(operation: Operation) -> str:
    (status,) = [status for status in operation["responses"] if status[0] in "23"]
    content = operation["responses"][status].get("content", {})
    members = content.get(JSON, {}).get("schema", {}).get("properties", {})
    parts = [f"Answers {status}", ", ".join(f"``{name}``" for name in members), "or CSV" if CSV in content else ""]
    return ": ".join(filter(None, parts[:2])) + (f", {parts[2]}" if parts[2] else "") + "."


def _argument(name: str, schema: Mapping[str, Any], place: str, required: bool, text: str | None) -> str:
    kind = f"{place}, {_kind(schema)}" + (", required" if required else "")
    return f"* ``{name}`` ({kind})" + (f": {text}" if text else "")


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in some words."""
    if "enum" in schema:
        return " or ".join(f"``{word}``" for word in schema["enum"])
    if "anyOf" in schema:
        return "number, or a number as text"
    if schema.get("type") == "array":
        items = schema["items"]
        return "list of name:value" if ":" in items.get("pattern", "") else f"list of {_kind(items)}"
    if schema.get("examples"):
        return "time"
    if "minimum" in schema and schema["minimum"] >= 0:
        return f"integer from {schema['minimum']}" + (
            f" to {schema['maximum']}" if schema["maximum"] < 2**31 - 1 else "")
    return {"string": "text"}.get(schema.get("type", ""), schema.get("type", "anything"))


class ApiReference(SphinxDirective):
    """Puts the reference where it stands."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        place = nodes.section()
        place.document = self.state.document
        nested_parse_with_titles(self.state, StringList(list(reference(described())), source="openapi"), place)
        return place.children


def setup(app: Sphinx) -> Mapping[str, Any]:
    """What Sphinx calls."""
    app.add_directive("api-reference", ApiReference)
    return {"parallel_read_safe": True}
