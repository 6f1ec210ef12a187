"""Trying a rating script out, before it is kept, on usage that is rated already; nothing is stored."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import frames as frame_rows
from cloudkitty_like.db.ledger import visibility, writes
from cloudkitty_like.db.rules import scripts
from cloudkitty_like.domain.explanation import ExplainedPoint, rounding
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.script import Script, in_force
from cloudkitty_like.ports import Storage
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.pricing.trace import Trace
from cloudkitty_like.service.pricing.usage import by_metric
from cloudkitty_like.service.reports.replay import Explanation
from cloudkitty_like.service.whatif.simulation import PYSCRIPTS


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The usage of one scope and period as all modules rate it, with the script among them."""

    scope: str
    period: Period
    frames: Sequence[Frame]            # prices rounded
    trace: Trace

    def explanations(self) -> Iterator[Explanation]:
        """Every point, and what made its price."""
        for number, frame in enumerate(self.frames):
            for row in range(len(frame)):
                parts = self.trace.parts(number, row)
                yield Explanation(ExplainedPoint.of(frame, row), parts, rounding(frame.price[row], parts))


@dataclass(frozen=True)
class ScriptTrial:
    """Rates as :class:`~cloudkitty_like.service.whatif.simulation.Simulation` does, and shows every point."""

    database: Database
    storage: Storage
    tariffs: Tariffs

    def run(self, script: Script, period: Period, scopes: frozenset[str] | None) -> Iterator[TrialResult]:
        """Each scope's period that is rated, with ``script`` beside the others that hold, in place of one of its name.

        Invalid where it does not compile, fails, or answers what is no usage.
        """
        with self.database.read() as tx:
            others = [other for other in in_force(scripts.stored(tx).values(), period.begin)
                      if other.name != script.name]
            query = Query(scopes=scopes, period=period, as_of=writes.last_tx(tx))
            invisible, max_revision = visibility.invisible_revisions(tx, query.as_of, query.period, query.scopes)
            invisible += frame_rows.handed_in(tx, query)
        pricing = self.tariffs.trial({PYSCRIPTS: [*others, script]})
        usage = self.storage.usage(query, invisible, max_revision)
        for (_, scope), pieces in groupby(
                usage, key=lambda piece: (piece[1].period.begin, piece[0])):
            frames = by_metric([frame for _, frame in pieces])
            if frames:
                yield TrialResult(scope, frames[0].period, *pricing.explain(scope, frames[0].period, frames))
