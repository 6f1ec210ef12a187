"""Figures about an installation at work, for who watches it: of its workers, its scopes and its ledger."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from cloudkitty_like.db import scopes, settings, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, tasks, writes
from cloudkitty_like.domain.hole import MISSING
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import METRIC, Query
from cloudkitty_like.domain.scope_state import RATING, SOURCE, ScopeState
from cloudkitty_like.domain.task import OPEN
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, CAUSES
from cloudkitty_like.service.operation.health import rated_up_to
from cloudkitty_like.service.operation.workers import worker_overview
from cloudkitty_like.service.reports.summary import Summary

SampleLabels = dict[str, str]


@dataclass(frozen=True, slots=True)
class MetricSample:
    """A name, what it is, ``counter`` or ``gauge``, and its value by labels."""

    name: str
    text: str
    kind: str
    values: list[tuple[SampleLabels, float]]


@dataclass(frozen=True)
class Statistics:
    """``length`` and ``wait_periods`` say when a scope lags: a period later than it could be."""

    database: Database
    summary: Summary
    clock: Callable[[], datetime]
    length: timedelta
    wait_periods: int

    def now(self) -> list[MetricSample]:
        """All of them, from one look at the state database and one at the month's totals."""
        with self.database.read() as tx:
            samples = [*self._workers(tx), *self._workforce(tx), *self._scopes(tx),
                       self._holes(tx), self._tasks(tx)]
            changes = writes.last_tx(tx)
        samples.append(MetricSample("ledger_changes_total", "Changes of the ledger", "counter",
                                    [({}, float(changes))]))
        samples.append(self._unpriced())
        return samples

    def _workers(self, tx: Connection) -> Iterator[MetricSample]:
        beats = workers.everyone(tx)
        alive = sum(self.clock() - beat.seen_at <= ALIVE_WITHIN for beat in beats)
        yield MetricSample("workers", "Workers seen lately", "gauge", [({}, float(alive))])
        for name, text in (("periods", "Scopes' periods rated"), ("points", "Data points rated"),
                           ("requests", "Requests made to the source"),
                           ("failures", "Requests to the source that failed")):
            kind = f"source_{name}_total" if name in ("requests", "failures") else f"{name}_rated_total"
            yield MetricSample(kind, text, "counter",
                               [({"worker": beat.id}, float(getattr(beat, name))) for beat in beats])
        for place, clock in ((0, "wall clock"), (1, "CPU")):
            yield MetricSample(f"stage_{('seconds', 'cpu_seconds')[place]}_total",
                               f"Seconds of {clock} by stage of rating",
                               "counter", [({"worker": beat.id, "stage": stage}, spent[place])
                                           for beat in beats for stage, spent in sorted(beat.stages.items())])

    def _workforce(self, tx: Connection) -> Iterator[MetricSample]:
        overview = worker_overview(tx, self.clock(), self.length, self.wait_periods)
        blocked = Counter(beat.blocked for beat in overview.alive)
        yield MetricSample("workers_blocked", "Workers that cannot rate anything, by what keeps them from it", "gauge",
                           [({"cause": cause}, float(blocked[cause])) for cause in CAUSES])
        yield MetricSample("workers_missing",
                           "1 where something is due and the worker that is to rate it is gone", "gauge",
                           [({}, float(overview.missing))])
        yield MetricSample("scopes_due", "Scopes with a period that could be rated now", "gauge",
                           [({}, float(overview.due))])

    def _scopes(self, tx: Connection) -> Iterator[MetricSample]:
        states, ends = scopes.everything(tx), settings.source_ends(tx)
        active = [state for state in states if state.active]
        yield MetricSample("scopes", "Scopes by whether they are rated", "gauge",
                           [({"active": "true"}, float(len(active))),
                            ({"active": "false"}, float(len(states) - len(active)))])
        yield MetricSample("scopes_lagging", "Scopes rated a period later than they could be, or more", "gauge",
                           [({}, float(sum(self._lags(state, ends) for state in active)))])
        failing = Counter(state.error_kind or "other" for state in active if state.error is not None)
        yield MetricSample("scopes_failing", "Scopes that could not be rated when last tried", "gauge",
                           [({"kind": kind}, float(failing[kind])) for kind in (SOURCE, RATING)])
        yield MetricSample("scopes_parked", "Scopes that wait for other rules", "gauge",
                           [({}, float(sum(state.parked_ruleset is not None for state in active)))])
        latest = rated_up_to(states)
        yield MetricSample("last_rated_timestamp_seconds", "End of the last period rated of any scope", "gauge",
                           [] if latest is None else [({}, latest.timestamp())])

    def _holes(self, tx: Connection) -> MetricSample:
        extents = holes.extents(tx)
        return MetricSample("periods_missing", "Scopes' periods that rating has gone past without rating them", "gauge",
                            [({"kind": kind}, self._periods(extents[kind].seconds) if kind in extents else 0.0)
                             for kind in MISSING])

    def _periods(self, seconds: int) -> float:
        return seconds / self.length.total_seconds()

    def _tasks(self, tx: Connection) -> MetricSample:
        states = Counter(task.state for task in tasks.everything(tx, waiting=True))
        return MetricSample("reprocess_tasks", "Tasks that correct the past and have not ended", "gauge",
                            [({"state": state}, float(states[state])) for state in OPEN])

    def _lags(self, state: ScopeState, ends: datetime | None) -> bool:
        if ends is not None and state.due is not None and state.due > ends:
            return False           # the source has ended: it is rated up to there
        return state.due is not None and state.due <= self.clock() - (2 + self.wait_periods) * self.length

    def _unpriced(self) -> MetricSample:
        month = Query(scopes=None, period=Period.month_of(self.clock()), groupby=(METRIC,))
        return MetricSample("unpriced_points", "Points of this month that no rule has priced", "gauge",
                            [({"type": row.key[0], "unit": row.unit}, float(row.sum.unpriced))
                             for row in self.summary.rows(month)])
