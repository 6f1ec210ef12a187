"""Every URL on one page: method, URL, what answers it, the policy rule that has to allow it."""
from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pecan
from webob import Request, Response

from cloudkitty_like.api import openapi
from cloudkitty_like.api.context import Context
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.monitoring import MonitoringRoutes
from cloudkitty_like.api.params import returns
from cloudkitty_like.api.routes import Dispatcher, Route
from cloudkitty_like.api.v1 import collector, hashmap_routes, info, pyscripts, rating, report
from cloudkitty_like.api.v2 import (
    dataframes,
    explanations,
    history,
    modules,
    report_query,
    reprocesses,
    scope,
    simulations,
    summary,
)
from cloudkitty_like.api.versions import VersionRoutes
from cloudkitty_like.domain.metric import Metric

if TYPE_CHECKING:
    from cloudkitty_like.app.use_cases import UseCases


def routes(use_cases: UseCases, counters: Counters, simulation_points: int) -> list[Route]:
    """Return the table.

    ``[...]`` at the end of a URL may be missing; a rule of '' lets everybody through.
    ``simulation_points``: the most points that a simulation may rate.
    """
    described: list[Route] = []
    described += [
        *_root(use_cases, counters), *_v1(use_cases), *_rating_v1(use_cases),
        *_v2(use_cases, simulation_points),
        Route("GET", "/v2/openapi.json", DescriptionRoutes(described).get_all, ""),
    ]
    return described


def _root(use_cases: UseCases, counters: Counters) -> list[Route]:
    versions = VersionRoutes()
    watching = MonitoringRoutes(use_cases.health, use_cases.statistics, counters)
    return [
        Route("GET", "/", versions.get_all, ""),
        Route("GET", "/v1", versions.v1, ""),
        Route("GET", "/v2", versions.v2, ""),
        Route("GET", "/healthcheck", watching.healthcheck, ""),
        Route("GET", "/metrics", watching.metrics, "metrics:get"),
    ]


def _v1(use_cases: UseCases) -> list[Route]:
    infos = info.InfoRoutes(lambda: use_cases.metrics.metrics, use_cases.document)
    collectors = collector.CollectorRoutes(use_cases.collectors)
    reports = report.ReportRoutes(use_cases.summary, use_cases.scope_key)
    whose = report.tenant_target(use_cases.scope_key)
    return [
        Route("GET", "/v1/info/config", infos.config, "info:get_config"),
        Route("GET", "/v1/info/metrics", infos.get_all, "info:list_metrics_info"),
        Route("GET", "/v1/info/metrics/{metric_name}", infos.get_one, "info:get_metric_info"),
        Route("GET", "/v1/info/services", infos.get_all, "info:list_services_info"),
        Route("GET", "/v1/info/services/{metric_name}", infos.get_one, "info:get_service_info"),
        Route("GET", "/v1/collector", collectors.index, "collector:list_mappings", 204),
        Route("GET", "/v1/collector/mappings", collectors.mappings, "collector:list_mappings"),
        Route("GET", "/v1/collector/mappings/{service}", collectors.mapping,
              "collector:get_mapping"),
        Route("POST", "/v1/collector/mappings[/{collector}/{service}]", collectors.put_mapping,
              "collector:manage_mapping"),
        Route("DELETE", "/v1/collector/mappings[/{service}]", collectors.remove_mapping,
              "collector:manage_mapping", 204),
        Route("GET", "/v1/collector/states[/{name}]", collectors.state, "collector:get_state"),
        Route("GET", "/v1/collector/{name}/states", collectors.state, "collector:get_state"),
        Route("PUT", "/v1/collector/states[/{name}]", collectors.put_state,
              "collector:update_state"),
        Route("PUT", "/v1/collector/{name}/states", collectors.put_state, "collector:update_state"),
        Route("GET", "/v1/report/tenants", reports.tenants, "report:list_tenants"),
        Route("GET", "/v1/report/total", reports.total, "report:get_total", target=whose),
        Route("GET", "/v1/report/summary", reports.get_summary, "report:get_summary", target=whose),
        Route("GET", "/v1/storage/dataframes", reports.dataframes,
              "storage:list_data_frames", target=whose),
    ]


def _rating_v1(use_cases: UseCases) -> list[Route]:
    """Return the subtree of rating, and the same under its former name."""
    ratings = rating.RatingRoutes(use_cases.modules, use_cases.quotes)
    table = [
        Route("GET", "/v1/rating/modules", ratings.get_all, "rating:list_modules"),
        Route("GET", "/v1/rating/modules/{module_id}", ratings.get_one, "rating:get_module"),
        Route("PUT", "/v1/rating/modules[/{module_id}]", ratings.put, "rating:update_module", 302),
        Route("POST", "/v1/rating/quote", ratings.quote, "rating:quote"),
        Route("GET", "/v1/rating/reload_modules", ratings.reload, "rating:module_config", 204),
        *(Route(method, "/v1/rating/module_config/{name}", ratings.configuration,
                "rating:module_config")
          for method in ("GET", "POST", "PUT")),
        *hashmap_routes.routes(use_cases.hashmap),
        *pyscripts.routes(use_cases.scripts),
    ]
    former = (replace(route, url=route.url.replace("/v1/rating", "/v1/billing", 1), hidden=True)
              for route in table)
    return [*table, *former]


