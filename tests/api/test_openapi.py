"""The API's description of itself, against OpenAPI and against what the service answers."""
from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import update

from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.root import routes
from cloudkitty_like.db.tables import reprocess_task
from tests.api.site import Site

URL = "/v2/openapi.json"
HASHMAP = "/v1/rating/module_config/hashmap"
SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"
OPERATION = {
    "type": "object", "required": ["operationId", "summary", "tags", "responses"], "additionalProperties": False,
    "properties": {
        "operationId": {"type": "string", "pattern": r"^\w+$"},
        "summary": {"type": "string", "pattern": r"^[A-Z0-9].*\.$"},
        "security": {"type": "array"}, "description": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "parameters": {"type": "array", "items": {
            "type": "object", "required": ["name", "in", "required", "schema"], "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "in": {"enum": ["path", "query"]},
                           "required": {"type": "boolean"}, "schema": {"type": "object"},
                           "description": {"type": "string"}, "style": {"const": "form"},
                           "explode": {"type": "boolean"}}}},
        "requestBody": {"type": "object", "required": ["required", "content"], "properties": {
            "required": {"type": "boolean"}, "content": {"$ref": "#/$defs/content"}}},
        "responses": {"type": "object", "minProperties": 2, "patternProperties": {"^[1-5][0-9]{2}$": {
            "type": "object", "required": ["description"], "additionalProperties": False,
            "properties": {"description": {"type": "string", "minLength": 1},
                           "headers": {"type": "object"}, "content": {"$ref": "#/$defs/content"}}}},
            "additionalProperties": False},
    }}
DOCUMENT = {
    "type": "object", "required": ["openapi", "info", "paths", "components"], "additionalProperties": False,
    "$defs": {"content": {"type": "object", "minProperties": 1, "additionalProperties": {
        "type": "object", "required": ["schema"], "additionalProperties": False,
        "properties": {"schema": {"type": "object"}}}}},
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "paths": {"type": "object", "additionalProperties": False, "patternProperties": {"^/": {
            "type": "object", "minProperties": 1, "additionalProperties": False,
            "patternProperties": {"^(get|put|post|patch|delete)$": OPERATION}}}},
        "components": {"type": "object"},
    }}
"""The part of OpenAPI 3.1 that we use."""


@pytest.fixture
def document(site: Site):
    return site.get(URL)


def operations(document):
    return {(method.upper(), path): operation for path, found in document["paths"].items()
            for method, operation in found.items()}


def validate(answer, schema, document):
    """The answer against its schema, with the document's components in reach."""
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer)


def test_it_is_openapi(document):
    Draft202012Validator(DOCUMENT).validate(document)


def test_every_schema_in_it_is_a_json_schema(document):
    for operation in operations(document).values():
        contents = [part.get("content", {}) for part in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        schemas = [one["schema"] for content in contents for one in content.values()]
        for schema in [*schemas, *(one["schema"] for one in operation.get("parameters", []))]:
            Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document):
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)


def test_what_is_in_braces_is_a_parameter_of_the_path_and_the_other_way_round(document):
    for (_, path), operation in operations(document).items():
        declared = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert declared == re.findall(r"{(\w+)}", path)
        assert all(one["required"] for one in operation.get("parameters", []) if one["in"] == "path")


def test_every_route_is_in_it_with_its_status_rule_and_parameters(site: Site, document):
    known, seen = operations(document), set()
    for route in routes(site.use_cases(), Counters(), 0):
        if route.hidden:
            continue
        for pattern in route.patterns:
            where = (route.method, "/" + "/".join(pattern))
            seen.add(where)
            operation = known[where]
            assert str(route.status) in operation["responses"]
            assert route.rule in operation.get("description", "")
            declared = {one["name"] for one in operation.get("parameters", [])}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            declared |= set(body.get("schema", {}).get("properties", {}))
            shown = {name for name, param in route.params.items() if not param.hidden}
            assert shown <= declared, where
    assert seen == known.keys()


