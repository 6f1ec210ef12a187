"""``/v2/summary``: what was used and what it costs, grouped by anything, for who may see it."""
from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from tests.api.site import IPV6, NOW, Site, used

URL = "/v2/summary"
WHEN = {"begin": "2026-11-01", "end": "2026-12-01"}
NOVEMBER = ["2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"]
EVER = {"begin": "2025-01-01", "end": "2027-01-01"}


def rows(site: Site, user="root", **query):
    return site.get(URL, user, **query)["results"]


def grouped(site: Site, groupby, user="root", **query):
    """Rate, then the group's cells, of each row."""
    return [[row[3], *row[4:]] for row in rows(site, user, groupby=groupby, **query)]


# --- form ---------------------------------------------------------------------------------------

def test_the_default_is_one_row_of_the_current_month_as_a_table(site: Site):
    assert site.get(URL, filters="type:vcpu") == {
        "total": 1, "columns": ["begin", "end", "qty", "rate"], "results": [[*NOVEMBER, 17.0, 11.75]],
        "format": "table"}


def test_a_table_without_rows_has_no_columns(site: Site):
    assert site.get(URL, begin="2026-12-01", groupby="type") == {
        "total": 0, "columns": [], "results": [], "format": "table"}


def test_objects_have_the_columns_as_names(site: Site):
    assert site.get(URL, response_format="object", groupby="type", filters="type:vcpu") == {
        "total": 1, "format": "object",
        "results": [{"begin": NOVEMBER[0], "end": NOVEMBER[1], "qty": 17.0, "rate": 11.75, "type": "vcpu"}]}
    assert site.get(URL, response_format="object", begin="2026-12-01") == {"total": 0, "results": [],
                                                                          "format": "object"}


def test_c29_another_format_is_refused(site: Site):
    assert "response_format" in site.wrong("GET", f"{URL}?response_format=xml")


def test_pages_follow_each_other_by_their_links(site: Site):
    url, found = f"{URL}?groupby=type,project_id,flavor&limit=2", []
    while url:
        page = site.ok("GET", url)
        assert page["total"] == 6
        found += page["results"]
        link = page.get("next", "")
        url = f"{urlsplit(link).path}?{urlsplit(link).query}" if link else ""
    assert found == rows(site, groupby="type,project_id,flavor")
    assert len(found) == 6
    assert site.get(URL, groupby="type", offset=2)["results"] == []
    assert site.get(URL, groupby="type", offset=2)["total"] == 2


def test_s19_a_page_has_a_greatest_length(site: Site):
    for query in ("limit=10001", "limit=0", "offset=-1", "limit=x"):
        site.wrong("GET", f"{URL}?{query}")


def test_csv_has_every_row_and_every_digit(site: Site):
    site.ask("GET", f"{URL}?groupby=project_id,flavor,type&limit=1", accept="text/csv")
    assert site.last.content_type == "text/csv"
    header, *found = csv.reader(site.last.text.splitlines())
    assert header == ["begin", "end", "qty", "rate", "project_id", "flavor", "type"]
    assert len(found) == 6
    assert [*NOVEMBER, "10", "0.000000000001", "alice", "small", "disk"] in found


# --- groups -------------------------------------------------------------------------------------

def test_by_type_and_scope_and_labels_in_the_order_asked_for(site: Site):
    assert grouped(site, "type") == [[1e-12, "disk"], [11.75, "vcpu"]]
    assert grouped(site, "project_id") == [[3.750000000001, "alice"], [8.0, "bob"]]
    assert grouped(site, "project_id,type") == [[1e-12, "alice", "disk"], [3.75, "alice", "vcpu"], [8.0, "bob", "vcpu"]]
    assert grouped(site, ["type", "project_id"])[0] == [1e-12, "disk", "alice"]
    assert grouped(site, "flavor") == [[0.0, "huge"], [6.75, "large"], [5.000000000001, "small"]]
    assert grouped(site, "address,flavor")[:2] == [[0.0, "", "huge"], [4.5, "", "large"]]
    assert grouped(site, "address")[1:] == [[3.5, "10.0.0.1"], [2.25, IPV6]]
    assert grouped(site, "bogus") == [[11.750000000001, ""]]


