"""From a request to an answer: where arguments come from, what is refused and how that is said."""
from __future__ import annotations

import gzip
import json
import re
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webob import Request

from cloudkitty_like.api.errors import UnknownMethod
from cloudkitty_like.api.routes import Route, Router
from cloudkitty_like.domain.errors import Conflict, NotFound, Unavailable
from tests.api.site import Site, broken

MAPPINGS = "/v1/collector/mappings"
QUOTE = "/v1/rating/quote"


# --- the table ----------------------------------------------------------------------------------

def router():
    return Router([Route("GET", "/a/{name}", print, ""), Route("GET", "/a/new", print, "new"),
                   Route("PUT", "/a[/{name}]", print, ""), Route("POST", "/a/b[/{one}/{two}]", print, "")])


def test_what_is_written_out_comes_before_what_stands_for_anything():
    assert router().find("GET", "/a/new")[0].rule == "new"
    assert router().find("GET", "/a/old/")[1] == {"name": "old"}
    assert router().find("HEAD", "/a/old")[1] == {"name": "old"}


def test_the_end_of_a_url_may_be_missing_but_not_half_of_it():
    assert router().find("PUT", "/a")[1] == {}
    assert router().find("POST", "/a/b/1/2")[1] == {"one": "1", "two": "2"}
    with pytest.raises(NotFound):
        router().find("POST", "/a/b/1")


def test_another_method_says_which_there_are():
    with pytest.raises(UnknownMethod) as raised:
        router().find("PATCH", "/a/b")
    assert raised.value.allowed == ["GET", "POST", "PUT"]


# --- arguments ----------------------------------------------------------------------------------

@pytest.mark.parametrize("slash", ["", "/"])
def test_v1_arguments_come_from_path_query_and_body_with_every_method(site: Site, slash):
    pair = {"collector": "gnocchi", "service": "compute"}
    assert site.ok("POST", f"{MAPPINGS}/gnocchi/compute{slash}") == pair
    assert site.ok("POST", f"{MAPPINGS}{slash}?collector=gnocchi&service=compute") == pair
    assert site.ok("POST", f"{MAPPINGS}{slash}", pair) == pair
    assert site.ok("GET", f"{MAPPINGS}{slash}", {"collector": "none"}) == {"mappings": []}
    assert site.ok("GET", f"{MAPPINGS}/compute{slash}") == pair
    assert site.ask("DELETE", f"{MAPPINGS}{slash}", {"service": "compute"}) == (204, None)
    assert site.ask("DELETE", f"{MAPPINGS}/compute{slash}")[0] == 404
    assert site.ok("PUT", f"/v1/collector/states{slash}", {"name": "gnocchi", "enabled": True})["enabled"]
    assert site.ok("GET", f"/v1/collector/states{slash}?name=gnocchi")["enabled"]


def test_query_and_body_hide_the_path_and_the_body_hides_the_query(site: Site):
    found = site.ok("POST", f"{MAPPINGS}/path/path?collector=query&service=query", {"service": "body"})
    assert found == {"collector": "query", "service": "body"}


def test_every_wrong_argument_is_named_at_once(site: Site):
    text = site.wrong("GET", "/v2/summary?begin=x&end=y&limit=0&offset=-1&response_format=odd&bogus=1")
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "bogus", "begin", "end", "response_format", "offset", "limit"]
    text = site.wrong("GET", "/v1/report/total?begin=x&all_tenants=perhaps&bogus=1")
    assert [line.partition(":")[0] for line in text.splitlines()] == ["bogus", "begin", "all_tenants"]


def test_a_single_argument_given_twice_is_refused(site: Site):
    assert "limit: is given more than once" in site.wrong("GET", "/v2/summary?limit=1&limit=2")


# --- bodies -------------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [
    b"{", b"[]", b'"text"', b"7", b"null", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b"\xff\xfe{}",
    b'{"a": 1e99999999999999999999}', b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}", b'{"\\ud800": 1}',
    b'{"resources": ' + b"[" * 980 + b"]" * 980 + b"}"])
def test_c29_a_body_that_is_no_object_of_json_is_refused(site: Site, body):
    assert site.wrong("POST", QUOTE, body)
    assert site.wrong("PUT", "/v2/scope", body)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/xml", "application/octet-stream", ""])
def test_a_body_that_is_not_called_json_is_refused(site: Site, kind):
    site.wrong("POST", QUOTE, b'{"resources": []}', status=415, content_type=kind)
    site.wrong("POST", "/v2/scope", b"{}", status=415, content_type=kind)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
                                  "application/vnd.api+json"])
def test_json_has_several_names(site: Site, kind):
    assert site.ok("POST", QUOTE, {"resources": []}, content_type=kind) == "0"


def test_s19_a_body_has_a_greatest_size(site: Site):
    site.wrong("POST", QUOTE, b'{"resources": "' + b"x" * 200_000 + b'"}', status=413)
    site.wrong("POST", "/v2/scope", b" " * 200_001, status=413)
    assert site.ok("POST", QUOTE, b'{"resources": []}' + b" " * 199_000) == "0"


# --- what is not there --------------------------------------------------------------------------

@pytest.mark.parametrize("url", ["/v1/nothing", "/v2/nothing", "/v2/summary/more", "/v1/info/metrics/%ff",
                                 "/v2/%C3%28", "/v1/info/metrics/a/b", "/nothing"])
