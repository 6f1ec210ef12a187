"""What is wrong, in the log: one line when a cause begins and one when it is over, whoever suffers from it."""
from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

LOG = logging.getLogger(__name__)
CHANGING = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z?)?|0x[0-9a-fA-F]+")
"""What differs from one try to the next although the cause is the same: instants, and addresses in memory."""


def cause(text: object) -> str:
    """A message without what changes from one try to the next: equal for one cause."""
    return CHANGING.sub("...", str(text).partition("\n")[0])


def lasted(time: timedelta) -> str:
    """``3 h``, ``12 min``, ``40 s``."""
    seconds = max(int(time.total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@dataclass
class _Outage:
    text: str
    since: datetime
    sufferers: set[Hashable]


class Outages:
    """The causes that stand now, in one process.  Thread-safe."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._standing: dict[str, _Outage] = {}
        self._lock = threading.Lock()

    def begin(self, who: Hashable, what: str, error: object, level: int = logging.ERROR) -> None:
        """``who`` suffers from the error: a line, ``what: error``, where nobody suffered from the same before.

        What it suffered from before, if that is something else, is over.
        """
        key = cause(error)
        with self._lock:
            if key in self._standing:
                self._standing[key].sufferers.add(who)
            else:
                self._standing[key] = _Outage(f"{what}: {error}", self._clock(), {who})
                LOG.log(level, "%s", self._standing[key].text)
            self._end(who, keep=key)

    def end(self, who: Hashable) -> bool:
        """``who`` suffers from nothing any more: a line for each cause that nobody suffers from now.

        Whether it had suffered from anything.
        """
        with self._lock:
            suffered = any(who in outage.sufferers for outage in self._standing.values())
            self._end(who, keep=None)
        return suffered

    def forget(self, who: Hashable) -> None:
        """As :meth:`end`, without a line."""
        with self._lock:
            for key, outage in list(self._standing.items()):
                outage.sufferers.discard(who)
                if not outage.sufferers:
                    del self._standing[key]

    def _end(self, who: Hashable, keep: str | None) -> None:
        for key, outage in list(self._standing.items()):
            if key == keep or who not in outage.sufferers:
                continue
            outage.sufferers.discard(who)
            if not outage.sufferers:
                del self._standing[key]
                LOG.info("over after %s: %s", lasted(self._clock() - outage.since), outage.text.partition("\n")[0])