def test_quantities_of_several_units_are_null_rather_than_added(site: Site):
    assert rows(site) == [[*NOVEMBER, None, 11.750000000001]]
    assert [row[2] for row in rows(site, groupby="project_id")] == [None, 9.0]
    assert [row[2] for row in rows(site, groupby="flavor")] == [4.0, 3.0, None]


def test_by_time_a_row_is_a_rating_period_whole(site: Site):
    assert rows(site, groupby="time", filters="type:vcpu") == [
        ["2026-11-01T00:00:00+00:00", "2026-11-01T01:00:00+00:00", 11.0, 7.25],
        ["2026-11-02T09:00:00+00:00", "2026-11-02T10:00:00+00:00", 2.0, 4.5],
        ["2026-11-05T10:00:00+00:00", "2026-11-05T11:00:00+00:00", 4.0, 0.0]]
    assert rows(site, groupby="time", begin="2026-11-02", end="2026-11-02T09:30", filters="type:vcpu") == [
        ["2026-11-02T09:00:00+00:00", "2026-11-02T10:00:00+00:00", 2.0, 4.5]]
    assert [row[4:] for row in rows(site, groupby="time,project_id,type")] == [
        ["alice", "disk"], ["alice", "vcpu"], ["alice", "vcpu"], ["bob", "vcpu"], ["bob", "vcpu"]]


@pytest.mark.parametrize(("asked", "column", "numbers"), [
    ("time-d", "day_of_the_year", ["305", "306", "309"]), ("time-w", "week_of_the_year", ["44"]),
    ("time-m", "month", ["11"]), ("time-y", "year", ["2026"])])
def test_by_units_of_the_calendar_under_either_name(site: Site, asked, column, numbers):
    found = site.get(URL, groupby=asked, filters="type:vcpu")
    assert found["columns"] == ["begin", "end", "qty", "rate", column]
    assert [row[-1] for row in found["results"]] == numbers
    assert site.get(URL, groupby=column, filters="type:vcpu") == found


def test_c37_two_years_months_are_two_rows(site: Site):
    assert rows(site, groupby="time-m", filters="type:vcpu", **EVER) == [
        ["2026-10-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00", 2.0, 1.0, "10"],
        ["2025-11-01T00:00:00+00:00", "2025-12-01T00:00:00+00:00", 1.0, 0.5, "11"],
        ["2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", 17.0, 11.75, "11"]]
    assert [row[4:] for row in rows(site, groupby="time-y,time-m", **EVER)] == [
        ["2025", "11"], ["2026", "10"], ["2026", "11"]]


def test_units_are_cut_to_the_window_and_to_each_other(site: Site):
    assert [row[:2] for row in rows(site, groupby="time-y", begin="2026-10-15", end="2026-11-10")] == [
        ["2026-10-15T00:00:00+00:00", "2026-11-10T00:00:00+00:00"]]
    assert [row[:2] for row in rows(site, groupby="time-w,time-m", begin="2026-10-25", end="2026-11-10")] == [
        ["2026-10-25T00:00:00+00:00", "2026-11-01T00:00:00+00:00"],
        ["2026-11-01T00:00:00+00:00", "2026-11-08T00:00:00+00:00"]]


def test_c37_an_unknown_unit_is_refused_and_a_label_that_looks_like_one_is_a_label(site: Site):
    assert "time-x" in site.wrong("GET", f"{URL}?groupby=time-x,type")
    assert grouped(site, "uptime-x", filters="type:disk") == [[1e-12, ""]]


def test_columns_of_one_name_are_refused(site: Site):
    site.record("carol", used("2026-11-09T00", "vcpu", "h", (("small", "", "1", "1"),)))
    for query in ("groupby=rate", "groupby=begin", "groupby=type&custom_fields=SUM(qty) AS type"):
        assert "another column" in site.wrong("GET", f"{URL}?{query.replace(' ', '%20')}")
    assert len(rows(site, groupby="rate", custom_fields="SUM(price) AS cost")) == 1


# --- filters ------------------------------------------------------------------------------------

@pytest.mark.parametrize(("filters", "rate"), [
    ("flavor:small", 5.000000000001), ("flavor:small,flavor:large", 11.750000000001),
    (["flavor:small", "flavor:large"], 11.750000000001), ("flavor:large,project_id:bob", 4.5),
    ("type:vcpu,flavor:small", 5.0), ("type:disk,type:vcpu", 11.750000000001), ("project_id:alice", 3.750000000001),
    (f"address:{IPV6}", 2.25), (f"address:{IPV6},address:10.0.0.1", 5.75), ("host:h1,type:vcpu", 11.75)])
