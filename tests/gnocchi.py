"""A Gnocchi for tests: a small one of our own on a free port, and the real one where it runs.

The small one keeps resources with measures and answers aggregates, searches and the status as the
real one does; what it cannot do (revisions, re-aggregation of several series) it refuses.  The real
one is looked for at its default address, ``http://127.0.0.1:8041`` with basic authentication (or
where ``GNOCCHI_ENDPOINT`` says).  No installation of ours needs it to be there: without it the test
is skipped.
"""
from __future__ import annotations

import fnmatch
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
import requests
from gnocchiclient.auth import GnocchiBasicPlugin

from cloudkitty_like.client.gnocchi import Gnocchi, GnocchiConnection
from cloudkitty_like.domain.period import EPOCH
from cloudkitty_like.testing.collector import Sample
from tests.fake_http import Asked, Fake, Reply, as_json, serve

ENDPOINT = os.environ.get("GNOCCHI_ENDPOINT", "http://127.0.0.1:8041")
ADMIN = ("admin", "")
PATIENCE = 60.0
METHODS = {"sum": sum, "max": max, "min": min, "count": len,
           "mean": lambda values: sum(values) / len(values)}


def client(url: str, user: str = "admin", timeout: float = 10.0) -> Gnocchi:
    """A client with basic authentication; only ``admin`` reads everything."""
    connection = GnocchiConnection(timeout=timeout, reads_all=user == "admin")
    return Gnocchi(GnocchiBasicPlugin(user, url), connection)


@dataclass
class Resource:
    """A resource with the measures of its metrics."""

    attributes: Mapping[str, Any]
    measures: Mapping[str, Sequence[tuple[datetime, float]]] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def row(self) -> dict[str, Any]:
        return {"id": self.id, **self.attributes, "metrics": dict.fromkeys(self.measures, "m")}


def refused(status: int, description: Any) -> Reply:
    """Gnocchi's form of an error."""
    return as_json({"code": status, "title": "refused", "description": description}, status)


@dataclass
class SmallGnocchi:
    """What the small Gnocchi has: resources by type, granularities, and what metricd left to do."""

    resources: Sequence[Resource] = ()
    resource_type: str = "instance"
    granularities: tuple[int, ...] = (300,)
    backlog: int = 0
    page: int = 1000

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/v1/status":
            return as_json({"storage": {"summary": {"measures": self.backlog, "metrics": 0}}})
        if asked.path == "/v1/aggregates":
            return self._aggregates(asked)
        if asked.path.startswith("/v1/search/resource/"):
            return self._search(asked)
        return refused(404, "no such page")

    def _search(self, asked: Asked) -> Reply:
        marker = asked.parameters.get("marker", "")
        if asked.parameters["sort"] == "started_at:asc":
            return as_json([resource.row for resource in self.resources][:1])
        rows = [resource.row for resource in self.resources if resource.id > marker]
        rows.sort(key=lambda row: str(row["id"]))
        return as_json(rows[:min(self.page, int(asked.parameters["limit"]))])

    def _aggregates(self, asked: Asked) -> Reply:
        body = json.loads(asked.body)
        _, _, (_, name, method) = body["operations"]
        granularity = int(asked.parameters["granularity"])
        if body["resource_type"] != self.resource_type:
            return refused(400, f"Resource type {body['resource_type']} does not exist")
        selected = [resource for resource in self._selected(body["search"])
                    if any(fnmatch.fnmatchcase(metric, name) for metric in resource.measures)]
        if not selected:
            return refused(404, f"Metric [{name!r}] does not exist")
        if method not in METHODS:
            return refused(404, {"cause": "Metrics with unknown aggregation",
                                 "detail": [["m", method]]})
        if granularity not in self.granularities:
            return refused(400, "Metrics can't being aggregated: Granularities are missing")
        names = asked.repeated.get("groupby")
        window = [datetime.fromisoformat(asked.parameters[key]) for key in ("start", "stop")]
        points = [resource.measures[fnmatched(resource, name)] for resource in selected]
        if not names:
            series = granules(chain(*points), window, granularity, method)
            return as_json({"measures": {"aggregated": series}})
        return as_json([
            {"group": {key: resource.row.get(key) for key in names}, "measures": {"measures": {
                "aggregated": granules(own, window, granularity, method)}}}
            for resource, own in zip(selected, points, strict=True)])

    def _selected(self, search: Mapping[str, Any]) -> list[Resource]:
        if not search:
            return list(self.resources)
        ((name, values),) = search["in"].items()
        return [resource for resource in self.resources if resource.row.get(name) in values]


