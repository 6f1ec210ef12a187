"""The state database as the options of ``[database]`` describe it."""
from __future__ import annotations

from typing import Any

from cloudkitty_like.app.configuration import DEFAULT_DATABASE
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.limits import Limits


def make(options: Any) -> Database:
    """The database of the group's options; nothing is connected yet."""
    pool = {"pool_size": options.max_pool_size, "max_overflow": options.max_overflow,
            "pool_timeout": options.pool_timeout}
    given = {name: value for name, value in pool.items() if value is not None}
    return Database(options.connection or DEFAULT_DATABASE, pool_recycle=options.connection_recycle_time, **given)


def url_of(connection: str) -> str:
    """The URL, with password and driver, of the database that an option's value names."""
    return Database(connection).url.render_as_string(hide_password=False)


def limits(options: Any, answers: bool, question: float | None) -> Limits:
    """How long it is waited for; ``answers``, ``question``: see ``App.limit_database``."""
    return Limits(connect=options.connect_timeout, network=options.network_timeout,
                  answer=options.answer_timeout if answers else None, question=question)
