"""skip_datapoints_expression (placeholder signature; see parse)."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]
