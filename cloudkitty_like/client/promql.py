"""Text of PromQL, built from values: nothing is pasted into a query that was not escaped or checked here."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
SELECTOR = re.compile(r"(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?(?:\{[^{}]+\})?\Z")

_MILLISECOND = timedelta(milliseconds=1)
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", **{chr(c): f"\\u{c:04x}" for c in (*range(10), *range(11, 32), 127)}}
_ESCAPED = str.maketrans(_ESCAPES)


def quoted(text: str) -> str:
    """``text`` as a string literal; the escapes are those of Go, which Prometheus reads."""
    return f'"{text.translate(_ESCAPED)}"'


def literally(text: str) -> str:
    """A regular expression (RE2) that matches ``text`` and nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def one_of(texts: Iterable[str]) -> str:
    """A string literal with the regular expression that matches each of ``texts``; matchers are anchored."""
    return quoted("|".join(map(literally, texts)))


def batches(texts: Iterable[str], limit: int) -> Iterator[list[str]]:
    """``texts`` in their order, in lists whose :func:`one_of` has at most ``limit`` bytes, or one element."""
    batch: list[str] = []
    size = 0
    for text in texts:
        more = size_in_query(text)
        if batch and size + more > limit:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += more
    if batch:
        yield batch


@lru_cache(100_000)      # of the same scopes, for every metric of every period
def size_in_query(text: str) -> int:
    """The bytes that ``text`` adds to :func:`one_of`."""
    return len(quoted(literally(text)).encode())


def encodable(text: str) -> bool:
    """Whether ``text`` can be sent at all: Python strings may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def duration(length: timedelta) -> str:
    """``3600s``, or in milliseconds where it is no whole number of seconds."""
    milliseconds = length // _MILLISECOND
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def selector_problem(text: str) -> str:
    """Why ``text`` cannot be a selector such as ``up`` or ``up{job="node"}``; empty where it can."""
    if text and SELECTOR.match(text):
        return ""
    return f"{text!r} is not a selector: write one such as up or up{{job=\"node\"}}"
