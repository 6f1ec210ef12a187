"""Where the source ends, if it does: a file has a last row, and nothing is due after it."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cloudkitty_like.db import settings
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Error


class SourceEnd:
    """Asks a collector that has the optional member ``ends``, and keeps the answer for ``status`` and the API."""

    def __init__(self, database: Database, collector: Any, asking: Callable[[Callable[[], Any]], Any]) -> None:
        self._database, self._asking = database, asking
        self._ends: Callable[[], datetime | None] = getattr(collector, "ends", lambda: None)
        self._kept: tuple[datetime | None] | None = None       # what the database holds; None: not looked yet

    def __call__(self) -> datetime | None:
        """The last instant that the source will ever know of; None: it goes on.  Raises Stopped."""
        try:
            ends: datetime | None = self._asking(self._ends)
        except Error:
            return None            # whoever asks for usage is told why
        if self._kept is None:
            with self._database.read() as tx:
                self._kept = (settings.source_ends(tx),)
        if self._kept != (ends,):
            self._database.transact(lambda tx: settings.set_source_ends(tx, ends))
            self._kept = (ends,)
        return ends
