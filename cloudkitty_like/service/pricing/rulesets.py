"""Rule-set versions: the number under which everything that a price depends on is kept."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules, rulesets
from cloudkitty_like.domain.change import Ruleset
from cloudkitty_like.domain.errors import NotFound


def current(database: Database, *, metrics: str, digest: str, software: str, now: datetime) -> Ruleset:
    """The version of the newest rules with this metrics.yml (its text and its digest) and this software.

    Made where nobody has needed it before; all workers get the same one.
    """
    with database.read() as tx:
        change = rules.latest(tx)
        ruleset = rulesets.find(tx, change, digest, software)
    if ruleset is not None:
        return ruleset
    keep_document(database, digest, metrics, now)
    _unless_there(database, lambda tx: rulesets.add(tx, change, digest, software, now))
    with database.read() as tx:
        ruleset = rulesets.find(tx, change, digest, software)
    if ruleset is None:
        raise NotFound(f"the rule-set version of change {change} is gone")
    return ruleset


def keep_document(database: Database, digest: str, text: str, now: datetime) -> None:
    """Keep the text of a metrics.yml under its digest, where nobody has done so yet."""
    with database.read() as tx:
        kept = rulesets.has_document(tx, digest)
    if not kept:
        _unless_there(database, lambda tx: rulesets.add_document(tx, digest, text, now))


def get(database: Database, version: int) -> Ruleset:
    """What a version stands for; NotFound where there is none."""
    with database.read() as tx:
        ruleset = rulesets.get(tx, version)
    if ruleset is None:
        raise NotFound(f"there is no rule-set version {version}")
    return ruleset


def _unless_there(database: Database, insertion: Callable[[Connection], None]) -> None:
    with suppress(IntegrityError):     # where another worker was first, with the same
        database.transact(insertion)
