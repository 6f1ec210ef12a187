"""The resources of a quote as JSON has them: objects of ``service``, ``desc`` and ``volume``.

``POST /v1/rating/quote`` and ``quote --file`` read the same form.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cloudkitty_like.domain import json_value
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import named, shown
from cloudkitty_like.service.whatif.quote import Resource

MOST_RESOURCES, MOST_PROBLEMS = 10_000, 20
MEMBERS = ("service", "desc", "volume")

_name = partial(json_value.text, may_be_empty=False)


def read(value: Any) -> Sequence[Resource]:
    """Read a list of resources.

    :raises Invalid: with the first 20 problems of all resources, each with its place in the list
    """
    if not isinstance(value, list):
        raise Invalid(f"{shown(value)} is not a list")
    if len(value) > MOST_RESOURCES:
        raise Invalid(f"has more than {MOST_RESOURCES} elements")
    resources, problems = [], []
    for number, element in enumerate(value):
        try:
            resources.append(_resource(element))
        except Invalid as error:
            problems += [f"[{number}]: {problem}" for problem in error.problems]
    if problems:
        raise Invalid(*problems[:MOST_PROBLEMS])
    return resources


def _resource(value: Any) -> Resource:
    if not isinstance(value, dict):
        raise Invalid(f"{shown(value)} is not an object")
    problems = [f"{name}: is required" for name in ("service", "volume") if value.get(name) is None]
    problems += [f"{name[:80]}: there is no such member" for name in value if name not in MEMBERS]
    desc = {} if value.get("desc") is None else value["desc"]
    if not isinstance(desc, dict):
        problems.append(f"desc: {shown(desc)} is not an object")
    if problems:
        raise Invalid(*problems)
    nested = {name: desc[name] for name in ("groupby", "metadata")
              if isinstance(desc.get(name), dict)}
    flat = {name: cell for name, cell in desc.items() if name not in nested}
    return Resource(
        named("service", _name, value["service"]),
        named("volume", json_value.number, value["volume"]),
        _labels({**flat, **nested.get("groupby", {})}), _labels(nested.get("metadata", {})))


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    return {named("desc", json_value.text, name):
            named(f"desc.{name[:80]}", json_value.label, value) for name, value in values.items()}