def fnmatched(resource: Resource, pattern: str) -> str:
    """The resource's first metric with such a name."""
    return next(name for name in resource.measures if fnmatch.fnmatchcase(name, pattern))


def granules(points: Iterable[tuple[datetime, float]], window: Sequence[datetime], seconds: int,
             method: str) -> list[tuple[str, float, float]]:
    """The points by granule, in ``[start, stop)``."""
    length = timedelta(seconds=seconds)
    values = defaultdict(list)
    for when, value in points:
        values[EPOCH + (when - EPOCH) // length * length].append(value)
    return [(begin.isoformat(), float(seconds), float(METHODS[method](values[begin])))
            for begin in sorted(values) if window[0] <= begin < window[1]]


@contextmanager
def small(*resources: Resource, **options: Any) -> Iterator[tuple[Fake, SmallGnocchi]]:
    """The small Gnocchi with these resources, and everything that it was asked."""
    gnocchi = SmallGnocchi(resources, **options)
    with serve(gnocchi.answer) as fake:
        yield fake, gnocchi


def as_resources(samples: Iterable[Sample]) -> list[Resource]:
    """One resource for each set of labels and metric."""
    series = defaultdict(list)
    for sample in samples:
        labels = tuple(sorted(sample.labels.items()))
        series[sample.metric, labels].append((sample.when, float(sample.quantity)))
    return [Resource(dict(labels), {metric: points}) for (metric, labels), points in series.items()]


# --- the real one -------------------------------------------------------------------------------

def _call(method: str, path: str, body: Any = None) -> Any:
    response = requests.request(
        method, f"{ENDPOINT}/v1/{path}", json=body, auth=ADMIN, timeout=PATIENCE)
    assert response.ok or response.status_code == 409, f"{method} {path}: {response.text}"
    return response.json() if response.content else None


@contextmanager
def real(resources: Sequence[Resource], attributes: Sequence[str]) -> Iterator[str]:
    """The name of a resource type of the real Gnocchi that has these resources alone, processed."""
    try:
        requests.get(f"{ENDPOINT}/healthcheck", timeout=5)
    except requests.RequestException:
        pytest.skip(f"no Gnocchi at {ENDPOINT}")
    name = f"contract_{uuid4().hex[:8]}"
    policy = {"name": name, "back_window": 0, "aggregation_methods": ["sum", "max"],
              "definition": [{"granularity": "5m", "timespan": "365d"}]}
    _call("POST", "archive_policy", policy)
    _call("POST", "resource_type", {"name": name, "attributes": {
        attribute: {"type": "string", "required": False} for attribute in attributes}})
    try:
        for resource in resources:
            metrics = {metric: {"archive_policy_name": name} for metric in resource.measures}
            _call("POST", f"resource/{name}", {
                "id": resource.id, "metrics": metrics, **resource.attributes})
        _call("POST", "batch/resources/metrics/measures", {resource.id: {
            metric: [{"timestamp": when.isoformat(), "value": value} for when, value in points]
            for metric, points in resource.measures.items()} for resource in resources})
        deadline = time.monotonic() + PATIENCE
        while _call("GET", "status?details=false")["storage"]["summary"]["measures"]:
            assert time.monotonic() < deadline, "metricd does not process the measures"
            time.sleep(0.2)
        yield name
    finally:
        _call("DELETE", "resource/generic", {"=": {"type": name}})
        _call("DELETE", f"resource_type/{name}")
        # Metrics of resources that are gone wait for metricd; the policy goes when they have.
        requests.delete(f"{ENDPOINT}/v1/archive_policy/{name}", auth=ADMIN, timeout=PATIENCE)