def test_every_parameter_of_a_query_is_known_to_the_service(site: Site, document):
    for (method, path), operation in operations(document).items():
        names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        if names:
            url = re.sub("{.*?}", "x", path) + "?" + "&".join(f"{name}=%00" for name in names)
            _, answer = site.ask(method, url)
            assert "no such argument" not in str(answer)


# --- what is answered ---------------------------------------------------------------------------

def samples(site: Site):
    """A request for every operation that answers with a body, in an order in which they all go well."""
    service = site.ok("POST", f"{HASHMAP}/services", {"name": "vcpu"})["service_id"]
    field = site.ok("POST", f"{HASHMAP}/fields", {"name": "flavor", "service_id": service})["field_id"]
    group = site.ok("POST", f"{HASHMAP}/groups", {"name": "g"})["group_id"]
    mapping = {"field_id": field, "value": "m1", "cost": "0.1", "group_id": group, "start": "2026-12-01"}
    threshold = {"service_id": service, "level": "10", "cost": "0.1", "group_id": group}
    script = site.ok("POST", SCRIPTS, {"name": "s", "data": "a = 0"})["script_id"]
    ids = {"script_id": script, "service_id": service, "field_id": field, "group_id": group,
           "mapping_id": site.ok("POST", f"{HASHMAP}/mappings", mapping)["mapping_id"],
           "threshold_id": site.ok("POST", f"{HASHMAP}/thresholds", threshold)["threshold_id"],
           "metric_name": "vcpu", "service": "compute", "collector": "c", "name": "noop", "module_id": "noop",
           "which": "1"}
    wish = {"scope_ids": ["alice"], "start_reprocess_time": "2026-11-01", "end_reprocess_time": "2026-11-01",
            "reason": "why"}
    site.ok("POST", "/v2/task/reprocesses", wish)
    with site.database.write() as tx:              # as a worker does it
        tx.execute(update(reprocess_task).values(due=reprocess_task.c.end, ended_at=site.now, changed=1))
    site.ok("POST", "/v1/collector/mappings/c/compute")
    bodies = {
        ("POST", "/v1/rating/quote"): {"resources": [{"service": "vcpu", "volume": 1, "desc": {"flavor": "m1"}}]},
        ("POST", "/v2/rating/simulations"): {"begin": "2026-11-01", "end": "2026-11-10", "scope_ids": ["alice"],
                                             "rules": "services: {vcpu: [{cost: 2}]}"},
        ("POST", f"{HASHMAP}/services"): {"name": "other"},
        ("POST", f"{HASHMAP}/fields"): {"name": "other", "service_id": service},
        ("POST", f"{HASHMAP}/groups"): {"name": "other"},
        ("POST", f"{HASHMAP}/services/{{service_id}}/fields"): {"name": "third"},
        ("POST", f"{HASHMAP}/services/{{service_id}}/mappings"): {"cost": "1", "start": "2026-12-01"},
        ("POST", f"{HASHMAP}/mappings"): mapping | {"value": "m2"},
        ("POST", f"{HASHMAP}/thresholds"): threshold | {"level": "20"},
        ("POST", SCRIPTS): {"name": "other", "data": "a = 0", "order": 1, "start": "2026-12-01"},
        ("PUT", SCRIPTS): {"script_id": script, "name": "s"},
        ("PUT", f"{SCRIPTS}/{{script_id}}"): {"data": "a = 0"},
        ("POST", "/v1/collector/mappings"): {"service": "compute", "collector": "c"},
        ("PUT", "/v1/collector/states"): {"name": "c", "enabled": True},
        ("PUT", "/v1/collector/states/{name}"): {"enabled": True},
        ("PUT", "/v1/collector/{name}/states"): {"enabled": True},
        ("PUT", "/v2/scope"): {"scope_id": ["alice"], "last_processed_timestamp": "2026-11-10"},
        ("PATCH", "/v2/scope"): {"scope_id": "alice", "active": True},
        ("POST", "/v2/scope"): {"scope_id": "new", "last_processed_timestamp": "2026-11-01"},
        ("POST", "/v2/task/reprocesses"): wish | {"scope_ids": ["bob"]},
        ("POST", "/v2/task/reprocesses/{which}/undo"): {"reason": "why not"},
    }
    return ids, bodies


