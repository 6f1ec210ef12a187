"""``/v1/report`` and ``/v1/storage``: exactly what the ledger holds, and only what the caller may see."""
from __future__ import annotations

import json

import pytest

from cloudkitty_like.domain.errors import Unavailable
from tests.api.site import BrokenStorage, Site, broken

NOVEMBER = {"begin": "2026-11-01T00:00:00", "end": "2026-12-01T00:00:00"}
each_slash = pytest.mark.parametrize("slash", ["", "/"])


def summary(site: Site, user="root", **query):
    return [(row["tenant_id"], row["res_type"], row["rate"])
            for row in site.get("/v1/report/summary", user, **query)["summary"]]


def unnamed(answer):
    """A summary without the tenant, which is only named to who asked for it."""
    return [row | {"tenant_id": ""} for row in answer["summary"]] if "summary" in answer else answer


# --- tenants ------------------------------------------------------------------------------------

@each_slash
def test_c32_tenants_are_those_with_usage_then(site: Site, slash):
    url = f"/v1/report/tenants{slash}"
    assert site.get(url) == ["alice", "bob"]
    assert site.get(url, begin="2026-10-01", end="2026-11-01") == ["alice"]
    assert site.get(url, begin="2026-11-02", end="2026-11-03") == ["bob"]
    assert site.get(url, begin="2026-12-01") == []
    assert site.get(url, begin="2026-11-02", end="2026-11-02") == []
    site.wrong("GET", "/v1/report/tenants", user="alice", status=403)


# --- totals -------------------------------------------------------------------------------------

@each_slash
def test_a_total_is_exact_text(site: Site, slash):
    url = f"/v1/report/total{slash}"
    assert site.get(url, "alice") == "3.750000000001"
    assert site.get(url, "bob") == "8"
    assert site.get(url, all_tenants=1) == "11.750000000001"
    assert site.get(url, tenant_id="bob") == "8"
    assert site.get(url, "alice", service="disk") == "0.000000000001"
    assert site.get(url, all_tenants=1, service="nothing") == "0"
    assert site.get(url, all_tenants=1, begin="2026-12-01") == "0"
    assert site.get(url, all_tenants=1, begin="2027-01-01", end="2026-01-01") == "0"


def test_without_a_tenant_it_is_the_callers_own(site: Site):
    assert site.get("/v1/report/total") == "0"


@pytest.mark.parametrize("url", ["/v1/report/total", "/v1/report/summary", "/v1/storage/dataframes"])
def test_a_reader_sees_the_own_project_and_no_other(site: Site, url):
    assert unnamed(site.get(url, "alice")) == unnamed(site.get(url, "alice", tenant_id="alice"))
    site.wrong("GET", f"{url}?tenant_id=bob", user="alice", status=403)
    site.wrong("GET", url, user="guest", status=403)


@pytest.mark.parametrize("url", ["/v1/report/total", "/v1/report/summary"])
def test_c27_all_tenants_false_is_false(site: Site, url):
    for text in ("false", "0", "no", ""):
        assert site.get(url, "alice", all_tenants=text) == site.get(url, "alice")
    site.wrong("GET", f"{url}?all_tenants=true", user="alice", status=403)


@pytest.mark.parametrize("url", ["/v1/report/total", "/v1/report/summary", "/v1/storage/dataframes"])
def test_s13_a_caller_without_a_project_sees_nothing(site: Site, sqlite, tmp_path, url):
    for query in ("", "?tenant_id=", "?tenant_id=None", "?tenant_id=alice"):
        site.wrong("GET", url + query, user="nobody", status=403)


@pytest.mark.parametrize(("url", "nothing"), [
    ("/v1/report/total", "0"), ("/v1/report/summary", {"summary": []}), ("/v1/storage/dataframes", {"dataframes": []})])
def test_s13_a_policy_that_allows_everybody_shows_nobody_what_is_not_theirs(sqlite, tmp_path, url, nothing):
    names = ("report:get_total", "report:get_summary", "storage:list_data_frames")
    site = Site(sqlite, tmp_path, policy="".join(f'"{name}": ""\n' for name in names)).filled()
    assert site.get(url, "nobody") == nothing
    site.wrong("GET", f"{url}?tenant_id=bob", user="alice", status=403)
    if "storage" not in url:
        assert site.get(url, "nobody", all_tenants=1) == nothing
        assert site.get(url, "alice", all_tenants=1) == site.get(url, "alice")


@pytest.mark.parametrize("url", ["/v1/report/total", "/v1/report/summary", "/v1/storage/dataframes"])
def test_s11_it_is_the_same_whatever_scopes_are_called(sqlite, tmp_path, url):
    site = Site(sqlite, tmp_path, scope_key="tenant").filled()
    assert unnamed(site.get(url, "alice")) == unnamed(site.get(url, tenant_id="alice"))
    site.wrong("GET", f"{url}?tenant_id=bob", user="alice", status=403)


def test_without_authentication_everybody_sees_everything(sqlite, tmp_path):
    site = Site(sqlite, tmp_path, strategy="noauth").filled()
    assert site.get("/v1/report/total") == "11.750000000001"
    assert len(site.get("/v1/storage/dataframes")["dataframes"]) == 5


# --- summaries ----------------------------------------------------------------------------------

@each_slash
def test_a_summary_has_all_placeholders_and_the_bounds_asked_for(site: Site, slash):
    assert site.get(f"/v1/report/summary{slash}", all_tenants="true") == {"summary": [
        {**NOVEMBER, "tenant_id": "ALL", "res_type": "ALL", "rate": "11.750000000001"}]}


