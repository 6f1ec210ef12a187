"""Points over HTTP: pages of them, all of them as CSV, and points handed in."""
from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from types import SimpleNamespace

import pytest
from oslo_config import cfg
from webtest import TestApp

from cloudkitty_like.api import options
from cloudkitty_like.api.application import make
from cloudkitty_like.app.use_cases import UseCases
from cloudkitty_like.domain.period import instant
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.wsgi import FILES, LazyApplication
from tests.books import BEGIN, HOUR, NOW, Books, at, usage
from tests.installation import History, Installation

URL = "/v2/dataframes"
WINDOW = {"begin": instant(BEGIN), "end": instant(BEGIN + 10 * HOUR)}


@pytest.fixture
def books(sqlite):
    made = Books(sqlite)
    for scope, cost in (("alice", "0.5"), ("bob", "0.25")):
        for number in range(3):
            period = at(number)
            state = made.scope(scope) if number == 0 else made.state(scope)
            made.ledger.record([RatedPeriod(state, period, (
                usage(period, ("large", "2", cost), ("small", "1.000000000001", None)),
                usage(period, ("large", "7", cost), metric="disk", unit="GiB")))], ruleset=1)
    return made


@pytest.fixture
def app(books):
    conf = cfg.ConfigOpts()
    conf(["--config-file=/dev/null"], project="cloudkitty_like")
    options.register(conf)
    conf.set_override("auth_strategy", "noauth")
    installation = SimpleNamespace(
        database=books.database, storage=books.storage, schema="as needed", clock=lambda: NOW, author="tester",
        period=HOUR, wait_periods=1, scope_key="project_id", collector_name="file", fetcher_name="file",
        metrics=MetricsFile((), "", ""), rating_module=lambda name: None)
    return TestApp(make(UseCases(installation), conf))


def point(qty="1", price="0.1", scope="carol", **labels):
    return {"vol": {"unit": "h", "qty": qty}, "rating": {"price": price},
            "groupby": {"project_id": scope, **labels}, "metadata": {"name": "x"}}


def frames(*points, begin="2026-11-05T10:00:00Z", end="2026-11-05T11:00:00Z", metric="vcpu"):
    return {"dataframes": [{"period": {"begin": begin, "end": end}, "usage": {metric: list(points)}}]}


def test_points_of_a_period_are_one_frame_whatever_scope_and_metric_they_are_of(app):
    found = app.get(URL, WINDOW | {"limit": 6}).json
    assert found["total"] == 18
    assert found["dataframes"] == [{
        "period": {"begin": "2026-10-30T22:00:00+00:00", "end": "2026-10-30T23:00:00+00:00"},
        "usage": {
            "disk": [{"vol": {"unit": "GiB", "qty": 7.0}, "rating": {"price": price}, "groupby": {"flavor": "large"},
                      "metadata": {}} for price in (0.5, 0.25)],
            "vcpu": [piece for price in (0.5, 0.25) for piece in (
                {"vol": {"unit": "h", "qty": 2.0}, "rating": {"price": price}, "groupby": {"flavor": "large"},
                 "metadata": {}},
                {"vol": {"unit": "h", "qty": 1.000000000001}, "rating": {"price": 0.0, "unpriced": True},
                 "groupby": {"flavor": "small"}, "metadata": {}})],
        }}]


def walked(app, **arguments):
    """Quantity and price of every point, page by page as ``next`` leads."""
    found, answer = [], app.get(URL, WINDOW | {"decimal": "string"} | arguments).json
    while True:
        assert sum(len(points) for frame in answer["dataframes"] for points in frame["usage"].values()) <= \
            int(arguments["limit"])
        found += [(frame["period"]["begin"], metric, one["vol"]["qty"], one["rating"]["price"])
                  for frame in answer["dataframes"] for metric, points in frame["usage"].items() for one in points]
        if "next" not in answer:
            return found, answer["total"]
        answer = app.get(answer["next"]).json


@pytest.mark.parametrize("limit", ["1", "4", "5", "18", "100"])
def test_pages_by_next_bring_every_point_once_with_every_digit(app, limit):
    found, total = walked(app, limit=limit)
    assert len(found) == total == 18
    assert sum(Decimal(qty) for *_, qty, _ in found) == 6 * (Decimal(2) + Decimal("1.000000000001") + 7)
    assert sorted(found) == sorted(walked(app, limit="7")[0])


def test_a_page_by_offset_is_that_part_of_the_whole(app):
    assert app.get(URL, WINDOW | {"offset": 16, "limit": 5}).json["total"] == 18
    last = app.get(URL, WINDOW | {"offset": 17}).json["dataframes"]
    assert [frame["usage"].keys() for frame in last] == [{"vcpu"}]


def test_filters_restrict_by_type_scope_and_label(app):
    assert app.get(URL, WINDOW | {"filters": "type:disk"}).json["total"] == 6
    assert app.get(URL, WINDOW | {"filters": "project_id:bob,flavor:small"}).json["total"] == 3
    assert app.get(URL, WINDOW | {"filters": "type:disk,type:vcpu,project_id:bob"}).json["total"] == 9


