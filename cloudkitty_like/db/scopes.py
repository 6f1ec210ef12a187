"""The scopes and their state: how far each is rated, and what is wrong with it."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Row, bindparam, case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.engine import conflict
from cloudkitty_like.db.tables import scope, scope_reset
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.errors import Conflict, NotFound
from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.domain.scope_state import POSTED_ONLY, ScopeFailure, ScopeState

CLEARED_ERROR: Mapping[str, Any] = MappingProxyType({
    "failures": 0, "error": None, "error_kind": None, "error_at": None, "retry_at": None, "parked_ruleset": None})




def of_row(row: Row[Any]) -> ScopeState:
    """A row of the table as a value."""
    return ScopeState(
        id=row.id, scope=Scope(row.identifier, row.scope_key, row.fetcher, row.collector), active=bool(row.active),
        starts_at=row.starts_at, first=row.first, due=row.due, failures=row.failures, error=row.error,
        error_kind=row.error_kind, error_at=row.error_at, retry_at=row.retry_at, parked_ruleset=row.parked_ruleset,
        shard_hash=row.shard_hash, seen_at=row.seen_at, toggled_at=row.toggled_at,
    )


def shard_hash(identifier: str) -> int:
    """A number below 2^31 that depends on the id alone; modulo the number of shards it is the shard."""
    return crc32(identifier.encode()) & 0x7FFFFFFF


def everything(tx: Connection) -> list[ScopeState]:
    """All scopes, by identifier."""
    return [of_row(row) for row in tx.execute(select(scope).order_by(scope.c.identifier))]


def identifiers(tx: Connection) -> list[str]:
    """The ids of all scopes."""
    return list(tx.execute(select(scope.c.identifier)).scalars())


def errors(tx: Connection) -> list[str]:
    """What is wrong now with scopes that are rated, each message once."""
    return list(tx.execute(select(scope.c.error).where(
        scope.c.error.is_not(None), scope.c.active == 1).distinct()).scalars())


def fetchers(tx: Connection) -> dict[str, str]:
    """Which fetcher has found each scope, by the scope's id."""
    return {row.identifier: row.fetcher for row in tx.execute(select(scope.c.identifier, scope.c.fetcher))}


def ids(tx: Connection, identifiers: Collection[str]) -> dict[str, int]:
    """The rows of those of these scopes that there are, by identifier."""
    numbers = {}
    for names in chunks(list(identifiers)):
        query = select(scope.c.identifier, scope.c.id).where(scope.c.identifier.in_(names))
        numbers.update({row.identifier: row.id for row in tx.execute(query)})
    return numbers


def named(tx: Connection, identifiers: Collection[str]) -> list[ScopeState]:
    """These scopes; NotFound naming every id that there is not."""
    rows = []
    for names in chunks(list(identifiers)):
        query = select(scope).where(scope.c.identifier.in_(names))
        rows += [of_row(row) for row in tx.execute(query)]
    missing = sorted(set(identifiers) - {row.identifier for row in rows})
    if missing:
        raise NotFound("\n".join(f"no scope is called {name!r}" for name in missing),
                       hint="'cloudkitty-like scopes list' shows them all")
    return sorted(rows, key=lambda row: row.identifier)


def register(tx: Connection, scopes: Iterable[Scope], now: datetime) -> list[str]:
    """Add those that no fetcher has found yet; their ids.  Conflict where somebody else adds one now.

    What was only posted about so far stays the same scope, and is the fetcher's from now on.
    """
    finders = fetchers(tx)
    candidates = {candidate.identifier: candidate for candidate in scopes
                  if finders.get(candidate.identifier) in (None, POSTED_ONLY)}
    new = [candidate for candidate in candidates.values() if candidate.identifier not in finders]
    adopted = [candidate for candidate in candidates.values() if candidate.identifier in finders
               and candidate.fetcher != POSTED_ONLY]
    if new:
        _add(tx, new, now)
    if adopted:
        statement = update(scope).where(scope.c.identifier == bindparam("known"), scope.c.fetcher == POSTED_ONLY)
        tx.execute(statement.values(scope_key=bindparam("key"), fetcher=bindparam("finder"),
                                    collector=bindparam("reader"), seen_at=now),
                   [{"known": candidate.identifier, "key": candidate.key,
                     "finder": candidate.fetcher, "reader": candidate.collector}
                    for candidate in adopted])
    return [candidate.identifier for candidate in (*new, *adopted)]


def _add(tx: Connection, new: Sequence[Scope], now: datetime) -> None:
    try:
        tx.execute(insert(scope), [
            {"identifier": candidate.identifier, "scope_key": candidate.key,
             "fetcher": candidate.fetcher, "collector": candidate.collector,
             "shard_hash": shard_hash(candidate.identifier), "active": 1, "seen_at": now,
             "starts_at": None, "failures": 0}
            for candidate in new
        ])
    except IntegrityError as error:
        raise conflict(error) from error