def test_it_is_grouped_by_tenant_by_type_by_both_in_either_order(site: Site):
    assert summary(site, all_tenants=1, groupby="tenant_id") == [
        ("alice", "ALL", "3.750000000001"), ("bob", "ALL", "8")]
    assert summary(site, all_tenants=1, groupby="res_type") == [
        ("ALL", "disk", "0.000000000001"), ("ALL", "vcpu", "11.75")]
    both = [("alice", "disk", "0.000000000001"), ("alice", "vcpu", "3.75"), ("bob", "vcpu", "8")]
    assert summary(site, all_tenants=1, groupby="tenant_id,res_type") == both
    assert summary(site, all_tenants=1, groupby="res_type,tenant_id") == both
    assert summary(site, all_tenants=1, groupby="bogus") == summary(site, all_tenants=1)


def test_what_is_asked_for_alone_is_named(site: Site):
    assert summary(site, tenant_id="bob", service="vcpu") == [("bob", "vcpu", "8")]
    assert summary(site, "alice") == [("ALL", "ALL", "3.750000000001")]


def test_no_usage_is_an_empty_list(site: Site):
    assert summary(site, all_tenants=1, begin="2026-12-01", end="2027-01-01") == []
    assert summary(site, all_tenants=1, begin="2026-11-02", end="2026-11-01") == []
    assert summary(site) == []


def test_c29_bad_arguments_are_400(site: Site):
    for query in ("begin=yesterday", "end=2026-13-01", "all_tenants=perhaps", "bogus=1"):
        site.wrong("GET", f"/v1/report/summary?{query}")


# --- points -------------------------------------------------------------------------------------

@each_slash
def test_c31_every_point_is_labelled_with_its_own_scope(site: Site, slash):
    frames = site.get(f"/v1/storage/dataframes{slash}")["dataframes"]
    assert [(one["begin"], one["tenant_id"], [(each["service"], each["volume"], each["rating"])
                                              for each in one["resources"]]) for one in frames] == [
        ("2026-11-01T00:00:00", "alice", [("disk", "10", "0.000000000001")]),
        ("2026-11-01T00:00:00", "alice", [("vcpu", "1", "2.25"), ("vcpu", "3", "1.5")]),
        ("2026-11-01T00:00:00", "bob", [("vcpu", "7", "3.5")]),
        ("2026-11-02T09:00:00", "bob", [("vcpu", "2", "4.5")]),
        ("2026-11-05T10:00:00", "alice", [("vcpu", "4", "0")])]


def test_a_points_description_is_its_metadata_and_labels(site: Site):
    (frame,) = site.get("/v1/storage/dataframes", "bob", begin="2026-11-01", end="2026-11-02")["dataframes"]
    assert frame == {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00", "tenant_id": "bob", "resources": [
        {"service": "vcpu", "volume": "7", "rating": "3.5",
         "desc": {"flavor": "small", "address": "10.0.0.1", "host": "h1"}}]}


def test_c38_a_frame_is_in_a_window_by_its_begin(site: Site):
    assert len(site.get("/v1/storage/dataframes", "bob", begin="2026-11-01", end="2026-11-01T00:00:01")[
        "dataframes"]) == 1
    assert site.get("/v1/storage/dataframes", "bob", begin="2026-11-01T00:00:01", end="2026-11-02")["dataframes"] == []


def test_points_of_one_metric_and_of_none(site: Site):
    (frame,) = site.get("/v1/storage/dataframes", resource_type="disk")["dataframes"]
    assert [one["service"] for one in frame["resources"]] == ["disk"]
    assert site.get("/v1/storage/dataframes", resource_type="nothing") == {"dataframes": []}
    assert site.get("/v1/storage/dataframes", begin="2026-12-01") == {"dataframes": []}
    assert site.get("/v1/storage/dataframes", begin="2026-12-01", end="2026-11-01") == {"dataframes": []}


def test_what_cannot_be_read_is_503_before_a_byte_is_sent(site: Site):
    storage = BrokenStorage(frames=broken(Unavailable("the storage failed")))
    site.with_storage(storage)
    site.wrong("GET", "/v1/storage/dataframes", status=503)


def test_what_fails_with_the_first_frame_is_503_before_a_byte_is_sent(site: Site):
    def frames(*_):
        raise Unavailable("the storage failed")
        yield

    storage = BrokenStorage(frames=frames)
    site.with_storage(storage)
    site.wrong("GET", "/v1/storage/dataframes", status=503)


def test_i8_m16_the_separators_are_cloudkittys_whether_it_is_streamed_or_not(site: Site):
    for url in ("/v1/storage/dataframes", "/v1/report/summary?groupby=tenant_id", "/v2/summary", "/", "/v2/scope"):
        answer = site.get(url)
        assert site.last.text == json.dumps(answer, ensure_ascii=False), url
    assert len(site.get("/v1/storage/dataframes")["dataframes"]) > 1
    site.get("/v1/storage/dataframes?begin=2020-01-01&end=2020-01-02")
    assert site.last.text == '{"dataframes": []}'


def test_i8_m17_a_begin_after_the_end_is_empty(site: Site):
    window = "begin=2026-11-04T00:00:00&end=2026-11-01T00:00:00"
    assert site.get(f"/v1/report/total?{window}") == "0"
    assert site.get(f"/v1/report/summary?{window}") == {"summary": []}
    assert site.get(f"/v1/storage/dataframes?{window}") == {"dataframes": []}