def _v2(use_cases: UseCases, simulation_points: int) -> list[Route]:
    period, scope_key = use_cases.period, use_cases.scope_key
    query = report_query.ReportQuery(
        scope_key, use_cases.summary.change_at, use_cases.summary.last_change)
    summaries = summary.SummaryRoutes(query, use_cases.groups, period, use_cases.holes.of_query,
                                      lambda: _labels(use_cases.metrics.metrics))
    frames = dataframes.DataFrameRoutes(query, use_cases.pages, use_cases.posting)
    module_routes = modules.ModuleRoutes(use_cases.modules)
    scopes = scope.ScopeRoutes(use_cases.scopes, period, scope_key, use_cases.fetcher_name,
                               use_cases.collector_name)
    reasons = explanations.ExplanationRoutes(query, use_cases.explanations)
    trials = simulations.SimulationRoutes(use_cases.simulation, simulation_points)
    tasks = reprocesses.TaskRoutes(use_cases.tasks, period)
    changes = history.HistoryRoutes(use_cases.history)
    return [
        Route("GET", "/v2/dataframes", frames.get_all, "dataframes:get"),
        Route("POST", "/v2/dataframes", frames.post, "dataframes:add", 204),
        Route("GET", "/v2/explanations", reasons.get_all, "explanation:get"),
        Route("GET", "/v2/summary", summaries.get_all, "summary:get_summary"),
        Route("GET", "/v2/rating/modules", module_routes.get_all, "v2_rating:list_modules"),
        Route("GET", "/v2/rating/modules/{module_id}", module_routes.get_one,
              "v2_rating:get_module"),
        Route("PUT", "/v2/rating/modules/{module_id}", module_routes.put,
              "v2_rating:update_module", 204),
        Route("POST", "/v2/rating/simulations", trials.post, "rating:simulate"),
        Route("GET", "/v2/scope", scopes.get_all, "scope:get_state"),
        Route("PUT", "/v2/scope", scopes.put, "scope:reset_state", 202),
        Route("PATCH", "/v2/scope", scopes.patch, "scope:patch_state"),
        Route("POST", "/v2/scope", scopes.post, "scope:post_state"),
        Route("GET", "/v2/task/reprocesses[/{which}]", tasks.get_all,
              "schedule:get_task_reprocesses"),
        Route("POST", "/v2/task/reprocesses", tasks.post, "schedule:task_reprocesses", 202),
        Route("DELETE", "/v2/task/reprocesses/{which}", tasks.delete,
              "schedule:cancel_task_reprocesses", 204),
        Route("GET", "/v2/history", changes.get_all, "history:get"),
        Route("POST", "/v2/task/reprocesses/{which}/undo", tasks.undo,
              "schedule:undo_task_reprocesses", 202),
    ]


def _labels(metrics: Iterable[Metric]) -> set[str]:
    return {label for metric in metrics for label in (*metric.groupby, *metric.metadata)}


class DescriptionRoutes:
    """What this page says, for programs."""

    def __init__(self, described: list[Route]) -> None:
        self._described = described

    @returns({"type": "object"})
    def get_all(self, context: Context) -> Any:
        """This document."""
        return openapi.document([route for route in self._described if not route.hidden])


ASKED = "cloudkitty_like.asked"


def kept_from_pecan(application: Any) -> Any:
    """Hide the request from Pecan, and keep it beside for the table.

    Pecan would read the body, refuse types of answers and fail on bytes that are no text.
    """
    def bare(environ: dict[str, Any], start_response: Any) -> Any:
        return application({
            **environ, "PATH_INFO": "/", "QUERY_STRING": "", "REQUEST_METHOD": "GET",
            "HTTP_ACCEPT": "*/*", "CONTENT_TYPE": "", "CONTENT_LENGTH": "0",
            "wsgi.input": io.BytesIO(), ASKED: environ}, start_response)
    return bare


class Root:
    """Where Pecan enters; the table does the rest."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    @pecan.expose()  # type: ignore[untyped-decorator]
    def _route(self, args: list[str], request: Any) -> tuple[Any, list[str]]:
        return self.answer, []

    @pecan.expose()  # type: ignore[untyped-decorator]
    def answer(self, **_: Any) -> Response:
        """The answer to Pecan's current request."""
        return self._dispatcher(Request(pecan.request.environ[ASKED]))
