"""Which metric definitions the ledger is rated by, who has accepted them, and the check that nothing else counts."""
from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select

from cloudkitty_like.db.tables import metrics_acceptance, metrics_document, ruleset
from cloudkitty_like.domain.acceptance import Acceptance, ReplacedDefinitions


def last(tx: Connection) -> Acceptance | None:
    """The acceptance that holds; None where no worker has been at work yet."""
    row = tx.execute(select(metrics_acceptance).order_by(metrics_acceptance.c.id.desc()).limit(1)).first()
    return None if row is None else _of_row(row)


def everything(tx: Connection) -> list[Acceptance]:
    """All of them, in their order."""
    return [_of_row(row) for row in tx.execute(select(metrics_acceptance).order_by(metrics_acceptance.c.id))]


def last_of(tx: Connection, digest: str) -> int:
    """The number of the last acceptance of these definitions; 0 where they never were accepted."""
    query = select(func.max(metrics_acceptance.c.id)).where(metrics_acceptance.c.digest == digest)
    return tx.execute(query).scalar() or 0


def explicit_after(tx: Connection, number: int) -> Acceptance | None:
    """The last acceptance by ``metrics accept`` after the one of that number; None where there is none."""
    row = tx.execute(select(metrics_acceptance).where(
        metrics_acceptance.c.explicit == 1, metrics_acceptance.c.id > number,
    ).order_by(metrics_acceptance.c.id.desc()).limit(1)).first()
    return None if row is None else _of_row(row)


def add(tx: Connection, *, digest: str, skip: str, at: datetime, author: str, explicit: bool, reason: str) -> None:
    """Let these definitions hold from now on; their document is kept already, the ledger's changes are serialised."""
    tx.execute(insert(metrics_acceptance).values(
        digest=digest, skip=skip, at=at, author=author, explicit=int(explicit), reason=reason))


def require(tx: Connection, rulesets: Collection[int]) -> None:
    """Check that these rule-set versions stand for the definitions that hold.

    :raises ReplacedDefinitions: when one of them stands for others.

    The ledger's changes are serialised, so the answer stays true until the transaction ends.
    """
    accepted = last(tx)
    if accepted is None or not rulesets:
        return
    query = select(ruleset.c.version).where(ruleset.c.version.in_(sorted(set(rulesets))),
                                            ruleset.c.metrics != accepted.digest)
    if tx.execute(query).first() is not None:
        raise ReplacedDefinitions(f"other metric definitions were accepted meanwhile, by {accepted.author}: "
                                  "what was measured by the former ones is dropped and due again")


def texts(tx: Connection, digests: Collection[str]) -> dict[str, str]:
    """The files of these digests, by digest."""
    query = select(metrics_document.c.digest, metrics_document.c.text).where(
        metrics_document.c.digest.in_(sorted(digests)))
    return {row.digest: row.text for row in tx.execute(query)}


def _of_row(row: Row[tuple[object, ...]]) -> Acceptance:
    return Acceptance(row.id, row.digest, row.skip, row.at, row.author, bool(row.explicit), row.reason)