def test_c36_filters_of_labels_types_and_scopes(site: Site, filters, rate):
    assert [row[3] for row in rows(site, filters=filters)] == [rate]


@pytest.mark.parametrize("filters", ["flavor:bogus", "type:bogus", "project_id:bogus", "bogus:small", "flavor:",
                                     "type:vcpu,project_id:carol"])
def test_what_nothing_fits_is_no_row(site: Site, filters):
    assert rows(site, filters=filters) == []


@pytest.mark.parametrize("filters", ["flavor", ":small"])
def test_what_is_no_filter_is_refused(site: Site, filters):
    assert site.wrong("GET", f"{URL}?filters={filters}")


def test_c38_a_point_is_in_a_window_by_the_begin_of_its_period(site: Site):
    for begin, end, number in (("00:00:00", "00:00:01", 1), ("00:00:01", "12:00:00", 0), ("00:00:00", "00:00:00", 0)):
        for labels in ({}, {"filters": "flavor:small"}):
            assert len(rows(site, begin=f"2026-11-01T{begin}", end=f"2026-11-01T{end}", groupby="project_id",
                            **labels)) == 2 * number


def test_the_widest_window_is_everything(site: Site):
    assert [row[3] for row in rows(site, begin="0001-01-01", end="9999-12-31T23:59:59")] == [13.250000000001]


# --- numbers ------------------------------------------------------------------------------------

def test_c10_numbers_are_exact_text_on_request(site: Site):
    expected = [[*NOVEMBER, "10", "0.000000000001", "disk"], [*NOVEMBER, "17", "11.75", "vcpu"]]
    assert rows(site, groupby="type", decimal="string") == expected
    found = site.ok("GET", f"{URL}?groupby=type", accept="application/json; decimal=string")
    assert found["results"] == expected
    assert site.ok("GET", f"{URL}?groupby=type&decimal=float", accept="application/json;decimal=string")[
        "results"][1][3] == 11.75
    assert "decimal" in site.wrong("GET", f"{URL}?decimal=exact")


def test_every_function_of_custom_fields(site: Site):
    fields = ("SUM(qty) AS q, sum(price) as p, MIN(qty) AS least, MAX(qty) AS most, AVG(qty) AS mean, COUNT(qty) AS n, "
              "MIN(price) AS cheap, MAX(price) AS dear, AVG(price) AS rate, COUNT(price) AS \"priced points\"")
    found = site.get(URL, custom_fields=fields, filters="type:vcpu", groupby="project_id", decimal="string",
                     response_format="object")["results"]
    assert {name: value for name, value in found[0].items() if name not in ("begin", "end")} == {
        "q": "8", "p": "3.75", "least": "1", "most": "4", "mean": "2.666666666667", "n": 3, "cheap": "1.5",
        "dear": "2.25", "rate": "1.875", "priced points": 2, "project_id": "alice"}


def test_what_has_no_price_has_no_mean_and_no_extremes(site: Site):
    (row,) = rows(site, custom_fields="AVG(price) AS a, MIN(price) AS b, MAX(price) AS c, COUNT(price) AS d",
                  filters="flavor:huge")
    assert row[2:] == [None, None, None, 0]


def test_of_several_units_only_prices_are_answered(site: Site):
    (row,) = rows(site, custom_fields="MIN(qty) AS a, AVG(qty) AS b, COUNT(qty) AS c, MAX(price) AS d",
                  filters="flavor:small")
    assert row[2:] == [None, None, 3, 3.5]


def test_extremes_are_those_of_the_row_for_every_grouping(site: Site):
    for groupby in ("time", "time-m", "time-w,time-y", "project_id,flavor", "address,time-d", "host,type"):
        found = rows(site, groupby=groupby, filters="type:vcpu", decimal="string", **EVER,
                     custom_fields="SUM(qty) AS s, MIN(qty) AS a, MAX(qty) AS b, COUNT(qty) AS n")
        assert found
        for row in found:
            total, least, most, number = map(Decimal, row[2:6])
            assert least <= most
            assert least * number <= total <= most * number
            assert number > 1 or least == most == total