def test_nothing_is_a_404_as_clients_expect(app):
    for arguments in ({"filters": "type:none"}, {"begin": "2027-01-01", "end": "2027-02-01"}):
        assert app.get(URL, WINDOW | arguments, status=404).json == {
            "message": "No resource found for provided filters."}


def test_wrong_arguments_are_named_all_at_once(app):
    message = app.get(URL, {"begin": "soon", "limit": "0", "offset": "-1", "colour": "red"}, status=400).json["message"]
    for name in ("begin", "limit", "offset", "colour"):
        assert name in message
    assert app.get(URL, {"after": "garbled"}, status=400).json["message"]


def test_all_points_come_as_csv(app):
    answer = app.get(URL, WINDOW, headers={"Accept": "text/csv"})
    assert answer.content_type == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 18
    assert rows[0] == {
        "begin": "2026-10-30T22:00:00+00:00", "end": "2026-10-30T23:00:00+00:00", "scope": "alice", "type": "disk",
        "unit": "GiB", "qty": "7", "price": "0.5", "groupby": "flavor=large", "metadata": ""}
    assert {row["price"] for row in rows if row["groupby"] == "flavor=small"} == {""}     # unpriced is not zero


def test_posted_points_count_once_however_often_they_are_posted(app):
    body = frames(point(price="0.1", flavor="a"), point(qty=2.5, price=0.3, flavor="b"))
    for _ in range(2):
        assert app.post_json(URL, body, status=204).body == b""
    found = app.get("/v2/summary", {"groupby": "project_id", "filters": "project_id:carol", "decimal": "string"}).json
    assert [row[2:] for row in found["results"]] == [["3.5", "0.4", "carol"]]
    app.post_json(URL, frames(point(price="0.2", flavor="a")), status=204)
    found = app.get("/v2/summary", {"groupby": "project_id", "filters": "project_id:carol", "decimal": "string"}).json
    assert [row[2:] for row in found["results"]] == [["3.5", "0.5", "carol"]]


def test_collected_points_stay_beside_posted_ones(app):
    app.post_json(URL, frames(point(scope="alice"), begin=instant(BEGIN), end=instant(BEGIN + HOUR)), status=204)
    assert app.get(URL, WINDOW | {"filters": "project_id:alice"}).json["total"] == 10


def test_the_compact_form_of_a_date_is_understood(app):
    app.post_json(URL, frames(point(), begin="20261105T100000Z", end="20261105T110000Z"), status=204)
    assert app.get(URL, {"begin": "20261105T100000Z"}).json["total"] == 1


@pytest.mark.parametrize(("body", "reason"), [
    ({}, "dataframes: is required"),
    ({"dataframes": []}, "must not be empty"),
    ({"dataframes": {}}, "is not a list"),
    ({"dataframes": [1]}, "[0]: 1 is not an object"),
    ({"dataframes": [{"usage": {}}]}, "[0]: period: is required"),
    (frames(point(), begin="2026-11-05", end="2026-11-05"), "must end after"),
    (frames(point(), begin="yesterday"), "is not a date"),
    (frames(point(qty="much")), "vol.qty: 'much' is not a number"),
    (frames(point(price="NaN")), "rating.price: 'NaN' is not a"),
    (frames(point(qty="1e400000")), "out of range"),
    (frames(point(qty="1e15")), "out of range"),
    (frames({"vol": {"unit": "h", "qty": 1}, "groupby": {}, "metadata": {}}), "project_id"),
    (frames(point() | {"colour": "red"}), "colour: there is no such member"),
    (frames(point(flavor={"a": 1})), "groupby.flavor"),
    (frames("point"), "[0].usage.vcpu[0]: 'point' is not an object"),
])
def test_a_wrong_body_is_refused_and_nothing_of_it_counts(app, body, reason):
    good = frames(point(scope="dave"))["dataframes"]
    if isinstance(body.get("dataframes"), list) and body["dataframes"]:
        body = {"dataframes": [*body["dataframes"], *good]}
    answer = app.post_json(URL, body, status=400)
    assert reason in answer.json["message"]
    assert app.get(URL, {"filters": "project_id:dave"}, status=404)


def test_i8_m16_frames_without_a_point_are_refused_in_cloudkittys_words(app):
    assert app.post_json(URL, frames(), status=400).json["message"] == "Parameter dataframes must not be empty."


def test_a_frame_that_ends_elsewhere_than_the_one_posted_before_is_a_conflict(app):
    app.post_json(URL, frames(point()), status=204)
    assert "cannot end" in app.post_json(URL, frames(point(), end="2026-11-05T12:00:00Z"), status=409).json["message"]


def test_s19_too_much_at_once_is_refused(app):
    many = frames(*[point(id=str(number)) for number in range(100_001)])
    assert app.post_json(URL, many, status=(400, 413)).json["message"]


