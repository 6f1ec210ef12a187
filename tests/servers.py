"""Real metric servers for tests: started on a free port with a history of samples, gone afterwards.

A test starts one::

    with prometheus(samples) as url:          # or victoriametrics(samples)
        ...

``samples`` are of :class:`cloudkitty_like.testing.collector.Sample`.  Where a
program is not installed the test is skipped, but under ``REQUIRE_SERVERS=1`` it
fails.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from cloudkitty_like.domain.period import EPOCH
from cloudkitty_like.testing.collector import Sample
from cloudkitty_like.testing.network import free_port

PATIENCE = 30.0


def require(program: str) -> str:
    """Where the program is; without it the test is skipped, or fails where all servers are required."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(f"{program} is required (REQUIRE_SERVERS=1)")
        pytest.skip(f"{program} is not installed")
    return found


def exposition(samples: Iterable[Sample], *, milliseconds: bool = False) -> str:
    """The samples in the text format, ordered as OpenMetrics wants them: by metric, by series, by time."""
    def milli(sample: Sample) -> int:
        return (sample.when - EPOCH) // timedelta(milliseconds=1)

    lines = []
    for sample in sorted(samples, key=lambda sample: (sample.metric, sorted(sample.labels.items()), sample.when)):
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        at = str(milli(sample)) if milliseconds else f"{milli(sample) // 1000}.{milli(sample) % 1000:03}"
        lines.append(f"{sample.metric}{{{labels}}} {sample.quantity} {at}\n")
    return "".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@contextmanager
def prometheus(samples: Iterable[Sample] | str = (), *, config: str = "", flags: Sequence[str] = ()) -> Iterator[str]:
    """The URL of a Prometheus that holds the samples (or an OpenMetrics text); ``config`` is its prometheus.yml."""
    program, promtool = require("prometheus"), require("promtool")
    text = samples if isinstance(samples, str) else exposition(samples)
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        directory = Path(name)
        (directory / "prometheus.yml").write_text(config or "global: {scrape_interval: 1h}\n")
        if text.strip():
            history = directory / "history.txt"
            history.write_text(text.removesuffix("# EOF\n") + "# EOF\n", encoding="utf-8", newline="\n")
            made = subprocess.run(
                [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=720h",
                 str(history), str(directory / "data")], capture_output=True, text=True, check=False,
            )
            assert made.returncode == 0, made.stderr[-2000:]
        port = free_port()
        command = [
            program, f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}",
            "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags,
        ]
        with _running(command, directory, f"http://127.0.0.1:{port}", "/-/ready") as url:
            yield url


@contextmanager
def victoriametrics(samples: Iterable[Sample] = (), *, flags: Sequence[str] = ()) -> Iterator[str]:
    """The URL of a VictoriaMetrics that holds the samples."""
    program = require("victoria-metrics")
    with tempfile.TemporaryDirectory(prefix="victoriametrics-") as name:
        port = free_port()
        command = [
            program, f"-storageDataPath={name}/data", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y",
            "-search.latencyOffset=0s", "-search.disableCache", "-memory.allowedBytes=256MB", "-loggerLevel=ERROR",
            *flags,
        ]
        with _running(command, Path(name), f"http://127.0.0.1:{port}", "/health") as url:
            text = exposition(samples, milliseconds=True)
            requests.post(f"{url}/api/v1/import/prometheus", data=text.encode(), timeout=PATIENCE).raise_for_status()
            requests.get(f"{url}/internal/force_flush", timeout=PATIENCE).raise_for_status()
            yield url


SERVERS: dict[str, Callable[[Iterable[Sample]], AbstractContextManager[str]]] = {
    "prometheus": prometheus, "victoriametrics": victoriametrics,
}


@contextmanager
def _running(command: Sequence[str], directory: Path, url: str, ready: str) -> Iterator[str]:
    log = directory / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=directory) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(url + ready):
                assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
                assert time.monotonic() < deadline, f"{command[0]} is not ready: {log.read_text()[-2000:]}"
                time.sleep(0.05)
            yield url
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