@pytest.mark.parametrize("fields", [
    "qty", "SUM(qty)", "SUM(price) AS", "SUM(host) AS x", "MEDIAN(qty) AS x", "SUM(qty) AS x y", "SUM(qty) AS 1x",
    "SUM(qty) AS x, ", "SUM(qty) AS begin", "SUM(qty) AS x, SUM(price) AS x", "SUM(SUM(qty)) AS x",
    ",".join(f"SUM(qty) AS x{number}" for number in range(21))])
def test_wrong_custom_fields_are_refused(site: Site, fields):
    site.ask("GET", URL)
    assert "custom_fields" in site.wrong("GET", f"{URL}?custom_fields={fields.replace(' ', '%20')}")


@pytest.mark.parametrize("text", [
    "SUM(qty) AS qty FROM dataframes WHERE project_id='bob' --", "*", "1; DROP TABLE dataframes",
    "SUM(qty) AS \"q\"\" FROM x\"", "SUM(qty)/**/AS/**/x", "SUM(qty) AS x) FROM (SELECT 1", "SUM(qty) AS x\n--",
    "(SELECT price FROM point) AS x"])
def test_s3_nothing_of_custom_fields_gets_into_a_query(site: Site, text):
    status, answer = site.ask("GET", f"{URL}?" + "custom_fields=" + "".join(f"%{byte:02x}" for byte in text.encode()),
                              user="alice")
    assert (status, "custom_fields" in answer["message"]) == (400, True)


@pytest.mark.parametrize("text", ["' OR '1'='1", "\" OR \"1\"=\"1", "alice' OR project_id='bob", "x'; DROP TABLE point",
                                  "%", "_", "\\", "a\nb", "🐈", "*"])
def test_s4_names_and_values_are_only_that(site: Site, text):
    before = rows(site)
    for name, value in (("filters", f"flavor:{text}"), ("filters", f"type:{text}"), ("filters", f"project_id:{text}"),
                        ("filters", f"{text}:small")):
        assert rows(site, "alice", **{name: value}) == []
    assert [row[-1] for row in rows(site, "alice", groupby=text)] == [""]
    assert rows(site) == before


# --- as it was ----------------------------------------------------------------------------------

def test_as_of_a_change_by_number_or_time_the_answer_is_what_it_was(site: Site):
    last = site.summary.last_change()
    site.now = NOW + timedelta(hours=1)
    site.record("bob", used("2026-11-02T09", "vcpu", "h", (("large", "", "2", "100"),)))
    assert grouped(site, "project_id")[1] == [103.5, "bob"]
    for as_of in (str(last), "2026-11-20T12:30:00Z", "2026-11-20T13:29:59", "2026-11-20T15:29:59+02:00"):
        assert grouped(site, "project_id", as_of=as_of)[1] == [8.0, "bob"]
        assert grouped(site, "flavor", as_of=as_of)[1] == [6.75, "large"]
    assert grouped(site, "project_id", as_of=str(last + 1))[1] == [103.5, "bob"]


@pytest.mark.parametrize(("as_of", "status"), [
    ("0", 400), ("9999", 400), ("-1", 400), ("yesterday", 400), ("", 400), ("2020-01-01", 404)])
def test_as_of_what_never_was_is_refused(site: Site, as_of, status):
    assert site.wrong("GET", f"{URL}?as_of={as_of}", status=status)


# --- who ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", ["project_id", "tenant", "namespace"])
def test_s11_a_reader_sees_the_own_scope_whatever_is_filtered_for(sqlite, tmp_path, key):
    site = Site(sqlite, tmp_path, scope_key=key).filled()
    own = [[1e-12, "alice", "disk"], [3.75, "alice", "vcpu"]]
    assert grouped(site, f"{key},type", "alice") == own
    assert grouped(site, f"{key},type", "alice", filters=f"{key}:alice") == own
    assert grouped(site, f"{key},type", "alice", filters=f"{key}:alice,{key}:bob") == own
    for filters in (f"{key}:bob", "scope:bob", f"{key}:bob,scope:alice"):
        assert grouped(site, f"{key},type", "alice", filters=filters) == []
    assert [row[3] for row in rows(site, "alice", custom_fields="SUM(qty) AS q, MAX(price) AS m")] == [2.25]


