"""Single values of a ledger that may change: where its source ends, and whether a daemon is to be at work on it."""
from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db.tables import ledger_setting
from cloudkitty_like.domain.period import instant, parse_instant

SOURCE_ENDS, DAEMON = "source_ends", "daemon"


def source_ends(tx: Connection) -> datetime | None:
    """The last instant that the source will ever know of, as the last worker has seen it; None: it goes on."""
    value = _value(tx, SOURCE_ENDS)
    return None if value is None else parse_instant(value)


def set_source_ends(tx: Connection, ends: datetime | None) -> None:
    """See :func:`source_ends`."""
    _set(tx, SOURCE_ENDS, None if ends is None else instant(ends))


def daemon(tx: Connection) -> bool:
    """Whether a daemon works on this ledger, so that one is missing where there is none and something is due."""
    return _value(tx, DAEMON) is not None


def set_daemon(tx: Connection, expected: bool) -> None:
    """See :func:`daemon`."""
    _set(tx, DAEMON, "1" if expected else None)


def _value(tx: Connection, name: str) -> str | None:
    return tx.execute(select(ledger_setting.c.value).where(ledger_setting.c.name == name)).scalar()


def _set(tx: Connection, name: str, value: str | None) -> None:
    if value is None:
        tx.execute(delete(ledger_setting).where(ledger_setting.c.name == name))
    elif not tx.execute(update(ledger_setting).where(ledger_setting.c.name == name).values(value=value)).rowcount:
        with suppress(IntegrityError), tx.begin_nested():      # where another worker sets the same at this moment
            tx.execute(insert(ledger_setting).values(name=name, value=value))