QUERIES = {f"{HASHMAP}/fields": ("service_id",), f"{HASHMAP}/thresholds": ("service_id",),
           f"{HASHMAP}/groups/mappings": ("group_id",), f"{HASHMAP}/groups/thresholds": ("group_id",),
           f"{HASHMAP}/mappings/group": ("mapping_id",), f"{HASHMAP}/thresholds/group": ("threshold_id",),
           "/v1/collector/states": ("name",)}


NO_JSON = {("GET", "/metrics"), ("GET", "/v1/collector"), ("GET", "/v1/rating/reload_modules")}


def expected(operation):
    """The status of success, and the schema of its JSON; None where there is none."""
    status = next(one for one in operation["responses"] if one[0] in "23")
    content = operation["responses"][status].get("content", {})
    return int(status), content.get("application/json", {}).get("schema")


def test_every_success_is_of_the_shape_that_is_declared(site: Site, document):
    ids, bodies = samples(site)
    unchecked = set()
    for (method, path), operation in sorted(operations(document).items()):
        status, schema = expected(operation)
        body = bodies.get((method, path))
        if schema is None or "module_config/{name}" in path or ("requestBody" in operation and body is None):
            unchecked.add((method, path))
            continue
        url = re.sub(r"{(\w+)}", lambda found: ids[found[1]], path)
        query = "&".join(f"{name}={ids[name]}" for name in QUERIES.get(path, ()))
        found, answer = site.ask(method, f"{url}?{query}", *([] if body is None else [body]))
        assert found == status, (method, url, answer)
        validate(answer, schema, document)
        if body is not None:
            validate(body, operation["requestBody"]["content"]["application/json"]["schema"], document)
    silent = {where for where in unchecked if where[0] in ("PUT", "DELETE") or "module_config/{name}" in where[1]}
    assert unchecked - silent == NO_JSON | {("POST", "/v2/dataframes")}


@pytest.mark.parametrize(("method", "url", "user"), [
    ("GET", "/v1/info/metrics/bogus", "root"), ("POST", "/v1/rating/quote", "root"),
    ("GET", "/v1/rating/modules", "bob"),
    ("GET", "/v2/summary?limit=0", "root"), ("DELETE", "/v2/scope", "root"), ("GET", "/v2/scope", "alice"),
    ("GET", "/v2/bogus", "root")])
def test_every_error_is_of_the_shape_that_is_declared(site: Site, document, method, url, user):
    status, answer = site.ask(method, url, user=user)
    assert status >= 400
    validate(answer, document["components"]["schemas"]["Fault" if url.startswith("/v1/") else "Message"], document)


def test_scripts_without_their_texts_are_of_their_shape(site: Site, document):
    schema = operations(document)["GET", SCRIPTS]["responses"]["200"]["content"]["application/json"]["schema"]
    site.ok("POST", SCRIPTS, {"name": "s", "data": "a = 0"})
    validate(site.get(f"{SCRIPTS}?no_data=true"), schema, document)


def test_a_url_that_is_only_there_to_refuse_is_not_in_it(document):
    assert [path for path in document["paths"] if "billing" in path or path.endswith(("pyscripts", "/script"))] == []


def test_a_summary_is_of_its_shape_in_every_form(site: Site, document):
    schema = operations(document)["GET", "/v2/summary"]["responses"]["200"]["content"]["application/json"]["schema"]
    for query in ("", "groupby=type&limit=1", "response_format=object", "decimal=string", "begin=2030-01-01"):
        validate(site.ok("GET", f"/v2/summary?{query}"), schema, document)
