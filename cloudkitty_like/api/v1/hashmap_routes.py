"""Every URL below ``/v1/rating/module_config/hashmap``.

An id may be in the path, the query or the body, as CloudKitty's clients have it.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudkitty_like.api.routes import Route
from cloudkitty_like.api.v1.hashmap import URL, HashmapNameRoutes
from cloudkitty_like.api.v1.hashmap_rules import HashmapRuleRoutes
from cloudkitty_like.service.hashmap.rules import Hashmap


def routes(hashmap: Hashmap) -> list[Route]:
    """For the table of the whole API."""
    return [*_names(HashmapNameRoutes(hashmap)), *_rules(HashmapRuleRoutes(hashmap))]


def _names(names: HashmapNameRoutes) -> list[Route]:
    return [
        _route("GET", "/types", names.types),
        _route("GET", "/services", names.services),
        _route("GET", "/services/{service_id}", names.service),
        _route("POST", "/services", names.add_service, 201),
        _route("DELETE", "/services[/{service_id}]", names.remove_service, 204),
        _route("GET", "/services/{service_id}/fields", names.fields),
        _route("POST", "/services/{service_id}/fields", names.add_field, 201),
        _route("GET", "/fields", names.fields),
        _route("GET", "/fields/{field_id}", names.field),
        _route("POST", "/fields", names.add_field, 201),
        _route("DELETE", "/fields[/{field_id}]", names.remove_field, 204),
        _route("GET", "/groups", names.groups),
        _route("GET", "/groups/{group_id}", names.group),
        _route("POST", "/groups", names.add_group, 201),
        _route("DELETE", "/groups[/{group_id}]", names.remove_group, 204),
    ]


def _rules(rules: HashmapRuleRoutes) -> list[Route]:
    return [
        _route("GET", "/services/{service_id}/mappings", rules.mappings),
        _route("POST", "/services/{service_id}/mappings", rules.add_mapping, 201),
        _route("GET", "/groups/mappings", rules.mappings),
        _route("GET", "/groups/thresholds", rules.thresholds),
        _route("GET", "/groups/{group_id}/mappings", rules.mappings),
        _route("GET", "/groups/{group_id}/thresholds", rules.thresholds),
        _route("GET", "/mappings", rules.mappings),
        _route("GET", "/mappings/{mapping_id}", rules.mapping),
        _route("GET", "/mappings/group", rules.group_of_mapping),
        _route("GET", "/mappings/{mapping_id}/group", rules.group_of_mapping),
        _route("POST", "/mappings", rules.add_mapping, 201),
        _route("PUT", "/mappings[/{mapping_id}]", rules.put_mapping, 302),
        _route("DELETE", "/mappings[/{mapping_id}]", rules.remove_mapping, 204),
        _route("GET", "/thresholds", rules.thresholds),
        _route("GET", "/thresholds/{threshold_id}", rules.threshold),
        _route("GET", "/thresholds/group", rules.group_of_threshold),
        _route("GET", "/thresholds/{threshold_id}/group", rules.group_of_threshold),
        _route("POST", "/thresholds", rules.add_threshold, 201),
        _route("PUT", "/thresholds[/{threshold_id}]", rules.put_threshold, 302),
        _route("DELETE", "/thresholds[/{threshold_id}]", rules.remove_threshold, 204),
    ]


def _route(method: str, url: str, answers: Callable[..., Any], status: int = 200) -> Route:
    return Route(method, URL + url, answers, "rating:module_config", status)