def test_s13_a_caller_without_a_project_sees_nothing(site: Site, sqlite, tmp_path):
    site.wrong("GET", URL, user="nobody", status=403)
    site.wrong("GET", URL, user="guest", status=403)


def test_s13_also_where_the_policy_lets_everybody_in(sqlite, tmp_path):
    site = Site(sqlite, tmp_path, policy='"summary:get_summary": ""\n').filled()
    for query in ({}, {"groupby": "project_id"}, {"filters": "project_id:alice"}, {"filters": "flavor:small"},
                  {"custom_fields": "MAX(qty) AS m"}):
        assert site.get(URL, "nobody", **query) == {"total": 0, "columns": [], "results": [], "format": "table"}


def test_without_a_name_nobody_is_let_in(site: Site):
    assert site.ask("GET", URL, user="")[0] == 401


# --- what is not known --------------------------------------------------------------------------

def test_i8_m10_what_is_not_in_the_sums_is_said_to_those_who_may_see_it(site: Site):
    before = site.get(URL, groupby="project_id")
    site.ok("PUT", "/v2/scope", {"scope_id": "alice", "last_processed_timestamp": "2026-11-20T12:00"})
    missing = "2026-11-20T10:00:00Z to 2026-11-20T12:00:00Z is skipped, of alice"
    found = site.get(URL, groupby="project_id")
    assert found == before | {
        "warnings": [f"not in these sums: {missing}"],
        "holes": [{"begin": "2026-11-20T10:00:00+00:00", "end": "2026-11-20T12:00:00+00:00", "kind": "skipped",
                   "scope_ids": ["alice"], "scopes": 1}]}
    assert "holes" in site.get(URL, "alice")
    for other in ({"user": "bob"}, {"end": "2026-11-20T10:00"}, {"filters": "project_id:bob"}, {"as_of": "5"}):
        assert "holes" not in site.get(URL, **other)
    site.ask("GET", URL, accept="text/csv")
    assert site.last.headers["X-Rating-Holes"] == "1"


# --- what was probably not meant ------------------------------------------------------------------

def test_i8_m17_a_label_that_no_point_has_is_warned_of(site: Site):
    answer = site.get(URL, **WHEN, groupby=["type", "flavour", "time-d"])
    assert answer["warnings"] == ["groupby: no point has a label 'flavour'; did you mean 'flavor'?"]
    assert answer["total"] > 0
    assert site.get(URL, **WHEN, groupby="zzz", response_format="object")["warnings"] == [
        "groupby: no point has a label 'zzz'"]
    assert site.get(URL, **WHEN, groupby="zzz", filters="type:nothing")["warnings"]


@pytest.mark.parametrize("groupby", ["type", "project_id", "scope", "time", "time-w", "flavor", "image", "host", ""])
def test_i8_m17_there_is_no_warning_of_what_a_point_or_a_metric_has(site: Site, groupby):
    assert "warnings" not in site.get(URL, **WHEN, groupby=groupby) if groupby else site.get(URL, **WHEN)


def test_i8_m17_a_begin_after_the_end_is_refused_and_an_empty_window_is_empty(site: Site):
    for url in (URL, "/v2/dataframes", "/v2/explanations", "/v2/history"):
        assert site.wrong("GET", f"{url}?begin=2026-11-02T00:00:00&end=2026-11-01T23:59:59") == (
            "begin: 2026-11-02T00:00:00Z is after end, 2026-11-01T23:59:59Z")
    assert site.get(URL, begin="2026-11-02T00:00:00", end="2026-11-02T00:00:00")["total"] == 0
    # As the dashboard asks for a day, and for the month up to today.
    assert site.get(URL, begin="2026-11-01T00:00:00", end="2026-11-01T23:59:59", groupby="type")["total"] == 2
    assert site.get(URL, begin="2026-11-01T00:00:00", end="2026-11-20T23:59:59", groupby="type")["total"] == 2


def test_i8_m15_a_page_has_ten_thousand_rows_at_most(site: Site):
    assert site.get(URL, **WHEN, limit=10_000)["total"] == 1
    for url in (URL, "/v2/dataframes", "/v2/scope"):
        assert site.wrong("GET", f"{url}?limit=10001") == "limit: 10001 is not from 1 to 10000"
