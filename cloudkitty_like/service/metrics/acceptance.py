"""The metric definitions by which a ledger is rated: one set for all workers, decided in one transaction.

A worker says by its heartbeat what it measures by.  Where no other worker is
at work by the definitions that hold, its own come to hold; where one is, it
has to wait.  ``metrics accept`` decides for all of them, and what it has
replaced does not come back by a mere restart.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cloudkitty_like.db import acceptances, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import writes
from cloudkitty_like.domain.acceptance import Acceptance
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.worker_state import WorkerState
from cloudkitty_like.service import strict_yaml
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.pricing import rulesets

SHOWN = 12              # characters of a digest that people are shown
HINT = ("give every host the same metrics.yml, or decide for all workers: "
        "cloudkitty-like metrics accept FILE --reason TEXT")


class DefinitionsDiffer(Conflict):
    """Other metric definitions hold than those of the worker that asks: it must not rate."""


class DefinitionsHeld(DefinitionsDiffer):
    """Others are at work by the definitions that hold; ``seen_at``: when one of them was seen last."""

    def __init__(self, message: str, seen_at: datetime, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.seen_at = seen_at


@dataclass(frozen=True, slots=True)
class DefinitionsDifference:
    """What one metrics.yml has that another has not, by names of metrics in the source."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skip: bool = False                 # whether the default skip expression is another

    def __str__(self) -> str:
        parts = [f"{', '.join(names)} {what}" for names, what in (
            (self.added, "added"), (self.changed, "changed"), (self.removed, "removed")) if names]
        parts += ["skip_datapoints_expression changed"] if self.skip else []
        return "; ".join(parts) or "the same metrics, written differently"


@dataclass(frozen=True, slots=True)
class DefinitionsInUse:
    """Which definitions hold, and the living workers that measure by them and by others."""

    accepted: Acceptance
    agreeing: Sequence[WorkerState]
    differing: Sequence[WorkerState]

    def __str__(self) -> str:
        """One line that names the workers that differ and those that they differ from."""
        if not self.differing:
            return f"{self.accepted.digest[:SHOWN]}, accepted by {self.accepted.author}"
        rating = f"; rated by the accepted ones: {_places(self.agreeing)}" if self.agreeing else (
            "; no worker is at work by the accepted ones")
        return (f"{_places(self.differing, digests=True)} wait: their metric definitions are not the accepted ones "
                f"({self.accepted.digest[:SHOWN]}){rating}")


