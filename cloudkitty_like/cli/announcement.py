"""What a processor says when it starts: which it is, what it works on, and what it waits for."""
from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudkitty_like import __version__
from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudkitty_like.app import App
    from cloudkitty_like.domain.scope_state import ScopeState

LOG = logging.getLogger(__name__)


def announce(app: App) -> None:
    """Log it, in one line; nothing where the database does not answer at this moment."""
    try:
        said = "; ".join(_said(app))
    except Unavailable as error:
        LOG.debug("%s", error)
        return
    LOG.info("%s", said)


def _said(app: App) -> Iterator[str]:
    conf = app.conf
    files = [*(conf.config_file or ()), *(conf.config_dir or ())]
    yield f"cloudkitty-like {__version__}, configuration {', '.join(map(str, files)) or 'of defaults alone'}"
    yield f"database {app.database}"
    yield (f"usage by {conf.collect.collector}, {counted(len(app.metrics.metrics), 'metric')} of "
           f"{conf.collect.metrics_conf} ({app.metrics.digest[:12]})")
    states = [state for state in app.use_cases.scopes.states() if state.active and state.found]
    yield _waits_for(states, app.clock(), app.period, conf.collect.wait_periods, conf.fetcher.backend)


def _waits_for(states: list[ScopeState], now: datetime, length: timedelta, wait_periods: int, fetcher: str) -> str:
    """How many scopes there are, and when the next period of theirs is to be rated."""
    if not states:
        return f"no scope is known yet: {fetcher} is asked for them"
    failing, new = sum(state.error is not None for state in states), sum(state.due is None for state in states)
    parts = [counted(len(states), "scope")]
    parts += [f"{new} not started"] if new else []
    parts += [f"{failing} with an error, see 'cloudkitty-like scopes list'"] if failing else []
    dues = [state.due for state in states if state.due is not None]
    ready = [due for due in dues if due + (1 + wait_periods) * length <= now]
    if ready:
        parts.append(f"{counted(len(ready), 'scope')} due from {instant(min(ready))} on")
    elif dues:
        at = min(dues)
        parts.append(f"waiting until {instant(at + (1 + wait_periods) * length)} to rate what begins at {instant(at)}, "
                     f"after {counted(wait_periods, 'period')} for the source to complete it")
    return ", ".join(parts)
