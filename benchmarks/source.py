"""The synthetic Prometheus in a process of its own, so that what it costs is not counted."""
from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from benchmarks.shapes import SHAPES, Shape
from benchmarks.synthetic import Synthetic


@contextmanager
def serving(shape: Shape) -> Iterator[str]:
    """The URL of a source of this shape, its answers prepared."""
    command = [sys.executable, "-m", "benchmarks.source", shape.name]
    # It ends with its standard input, so that none is left behind.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the synthetic source did not start")
            yield url
        finally:
            process.stdin.close()
            process.wait()


def counts(url: str) -> dict[str, int]:
    """The requests that a source has had, by kind."""
    with urlopen(f"{url}/_stats") as answer:
        found: dict[str, int] = json.load(answer)
        return found


def main(name: str) -> None:
    """Serve the shape of this name, and say where, until standard input ends."""
    source = Synthetic(SHAPES[name].catalogue)
    source.prepare()
    threading.Thread(target=source.serve, daemon=True).start()
    print(source.url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
