"""Whether the source still has what a command wants rated: many forget after some weeks."""
from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.period import instant

if TYPE_CHECKING:
    from cloudkitty_like.app import App

FROM_LEDGER = "'reprocess start --from-ledger' rates what the ledger has kept of that time"


def warn_of_forgotten(app: App, begin: datetime, advice: str = FROM_LEDGER) -> None:
    """Say so where rating is to begin before what the source keeps; a source that does not tell is believed."""
    try:
        tell = getattr(app.collector, "keeps_since", None)
        since = None if tell is None else tell(app.clock())
    except Error:
        return                 # what is wrong with the source is said where it is needed
    if since is not None and begin < since:
        days = (app.clock() - since).total_seconds() / 86400
        print(f"cloudkitty-like: warning: the source keeps {days:.3g} days, so nothing before {instant(since)[:19]}Z, "
              f"and {instant(begin)} is before that; {advice}", file=sys.stderr)
