"""Where the source ends, if it does: a file has a last row, and nothing is due after it."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.service.operation.scope_progress import ScopeProgress


class SourceEnd:
    """Asks a collector that has the optional member ``ends``, and keeps the answer for ``status`` and the API."""

    def __init__(self, progress: ScopeProgress, collector: Any, asking: Callable[[Callable[[], Any]], Any]) -> None:
        self._progress, self._asking = progress, asking
        self._ends: Callable[[], datetime | None] = getattr(collector, "ends", lambda: None)
        self._kept: tuple[datetime | None] | None = None       # what the database holds; None: not looked yet

    def __call__(self) -> datetime | None:
        """The last instant that the source will ever know of; None: it goes on.

        :raises WorkerStop: when the worker is to stop.
        """
        try:
            ends: datetime | None = self._asking(self._ends)
        except Error:
            return None            # whoever asks for usage is told why
        if self._kept is None:
            self._kept = (self._progress.source_ends(),)
        if self._kept != (ends,):
            self._progress.record_source_ends(ends)
            self._kept = (ends,)
        return ends
