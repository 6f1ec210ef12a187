"""Rules of the hashmap module: applying a file of them, and looking at them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.rule_diff import RuleDiff, amended
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord, recorded

SHOWN = 20                             # changes that a refusal names
MOVES = ("a change that is recorded for later would come earlier, and nothing was recorded; give these rules the start "
         "or the end that is recorded ('rules export' has it), or say --move-changes")


@dataclass(frozen=True, slots=True)
class RuleApplication:
    """How wanted rules take the place of the stored ones (:mod:`cloudkitty_like.domain.rule_diff`)."""

    effective: datetime                # what holds before it stays as it is
    retroactive: bool = False
    dry_run: bool = False
    move_changes: bool = False         # whether a later change may move back to the effective time


class RetroactiveMove(Invalid):
    """The amendment would let a recorded later change come earlier, and nobody has asked for that."""

    def __init__(self, amendment: RuleDiff) -> None:
        super().__init__(*amendment.moves()[:SHOWN], hint=MOVES)
        self.amendment = amendment


def stored(database: Database, *, known_at: datetime | None = None) -> list[Rule]:
    """All rules, past and future ones too, as they are known now or were known at an instant."""
    with database.read() as tx:
        change = None if known_at is None else rules.changed_at(tx, known_at)
        return list(rules.stored(tx, change).values())


def apply(database: Database, wanted_rules: Sequence[Rule], how: RuleApplication,
          change: Change) -> RuleDiff:
    """Make the stored rules equal to the wanted ones, in one transaction; what had to be done.

    Where nothing has to be done, or on a dry run, nothing is recorded.

    :raises Invalid: as :func:`~cloudkitty_like.domain.rule_diff.amended` does.
    :raises RetroactiveMove: when a later change would move back and ``how`` does not allow for it.
    """
    def difference(tx: Connection) -> RuleDiff:
        amendment = amended(rules.stored(tx), wanted_rules, how.effective, how.retroactive)
        if amendment.moved_back and not (how.retroactive or how.move_changes):
            raise RetroactiveMove(amendment)
        return amendment

    def work(tx: Connection, number: int) -> RuleDiff:
        amendment = difference(tx)
        if not amendment:
            raise NothingToRecord
        rules.amend(tx, number, amendment)
        return amendment

    with database.read() as tx:
        expected = difference(tx)
    if how.dry_run or not expected:
        return expected
    try:
        return recorded(database, change, work)
    except NothingToRecord:                       # somebody else has just done the same
        return RuleDiff(unchanged=expected.unchanged)
