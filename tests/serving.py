"""``cloudkitty-like api`` in processes of its own, while a test asks it."""
from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from cloudkitty_like.testing.network import free_port
from tests.commands import PATIENCE, command


@contextmanager
def serving(*arguments: str | Path, cwd: Path, port: int = 0) -> Iterator[str]:
    """Its URL once it answers; ``arguments`` are all but the port.  It is told to stop afterwards."""
    port = port or free_port()
    url, log = f"http://127.0.0.1:{port}", cwd / f"api-{port}.log"
    with log.open("wb") as output, subprocess.Popen(
            command(*arguments, "--port", str(port)), stdout=output, stderr=output, cwd=cwd) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(url):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()        # its workers end with it; killed, it would leave them behind


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
