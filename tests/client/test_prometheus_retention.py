"""How long a server says that it keeps samples."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.client.prometheus_retention import duration, retention
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.testing.network import free_port
from tests.servers import prometheus, victoriametrics

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_i8_small_prometheus_tells_its_retention() -> None:
    with prometheus(flags=["--storage.tsdb.retention.size=1GB"]) as url:
        assert retention(Prometheus(url)) == timedelta(days=3650)
        assert PrometheusCollector(Prometheus(url)).keeps_since(NOW) == NOW - timedelta(days=3650)


@pytest.mark.parametrize(("flag", "length"),
                         [("30d", timedelta(days=30)), ("2", timedelta(days=62))])
def test_i8_small_victoriametrics_tells_its_retention(flag: str, length: timedelta) -> None:
    with victoriametrics(flags=[f"-retentionPeriod={flag}"]) as url:
        assert retention(Prometheus(url)) == length


def test_i8_small_a_server_that_is_not_there_tells_nothing() -> None:
    assert retention(Prometheus(f"http://127.0.0.1:{free_port()}")) is None


@pytest.mark.parametrize(("text", "length"), [
    ("15d", timedelta(days=15)), ("1d12h", timedelta(hours=36)), ("10GiB", None), ("", None),
    ("0s", None),
    ("d", None)])
def test_i8_small_a_length_is_read_as_it_is_written(text: str, length: timedelta | None) -> None:
    assert duration(text) == length
