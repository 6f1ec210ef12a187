"""``/healthcheck`` and ``/metrics``: for load balancers, and for the Prometheus that watches this service."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.params import TEXT, list_of, object_of, returns
from cloudkitty_like.domain.errors import Forbidden
from cloudkitty_like.service.operation.check import HealthCheck
from cloudkitty_like.service.operation.health import Health
from cloudkitty_like.service.operation.statistics import MetricSample, Statistics

PREFIX = "cloudkitty_like_"


@dataclass(frozen=True)
class MonitoringRoutes:
    """Whether it is well, and how much it does."""

    health: Health
    figures: Statistics
    counters: Counters

    @returns(object_of("checks", status=TEXT, checks=list_of(object_of(name=TEXT, status=TEXT, detail=TEXT))),
             statuses=[503])
    def healthcheck(self, context: Context) -> Any:
        """200 or 503; what is looked at, for administrators only."""
        checks = self.health.checks()
        well = all(check.state != "error" for check in checks)
        body: dict[str, Any] = {"status": "ok" if well else "failing"}
        try:
            context.authorize("healthcheck:details", {"project_id": context.caller.project_id})
        except Forbidden:
            pass
        else:
            body["checks"] = [{"name": check.name, "status": _state(check), "detail": check.text} for check in checks]
        return RouteAnswer(body, 200 if well else 503)

    @returns(TEXT, content_type="text/plain")
    def metrics(self, context: Context) -> Any:
        """In Prometheus' text format."""
        figures = [*self._http(), *self.figures.now()]
        return RouteAnswer("".join(_lines(figures)).encode(), content_type="text/plain; version=0.0.4")

    def _http(self) -> Iterator[MetricSample]:
        yield MetricSample("http_requests_total", "Requests answered", "counter",
                           [({"route": route, "status": str(status)}, float(number))
                            for route, status, number in self.counters.requests()])
        yield MetricSample("http_request_seconds_total", "Seconds spent on requests", "counter",
                     [({"route": route}, seconds) for route, seconds in self.counters.seconds()])


def _state(check: HealthCheck) -> str:
    return "failing" if check.state == "error" else check.state


def _lines(figures: list[MetricSample]) -> Iterator[str]:
    for figure in figures:
        name = PREFIX + figure.name
        yield f"# HELP {name} {figure.text}.\n# TYPE {name} {figure.kind}\n"
        for labels, value in figure.values:
            listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{name}{{{listed}}} {value:.17g}\n" if listed else f"{name} {value:.17g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
