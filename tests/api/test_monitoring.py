"""``/healthcheck`` and ``/metrics``."""
from __future__ import annotations

import re

import pytest

from cloudkitty_like.api.monitoring import _lines
from cloudkitty_like.db.ledger import tasks
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.scope_state import RATING
from cloudkitty_like.domain.task import TaskFailure
from cloudkitty_like.service.operation.statistics import MetricSample
from tests.api.site import BrokenStorage, Site, broken

NAMES = ("http_requests_total", "http_request_seconds_total", "workers", "periods_rated_total", "points_rated_total",
         "source_requests_total", "source_failures_total", "stage_seconds_total", "stage_cpu_seconds_total", "scopes",
         "scopes_lagging", "scopes_failing", "scopes_parked", "last_rated_timestamp_seconds", "periods_missing",
         "reprocess_tasks", "ledger_changes_total", "unpriced_points")
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
LINE = re.compile(rf"({NAME})(?:{{(.*)}})? (\S+)")


def parsed(text):
    """Prometheus' text format, strictly: name, then labels, to value; every metric has its help and type before."""
    assert text.endswith("\n")
    found, types, helps = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("#"):
            word, name, rest = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.*)", line).groups()
            assert name not in (helps if word == "HELP" else types)
            assert word == "HELP" or (name in helps and rest in ("counter", "gauge"))
            helps.add(name)
            if word == "TYPE":
                types[name] = rest
                found[name] = {}
            continue
        name, labels, value = LINE.fullmatch(line).groups()
        key = labels_of(labels or "")
        assert key not in found[name]
        assert name == list(found)[-1]
        found[name][key] = float(value)
        assert types[name] != "counter" or (name.endswith("_total") and found[name][key] >= 0)
    return found


def labels_of(text):
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, text
        value = re.sub(r"\\(.)", lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), match[2])
        found.append((match[1], value))
        at = match.end()
    return tuple(found)


def metrics(site: Site):
    site.ask("GET", "/metrics")
    assert (site.last.status_int, site.last.content_type) == (200, "text/plain")
    assert site.last.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return parsed(site.last.text)


# --- health -------------------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["", "alice", "nobody"])
def test_anybody_may_ask_whether_it_is_well_and_is_told_no_more(site: Site, user):
    assert site.ask("GET", "/healthcheck", user=user) == (200, {"status": "ok"})


def test_an_admin_is_told_what_was_looked_at(site: Site):
    assert [(one["name"], one["status"]) for one in site.get("/healthcheck")["checks"]] == [
        ("database", "ok"), ("storage", "ok"), ("rating", "ok"), ("workers", "ok")]


def test_what_is_unwell_is_503_and_why_is_for_admins(site: Site):
    site.with_storage(BrokenStorage(sums=broken(Unavailable("the disk of db1 is full"))))
    assert site.ask("GET", "/healthcheck", user="") == (503, {"status": "failing"})
    status, found = site.ask("GET", "/healthcheck")
    assert (status, found["status"]) == (503, "failing")
    assert found["checks"][1] == {"name": "storage", "status": "failing", "detail": "the disk of db1 is full"}


# --- metrics ------------------------------------------------------------------------------------

def test_metrics_are_prometheus_text_with_all_names(site: Site):
    found = metrics(site)
    assert {f"cloudkitty_like_{name}" for name in NAMES} <= found.keys()
    assert found["cloudkitty_like_scopes"] == {(("active", "true"),): 3, (("active", "false"),): 0}
    assert found["cloudkitty_like_unpriced_points"][("type", "vcpu"), ("unit", "h")] == 1


def test_requests_are_counted_by_route_and_status(site: Site):
    for url in ("/v1/info/metrics/vcpu", "/v1/info/metrics/disk", "/v1/info/metrics/bogus", "/bogus"):
        site.ask("GET", url)
    found = metrics(site)["cloudkitty_like_http_requests_total"]
    route = "GET /v1/info/metrics/{metric_name}"
    assert found[("route", route), ("status", "200")] == 2
    assert found[("route", route), ("status", "404")] == 1
    assert found[("route", ""), ("status", "404")] == 1


def test_corrections_that_have_not_ended_are_counted_by_how_they_are(site: Site):
    for scope in ("alice", "bob"):
        site.ask("POST", "/v2/task/reprocesses", {
            "scope_ids": scope, "reason": "why", "start_reprocess_time": "2026-11-01T00:00:00",
            "end_reprocess_time": "2026-11-01T04:00:00"})
    with site.database.write() as tx:
        (first, _) = tasks.everything(tx)
        tasks.fail(tx, [TaskFailure(first.id, first.next, "no rule", RATING, None, 7)], site.now)
    assert metrics(site)["cloudkitty_like_reprocess_tasks"] == {
        (("state", "waiting"),): 1, (("state", "running"),): 0, (("state", "failing"),): 0, (("state", "parked"),): 1}


def test_names_that_anybody_may_give_are_escaped():
    label = 'a"b\\c\nd}e,f="g"'
    text = "".join(_lines([MetricSample("odd", "Odd ones", "gauge", [({"type": label, "unit": ""}, 0.1)])]))
    assert parsed(text) == {"cloudkitty_like_odd": {(("type", label), ("unit", "")): 0.1}}


def test_metrics_are_for_admins(site: Site):
    site.wrong("GET", "/metrics", user="alice", status=403)
    assert site.ask("GET", "/metrics", user="")[0] == 401
