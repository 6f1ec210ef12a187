"""The ledger's index: which revision of which frame counts, and what it adds up to.

Everything here works on a connection inside somebody else's transaction.
Transactions that change the index take :func:`serialise` first, so that their
ids are in the order of their commits and ``as_of`` an id can be repeated.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.bulk_statement import BulkStatement
from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.engine import conflict
from cloudkitty_like.db.ledger.rollup import add_to_rollups, read_totals
from cloudkitty_like.db.ledger.visibility import LAST_REVISION
from cloudkitty_like.db.scopes import CLEARED_ERROR
from cloudkitty_like.db.tables import frame, ledger_setting, ledger_tx, revision_block, scope, total
from cloudkitty_like.db.types import seconds
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import Period

COLLECTED, POSTED = "collected", "posted"
MARIADB_OUT_OF_RANGE = (1690, 4025)    # of an expression, of a check; the driver calls both operational


@dataclass(frozen=True, slots=True)
class CurrentFrame:
    """A frame: its revision and what it was made with."""

    revision: int
    digest: bytes
    ruleset: int
    forgotten: bool = False            # whether its points are gone


@dataclass(frozen=True, slots=True)
class Publication:
    """A revision to be made current, and what the publisher believes about the state before."""

    revision: int
    scope_id: int
    period: Period
    expected: int | None               # the revision it supersedes; None: there is none
    ruleset: int
    digest: bytes
    points: int
    totals: Mapping[tuple[str, str], Amounts]     # by metric and unit
    origin: str = COLLECTED
    task: int | None = None            # the reprocess_task that makes it


@dataclass(frozen=True, slots=True)
class ScopeStep:
    """A scope's progress over one period: from being due at ``begin`` to being due at ``end``."""

    scope_id: int
    begin: datetime
    end: datetime


# --- settings and changes ------------------------------------------------------------------------


def settings(tx: Connection) -> dict[str, str]:
    return {row.name: row.value for row in tx.execute(select(ledger_setting))}


def set_settings(tx: Connection, values: Mapping[str, str]) -> None:
    """Record settings for good; Conflict where somebody else has done so at this moment."""
    try:
        tx.execute(insert(ledger_setting), [{"name": name, "value": value} for name, value in values.items()])
    except IntegrityError as error:
        raise conflict(error) from error


def serialise(tx: Connection) -> int:
    """Wait for every other change of the index to end; the last revision number given out."""
    query = select(ledger_setting.c.value).where(ledger_setting.c.name == LAST_REVISION).with_for_update()
    return int(tx.execute(query).scalar_one())


def open_tx(tx: Connection, *, at: datetime, author: str, cause: str, reason: str = "") -> int:
    """A new change of the ledger; its time never runs behind that of the change before."""
    last = tx.execute(select(ledger_tx.c.at).order_by(ledger_tx.c.id.desc()).limit(1)).scalar()
    at = at if last is None else max(at, last)
    row = tx.execute(insert(ledger_tx).values(at=at, author=author, cause=cause, reason=reason))
    return int(row.inserted_primary_key[0])     # type: ignore[index]


def last_tx(tx: Connection) -> int:
    """The last change of the ledger; 0 before the first."""
    return tx.execute(select(func.max(ledger_tx.c.id))).scalar() or 0


def tx_at(tx: Connection, when: datetime) -> int:
    """The last change of the ledger up to an instant; 0 where there was none."""
    query = select(ledger_tx.c.id).where(ledger_tx.c.at <= when).order_by(ledger_tx.c.id.desc()).limit(1)
    return tx.execute(query).scalar() or 0


# --- revisions -----------------------------------------------------------------------------------


def allocate(tx: Connection, count: int, at: datetime) -> tuple[int, int]:
    """``count`` new revision numbers: their block's id and the first of them."""
    last = serialise(tx)
    tx.execute(update(ledger_setting).where(ledger_setting.c.name == LAST_REVISION).values(value=str(last + count)))
    row = tx.execute(insert(revision_block).values(first=last + 1, last=last + count, at=at))
    return int(row.inserted_primary_key[0]), last + 1     # type: ignore[index]


def release(tx: Connection, block: int) -> None:
    """The block's revisions are published; Conflict where it was given up as abandoned meanwhile."""
    statement = delete(revision_block).where(revision_block.c.id == block, revision_block.c.given_up == 0)
    if tx.execute(statement).rowcount != 1:
        raise Conflict("the revisions were given up as abandoned before they were published")


def give_up(tx: Connection, before: datetime) -> dict[int, list[int]]:
    """Blocks allocated before then and never published: ids and revisions.  None can be published any more."""
    open_before = revision_block.c.at < before, revision_block.c.given_up == 0
    blocks = _blocks(tx, *open_before)
    tx.execute(update(revision_block).where(*open_before).values(given_up=1))
    return blocks