def test_an_unknown_url_is_404(site: Site, url):
    assert site.wrong("GET", url, status=404)


def test_another_method_is_405_and_says_which_there_are(site: Site):
    site.wrong("DELETE", "/v2/scope", status=405)
    assert site.last.headers["Allow"] == "GET, PATCH, POST, PUT"
    site.wrong("POST", "/v1/report/total", {}, status=405)
    assert site.last.headers["Allow"] == "GET"


def test_head_is_get_without_a_body(site: Site):
    assert site.ask("HEAD", "/") == (200, None)
    assert site.ask("HEAD", "/v2/summary") == (200, None)


# --- what goes wrong inside ---------------------------------------------------------------------

def test_s14_a_bug_tells_nothing_but_the_requests_id(site: Site, caplog):
    site.with_use_cases(document=broken(KeyError("secret of the inside")), rating=broken(RuntimeError("another")))
    for method, url, body in (("GET", "/v1/info/config", {}), ("POST", QUOTE, {"resources": []})):
        text = site.wrong(method, url, body, status=500)
        request_id = site.last.headers["x-openstack-request-id"]
        assert text == f"internal error; the log of the service has it under {request_id}"
        assert f"request {request_id} failed" in caplog.text
    assert "secret of the inside" in caplog.text


def test_s14_what_does_not_answer_is_503_and_its_address_is_not_told(site: Site):
    site.with_use_cases(document=broken(Unavailable("postgresql://user:secret@host is gone")))
    assert "secret" not in site.wrong("GET", "/v1/info/config", status=503)


def test_a_conflict_is_409_with_its_hint(site: Site):
    site.with_use_cases(document=broken(Conflict("it is there", hint="take another")))
    assert site.wrong("GET", "/v1/info/config", status=409) == "it is there (take another)"


def test_every_answer_has_the_requests_id(site: Site):
    for url in ("/", "/v2/summary", "/v1/nothing", "/v2/summary?limit=0"):
        site.ask("GET", url)
        assert site.last.headers["x-openstack-request-id"].startswith("req-")


# --- forms of answers ---------------------------------------------------------------------------

def test_v1_answers_xml_where_it_is_asked_for(site: Site):
    site.ask("GET", "/v1/report/summary?all_tenants=1", accept="application/xml")
    assert (site.last.content_type, site.last.xml.find("summary/item/rate").text) == (
        "application/xml", "11.750000000001")
    site.ask("GET", "/v1/storage/dataframes", accept="text/xml")
    assert [one.text for one in site.last.xml.iterfind("dataframes/item/tenant_id")] == ["alice", "alice", "bob",
                                                                                         "bob", "alice"]
    site.ask("GET", "/v1/info/config", accept="application/xml")
    assert site.last.xml.find("metrics/instance/mutate_map/_2").text == "10"


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html,*/*;q=0.8", "not a type", "image/png"])
def test_everything_else_is_answered_in_json(site: Site, accept):
    assert site.ok("GET", "/v1/rating/modules", accept=accept)["modules"]
    assert site.ok("GET", "/v2/rating/modules", accept=accept)["modules"]


def test_a_large_answer_is_compressed_for_who_can_read_that(site: Site):
    plain = site.ok("GET", "/v2/openapi.json")
    headers = {**site.credentials("root"), "Accept-Encoding": "gzip"}
    answer = Request.blank("/v2/openapi.json", headers=headers).get_response(site.app.app)
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert json.loads(gzip.decompress(answer.body)) == plain


NASTY = st.sampled_from([
    "", "x", "-1", "0", "NaN", "9" * 400, "1e400", "null", "true", "'", '"', "a:b", "a,,b", ":", "%", "\0", "\u2028",
    "0001-01-01", "9999-12-31T23:59:59", "2026-11-01T00:00:00+14:00", "2026-11-31", "' OR 1=1 --", "time-x", "scope",
    "type", "time", "SUM(qty) AS qty", "MIN(price) AS begin", "𝔘" * 300, "ALL", "alice", "noop"]) | st.text(max_size=30)
NAMES = ("begin", "end", "groupby", "filters", "custom_fields", "response_format", "offset", "limit", "as_of",
         "decimal", "tenant_id", "service", "all_tenants", "resource_type", "scope_id", "scope_ids", "active", "order",
         "module_id", "enabled", "priority", "name", "collector", "resources", "reason", "last_processed_timestamp",
         "start_reprocess_time", "end_reprocess_time", "all_scopes", "fetcher", "scope_key")


def test_c29_whatever_comes_is_no_error_of_the_server(site: Site):
    document = site.ok("GET", "/v2/openapi.json")
    asked = sorted((method.upper(), path) for path, found in document["paths"].items() for method in found
                   if "hashmap" not in path)

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(asked), st.dictionaries(st.sampled_from(NAMES), NASTY, max_size=4),
           st.none() | st.dictionaries(st.sampled_from(NAMES), NASTY | st.integers() | st.lists(NASTY) | st.floats(),
                                       max_size=4))
    def ask(which, query, body):
        method, path = which
        url = re.sub("{.*?}", "alice", path)
        given = {} if body is None else {"body": json.dumps(body).encode("utf-8", "surrogatepass")}
        status, answer = site.ask(method, f"{url}?{urlencode(query)}", **given)
        assert status < 500, (which, query, body, answer)

    ask()
