from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest

from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.testing.collector import SAMPLES, CollectorContract
from tests.servers import SERVERS


class TestContract(CollectorContract):
    """The contract of every collector, on each server."""

    extra_args: ClassVar = {"aggregation_method": "sum"}
    precision = timedelta(minutes=1)

    @pytest.fixture(scope="class", params=SERVERS)
    @classmethod
    def collector(cls, request: pytest.FixtureRequest) -> Iterator[PrometheusCollector]:
        with SERVERS[request.param](SAMPLES) as url:
            yield PrometheusCollector(Prometheus(url))