def given_up(tx: Connection, before: datetime) -> dict[int, list[int]]:
    """Blocks allocated before then that were given up: ids and revisions."""
    return _blocks(tx, revision_block.c.at < before, revision_block.c.given_up == 1)


def _blocks(tx: Connection, *conditions: ColumnElement[bool]) -> dict[int, list[int]]:
    rows = tx.execute(select(revision_block).where(*conditions))
    return {row.id: list(range(row.first, row.last + 1)) for row in rows}


def forget_blocks(tx: Connection, blocks: Collection[int]) -> None:
    """The points of these blocks are gone."""
    tx.execute(delete(revision_block).where(revision_block.c.id.in_(blocks)))


def current(tx: Connection, scope_ids: Collection[int], period: Period,
            origin: str = COLLECTED) -> dict[int, CurrentFrame]:
    """The current frames of a period, by scope id."""
    query = select(frame.c.scope_id, frame.c.revision, frame.c.digest, frame.c.ruleset, frame.c.forgotten).where(
        frame.c.begin == period.begin, frame.c.origin == origin, frame.c.current == 1)
    ids = set(scope_ids)
    return {row.scope_id: CurrentFrame(row.revision, bytes(row.digest), row.ruleset, row.forgotten is not None)
            for row in tx.execute(query) if row.scope_id in ids}


# --- publishing ----------------------------------------------------------------------------------


def publish(tx: Connection, change: int, publications: Sequence[Publication]) -> None:
    """Make these revisions current and move every total; Conflict where a belief was wrong."""
    if not publications:
        return
    replaced = [(p.expected, p) for p in publications if p.expected is not None]
    if replaced:
        _supersede(tx, change, [revision for revision, _ in replaced])
    _insert_frames(tx, change, publications)
    NEW_TOTALS.run(tx, [
        (p.revision, *kind, *amounts) for p in publications for kind, amounts in p.totals.items()
    ])
    before = read_totals(tx, [revision for revision, _ in replaced])
    try:
        add_to_rollups(tx, _differences(publications, before))
    except DBAPIError as error:
        if not isinstance(error, IntegrityError | DataError) and _code(error) not in MARIADB_OUT_OF_RANGE:
            raise
        raise Invalid(f"the total of a day or a month is out of range: {error.orig}") from error


def _code(error: DBAPIError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None


def _supersede(tx: Connection, change: int, revisions: Sequence[int]) -> None:
    statement = update(frame).where(frame.c.revision == bindparam("r"), frame.c.current == 1)
    done = tx.execute(statement.values(superseded=change, current=None), [{"r": r} for r in revisions])
    if done.rowcount != len(revisions):
        raise Conflict("a frame was superseded by somebody else meanwhile")


def _insert_frames(tx: Connection, change: int, publications: Sequence[Publication]) -> None:
    try:
        NEW_FRAMES.run(tx, [
            (p.revision, p.scope_id, seconds(p.period.begin), seconds(p.period.end), p.origin, change, None, 1,
             p.ruleset, p.digest, p.points, p.task, None) for p in publications
        ])
    except IntegrityError as error:
        raise conflict(error) from error


def _differences(
    publications: Iterable[Publication], before: Mapping[int, Mapping[tuple[str, str], Amounts]],
) -> Iterable[tuple[int, datetime, tuple[str, str], Amounts]]:
    for p in publications:
        old = before.get(p.expected, {}) if p.expected is not None else {}
        for kind in {**p.totals, **old}:
            amounts = p.totals.get(kind, Amounts()).minus(old.get(kind, Amounts())) if old else p.totals[kind]
            yield p.scope_id, p.period.begin, kind, amounts


def advance(tx: Connection, steps: Sequence[ScopeStep]) -> None:
    """Move the scopes' progress and clear what was wrong with them; Conflict where one is elsewhere."""
    statement = update(scope).where(scope.c.id == bindparam("scope_id"), scope.c.due == bindparam("from_due"))
    done = tx.execute(
        statement.values(due=bindparam("to_due"), **CLEARED_ERROR),
        [{"scope_id": s.scope_id, "from_due": seconds(s.begin), "to_due": seconds(s.end)} for s in steps],
    )
    if done.rowcount != len(steps):
        raise Conflict("the progress of a scope was moved by somebody else meanwhile")


NEW_FRAMES = BulkStatement(frame.c.keys(), lambda dialect: insert(frame))
NEW_TOTALS = BulkStatement(total.c.keys(), lambda dialect: insert(total))


def stale_scopes(tx: Connection, steps: Sequence[ScopeStep]) -> set[int]:
    """The ids of those scopes whose progress is not where these steps begin."""
    dues: dict[int, datetime | None] = {}
    for ids in chunks([s.scope_id for s in steps]):
        query = select(scope.c.id, scope.c.due).where(scope.c.id.in_(ids))
        dues.update((row.id, row.due) for row in tx.execute(query))
    return {s.scope_id for s in steps if dues.get(s.scope_id) != s.begin}