# --- what is answered can be posted ---------------------------------------------------------------

def everything(app, **query):
    """Every point from September to November, in frames, and what is left of the answers to their pages."""
    query = {"begin": "2026-09-01", "end": "2026-12-01", "limit": 1000, "decimal": "string"} | query
    return app.get(URL, query).json


@pytest.fixture
def rated(tmp_path, monkeypatch):
    """The API over a day of usage that was collected and rated; some of it no rule has priced."""
    site = Installation(tmp_path, f"sqlite:///{tmp_path / 'rating.sqlite'}", {"DEFAULT": {"auth_strategy": "noauth"}})
    history = History(hours=3)
    site.prepare(history)
    site.run("rate", *history.window)
    monkeypatch.setenv(FILES, str(tmp_path / "site.conf"))
    return TestApp(LazyApplication())


@pytest.mark.parametrize("form", [{}, {"decimal": "float"}])
def test_i8_m14_what_is_exported_can_be_posted_into_another_ledger(rated, app, form):
    exported = everything(rated, **form)
    told = [point["rating"] for frame in exported["dataframes"] for points in frame["usage"].values()
            for point in points]
    assert sum("unpriced" in rating for rating in told) not in (0, len(told))
    app.post_json(URL, {"dataframes": exported["dataframes"]}, status=204)
    names = {point["groupby"]["project_id"] for frame in exported["dataframes"] for points in frame["usage"].values()
             for point in points}
    filters = {"filters": ",".join(f"project_id:{name}" for name in names)}
    assert points_of(everything(app, **filters, **form)) == points_of(exported)
    summed = {"begin": "2026-09-01", "end": "2026-12-01", "groupby": "type,project_id", "decimal": "string"} | filters
    if not form:
        assert app.get("/v2/summary", summed).json["results"] == rated.get("/v2/summary", summed).json["results"]
    # Once more is nothing new.
    changes = app.get("/v2/history?everything=true").json["total"]
    app.post_json(URL, {"dataframes": exported["dataframes"]}, status=204)
    assert app.get("/v2/history?everything=true").json["total"] == changes


def points_of(answer):
    return sorted((frame["period"]["begin"], metric, json.dumps(point, sort_keys=True))
                  for frame in answer["dataframes"] for metric, points in frame["usage"].items() for point in points)


def test_i8_m14_an_unpriced_point_counts_as_that_and_is_replaced_by_a_price(app):
    def posted(**rating):
        one = point() | {"rating": rating}
        app.post_json(URL, frames(one), status=204)
        found = app.get(URL, {"begin": "2026-11-05", "end": "2026-11-06", "filters": "project_id:carol"}).json
        return found["dataframes"][0]["usage"]["vcpu"][0]["rating"]

    assert posted(unpriced=True) == posted(unpriced=True, price=0) == {"price": 0.0, "unpriced": True}
    assert "carol" in app.get("/v2/summary?begin=2026-11-05&end=2026-11-06&groupby=project_id").text
    assert posted(price="0.25", unpriced=False) == {"price": 0.25}
    assert posted(unpriced=True) == {"price": 0.0, "unpriced": True}
    # Another point that is posted for the scope and period leaves it as it is.
    app.post_json(URL, frames(point(label="other")), status=204)
    found = app.get(URL, {"begin": "2026-11-05", "end": "2026-11-06", "filters": "project_id:carol"}).json
    ratings = {one["groupby"].get("label"): one["rating"] for one in found["dataframes"][0]["usage"]["vcpu"]}
    assert ratings == {None: {"price": 0.0, "unpriced": True}, "other": {"price": 0.1}}


def test_i8_m14_what_contradicts_itself_is_refused(app):
    text = app.post_json(URL, frames(point() | {"rating": {"price": "0.5", "unpriced": True}}), status=400).json
    assert text["message"].endswith("rating.unpriced: a point with the price 0.5 is not unpriced")
    text = app.post_json(URL, frames(point() | {"rating": {"unpriced": "perhaps"}}), status=400).json
    assert "rating.unpriced: 'perhaps' is neither true nor false" in text["message"]


def test_i8_m15_a_point_without_a_scope_is_refused(app):
    one = point()
    del one["groupby"]["project_id"]
    text = app.post_json(URL, frames(one), status=400).json["message"]
    assert "its groupby labels lack 'project_id', which says whose it is" in text
    one["groupby"]["project_id"] = ""
    app.post_json(URL, frames(one), status=400)


def test_i8_m16_no_frames_at_all_are_refused_in_cloudkittys_words(app):
    assert app.post_json(URL, {"dataframes": []}, status=400).json == {
        "message": "Parameter dataframes must not be empty."}


def test_i8_m17_a_begin_after_the_end_is_refused(app):
    text = app.get(URL, {"begin": "2026-11-02", "end": "2026-11-01T10:00:00"}, status=400).json["message"]
    assert text == "begin: 2026-11-02T00:00:00Z is after end, 2026-11-01T10:00:00Z"
