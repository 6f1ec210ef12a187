"""How long a server keeps samples, as it says itself: Prometheus, and VictoriaMetrics with one process."""
from __future__ import annotations

import re
from datetime import timedelta

import msgspec

from cloudkitty_like.client.prometheus import Prometheus, answer_decoder
from cloudkitty_like.domain.errors import Unavailable

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
MONTH = timedelta(days=31)             # VictoriaMetrics' unit where none is written
FLAGS = "../../flags"                  # of VictoriaMetrics: beside /api/v1, not below it
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


class _Runtime(msgspec.Struct):
    storageRetention: str = ""  # noqa: N815 (the API's name)


RUNTIME = answer_decoder(_Runtime)


def retention(client: Prometheus) -> timedelta | None:
    """How long the server keeps samples; None where it does not tell, or keeps as much as its disk holds."""
    try:
        return duration(client.ask("status/runtimeinfo", {}, RUNTIME).data.storageRetention.partition(" or ")[0])
    except Unavailable:
        pass
    try:
        flags = client.fetch(FLAGS, {}).decode("utf-8", "replace")
    except Unavailable:
        return None
    flag = re.search(r'^-{1,2}retentionPeriod="?([^"\n]+)"?$', flags, re.MULTILINE)
    if flag is None:
        return None
    return MONTH * int(flag[1]) if flag[1].isdecimal() else duration(flag[1])


def duration(text: str) -> timedelta | None:
    """The length that ``15d`` or ``1d12h`` stands for; None where it is no length, or none at all."""
    if not re.fullmatch(f"(?:{PART.pattern})+", text):
        return None
    length = timedelta(seconds=sum(float(number) * SECONDS[unit] for number, unit in PART.findall(text)))
    return length or None