class Acceptances:
    """Which definitions hold for one ledger."""

    def __init__(self, database: Database, clock: Callable[[], datetime], author: str) -> None:
        self._database, self._clock, self._author = database, clock, author

    def current(self) -> Acceptance | None:
        """The acceptance that holds; None before the first worker."""
        with self._database.read() as tx:
            return acceptances.last(tx)

    def text(self) -> str | None:
        """The metrics.yml that holds, as it was written; None before the first worker."""
        with self._database.read() as tx:
            accepted = acceptances.last(tx)
            return None if accepted is None else _text_of(tx, accepted)

    def standing(self) -> DefinitionsInUse | None:
        """As :func:`standing_of`, now."""
        with self._database.read() as tx:
            return standing_of(tx, self._clock())

    def accept(self, file: MetricsFile, reason: str) -> DefinitionsDifference | None:
        """Let these definitions hold for every worker; what they change, None where they hold already."""
        if not reason.strip():
            raise Invalid("--reason: say why the definitions change")
        before, accepted = self._text_of_last()
        if accepted is not None and accepted.digest == file.digest:
            return None
        self._keep(file)

        def work(tx: Connection) -> None:
            writes.serialise(tx)
            acceptances.add(tx, digest=file.digest, skip=file.skip, at=self._clock(),
                            author=self._author, explicit=True, reason=reason)

        self._database.transact(work)
        return difference(before, file.text, accepted is not None and accepted.skip != file.skip)

    def differs(self, file: MetricsFile) -> DefinitionsDifference | None:
        """What ``accept`` would change; None where nothing."""
        before, accepted = self._text_of_last()
        if accepted is not None and accepted.digest == file.digest:
            return None
        return difference(before, file.text, accepted is not None and accepted.skip != file.skip)

    def settle(self, file: MetricsFile, worker: str, known: int, *, patient: bool = False) -> None:
        """Return where the worker of that id may rate by its own definitions, which hold from now on if they did not.

        ``known``: the last acceptance when the worker began; one made by an
        operator since is not undone by it.  ``patient``: not to take the place
        of workers that have gone only a moment ago.  Raises DefinitionsHeld, or DefinitionsDiffer.
        """
        self._keep(file)

        def work(tx: Connection) -> None:
            # Whoever decides has serialised the ledger's changes: of two that start at once one is first.
            writes.serialise(tx)
            accepted = acceptances.last(tx)
            if accepted is not None:
                if accepted.digest == file.digest:
                    return
                self._refuse(tx, accepted, file, worker, known, patient)
            why = "the first of this ledger" if accepted is None else "no other was at work"
            acceptances.add(tx, digest=file.digest, skip=file.skip, at=self._clock(),
                            author=self._author, explicit=False,
                            reason=f"worker {_place(worker)}: {why}")

        self._database.transact(work)

    def _refuse(self, tx: Connection, accepted: Acceptance, file: MetricsFile, worker: str, known: int,
                patient: bool) -> None:
        now = self._clock()
        holders = [beat for beat in workers.everyone(tx)
                   if beat.id != worker and beat.alive(now) and beat.metrics == accepted.digest]
        mine = f"worker {_place(worker)} has other metric definitions ({file.digest[:SHOWN]})"
        if holders:
            raise DefinitionsHeld(f"{mine} than {_places(holders)} ({accepted.digest[:SHOWN]})",
                                  max(beat.seen_at for beat in holders), hint=HINT)
        ruling = acceptances.explicit_after(tx, acceptances.last_of(tx, file.digest) or known)
        if ruling is not None:
            raise DefinitionsDiffer(f"{mine} than {ruling.author} has accepted for all workers "
                                    f"({ruling.digest[:SHOWN]}): "
                                    f"{ruling.reason}",
                            hint="give this host that file ('cloudkitty-like metrics show' prints it), or accept this "
                                 "one: cloudkitty-like metrics accept FILE --reason TEXT")
        if patient:
            raise DefinitionsDiffer(f"{mine} than the workers that were at work a moment ago "
                                    f"({accepted.digest[:SHOWN]})",
                                    hint=HINT)

    def _keep(self, file: MetricsFile) -> None:
        rulesets.keep_document(self._database, file.digest, file.text, self._clock())

    def _text_of_last(self) -> tuple[str | None, Acceptance | None]:
        with self._database.read() as tx:
            accepted = acceptances.last(tx)
            return (None if accepted is None else _text_of(tx, accepted)), accepted


def _text_of(tx: Connection, accepted: Acceptance) -> str:
    return acceptances.texts(tx, [accepted.digest])[accepted.digest]


def standing_of(tx: Connection, now: datetime) -> DefinitionsInUse | None:
    """See :class:`DefinitionsInUse`; None before the first worker."""
    accepted = acceptances.last(tx)
    if accepted is None:
        return None
    living = [beat for beat in workers.everyone(tx) if beat.alive(now) and beat.metrics is not None]
    return DefinitionsInUse(accepted, [beat for beat in living if beat.metrics == accepted.digest],
                            [beat for beat in living if beat.metrics != accepted.digest])


def difference(before: str | None, after: str, skip: bool = False) -> DefinitionsDifference:
    """What ``after`` has that ``before`` (None: no file) has not; both are files that were accepted."""
    old, new = _definitions(before), _definitions(after)
    return DefinitionsDifference(
        tuple(name for name in new if name not in old),
        tuple(name for name in new if name in old and new[name] != old[name]),
        tuple(name for name in old if name not in new), skip)


def _definitions(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        document = strict_yaml.load(text, "metrics.yml")
        return dict(document["metrics"])
    except (Invalid, TypeError, KeyError, ValueError):
        return {}              # a release that reads the format otherwise may have kept it


def _place(worker: str) -> str:
    """Host and process of a worker's id, as :attr:`Heartbeat.place` has them."""
    return worker.rpartition(":")[0] or worker


def _places(beats: Sequence[WorkerState], digests: bool = False) -> str:
    return ", ".join(beat.place + (f" ({(beat.metrics or '')[:SHOWN]})" if digests else "") for beat in beats)
