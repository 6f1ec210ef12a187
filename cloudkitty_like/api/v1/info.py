"""``/v1/info``: what is measured, and the file that says so."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.fields import TextField
from cloudkitty_like.api.params import Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.v1.types import MetricBody, schema_of, written
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.metric import Metric


@dataclass(frozen=True)
class InfoRoutes:
    """``document()`` is the metrics.yml as it is, ``metrics()`` what it defines."""

    metrics: Callable[[], Sequence[Metric]]
    document: Callable[[], Any]

    @returns({"type": "object"})
    def config(self, context: Context) -> Any:
        """The document; numbers with a point as floats, as a YAML reader would have them."""
        return _plain(self.document())

    @returns(object_of(metrics=list_of(schema_of(MetricBody))))
    def get_all(self, context: Context) -> Any:
        """Every metric, in the order of the file."""
        return {"metrics": [_written(metric) for metric in self.metrics()]}

    @returns(schema_of(MetricBody))
    @accepts(metric_name=Param(TextField()))
    def get_one(self, context: Context, metric_name: str) -> Any:
        """The first metric of that name."""
        for metric in self.metrics():
            if metric.alt_name == metric_name:
                return _written(metric)
        raise NotFound(metric_name)


def _written(metric: Metric) -> dict[str, Any]:
    return written(MetricBody, metric_id=metric.alt_name, metadata=list(metric.metadata), unit=metric.unit)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(cell) for key, cell in value.items()}
    if isinstance(value, list):
        return [_plain(cell) for cell in value]
    if value is None or isinstance(value, bool | str):
        return value if value is None or isinstance(value, bool) else str(value)
    return int(value) if value == value.to_integral_value() and "." not in str(value) else float(value)
