"""The names that hashmap rules refer to: services, fields and groups, each with an id."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NameKind = Literal["service", "field", "group"]
SERVICE: NameKind = "service"
FIELD: NameKind = "field"
GROUP: NameKind = "group"


@dataclass(frozen=True, slots=True)
class RuleName:
    """A service, a field of the service ``service_id``, or a group."""

    id: str
    kind: NameKind
    name: str
    service_id: str | None = None
    removed: int | None = None         # the change that removed it