def due(tx: Connection, now: datetime, *, length: timedelta, wait_periods: int, ruleset: int) -> list[ScopeState]:
    """Active scopes with a period that can be rated now, those not started among them.

    Not those that no fetcher has found, nor those that wait after a failure of the source, nor those that were
    parked under this very rule-set version.
    """
    latest = seconds(now - (1 + wait_periods) * length)
    query = select(scope).where(
        scope.c.active == 1,
        scope.c.fetcher != POSTED_ONLY,
        or_(scope.c.due.is_(None), scope.c.due <= latest),
        # What failed in the future failed before the clock was set back: its pause would last until then.
        or_(scope.c.retry_at.is_(None), scope.c.retry_at <= now, scope.c.error_at > now),
        or_(scope.c.parked_ruleset.is_(None), scope.c.parked_ruleset != ruleset),
    )
    return [of_row(row) for row in tx.execute(query)]


def start(tx: Connection, starts: Mapping[datetime, Collection[int]]) -> None:
    """Rating of scopes starts with the period that begins then; those already started stay as they are."""
    statement = update(scope).where(scope.c.id == bindparam("scope_id"), scope.c.due.is_(None)).values(
        first=bindparam("begin"), due=bindparam("begin"), **CLEARED_ERROR)
    tx.execute(statement, [{"scope_id": number, "begin": seconds(begin)}
                           for begin, ids in starts.items() for number in sorted(ids)])




def fail(tx: Connection, failures: Sequence[ScopeFailure], at: datetime) -> None:
    """Keep what went wrong; progress stays where it is.

    A scope that somebody else has moved on meanwhile is left alone: what failed here did not fail there.
    """
    statement = update(scope).where(scope.c.id == bindparam("scope_id"),
                                    scope.c.due.is_not_distinct_from(bindparam("was_due", type_=scope.c.due.type)))
    tx.execute(
        statement.values(failures=scope.c.failures + 1, error=bindparam("message"), error_kind=bindparam("kind"),
                         error_at=at, retry_at=bindparam("not_before"), parked_ruleset=bindparam("parked")),
        [{"scope_id": f.scope_id, "was_due": f.due, "message": f.message, "kind": f.kind, "not_before": f.retry_at,
          "parked": f.parked_ruleset} for f in failures],
    )


def _change(tx: Connection, ids: Sequence[int], values: Mapping[str, object]) -> None:
    for numbers in chunks(ids):
        tx.execute(update(scope).where(scope.c.id.in_(numbers)).values(**values))


def clear(tx: Connection, ids: Sequence[int]) -> None:
    """Forget what was wrong: the scopes are tried again at once."""
    _change(tx, ids, CLEARED_ERROR)


def set_active(tx: Connection, ids: Sequence[int], active: bool, at: datetime) -> None:
    """Switch them on or off; when that was is kept of those that were not so before."""
    for numbers in chunks(ids):
        tx.execute(update(scope).where(scope.c.id.in_(numbers), scope.c.active != int(active))
                   .values(active=int(active), toggled_at=at))


def set_source(tx: Connection, ids: Sequence[int], names: Mapping[str, str]) -> None:
    """Change scope_key, fetcher or collector."""
    if names:
        _change(tx, ids, names)


def add(tx: Connection, new: Scope, due: datetime, *, active: bool, at: datetime) -> None:
    """A scope that is rated from ``due`` on; Conflict where there is one of its id."""
    if register(tx, [new], at) != [new.identifier]:
        raise Conflict(f"there is a scope {new.identifier!r} already")
    tx.execute(update(scope).where(scope.c.identifier == new.identifier).values(
        first=seconds(due), due=seconds(due), active=int(active), toggled_at=at))


def set_due(tx: Connection, ids: Sequence[int], begin: datetime) -> None:
    """Move the progress of started scopes."""
    _change(tx, ids, {"due": seconds(begin),
                      "first": case((scope.c.first > seconds(begin), seconds(begin)), else_=scope.c.first)})


def record_reset(tx: Connection, change: int, states: Iterable[ScopeState], begin: datetime) -> None:
    """Keep that a change of the ledger takes these scopes, as they are, to ``begin``."""
    tx.execute(insert(scope_reset), [{"tx": change, "scope_id": state.id, "was_due": state.due, "due": begin}
                                     for state in states])


def set_start(tx: Connection, ids: Sequence[int], begin: datetime) -> None:
    """Where rating of scopes that have not started is to start."""
    _change(tx, ids, {"starts_at": seconds(begin)})
