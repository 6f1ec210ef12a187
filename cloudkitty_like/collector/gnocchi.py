"""Usage from Gnocchi: one aggregates request per metric, period and batch of scopes."""
from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from oslo_config import cfg

from cloudkitty_like.client import gnocchi_options
from cloudkitty_like.client.gnocchi import Gnocchi, MeasuredGroup
from cloudkitty_like.collector import gnocchi_measures, gnocchi_query
from cloudkitty_like.collector.gnocchi_query import GnocchiArguments
from cloudkitty_like.domain.errors import Error, Invalid, Refused, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import EPOCH, Period
from cloudkitty_like.domain.scope import check_identifier
from cloudkitty_like.ports import CollectorAnswer, PluginContext

LARGEST_BATCH = 1_000
"""Scopes of one request: Gnocchi's time for a list grows with the square of its length."""

RESOURCES_AT_ONCE = 2_000
"""About as many resources are asked for at once; Gnocchi takes a millisecond for each."""

UNWATCHED = -1


class GnocchiCollector:
    """Reads granules of many scopes at once and combines them into the usage of a period.

    ``max_backlog``: a period is collected only once metricd, after the period's end, had at most
    so many measures to process.  UNWATCHED: it is not asked, and no usage is never proven.
    """

    OPTS = (
        *gnocchi_options.OPTS,
        cfg.IntOpt("max_backlog", default=0, min=UNWATCHED, help=(
            "Measures that metricd may have to process when, once after a period's end, the period "
            "is collected. -1: do not ask, and never prove that there was no usage.")),
    )

    def __init__(self, client: Gnocchi, scope_key: str = "project_id",
                 max_backlog: int = 0) -> None:
        self.client = client
        self._scope_key = scope_key
        self._max_backlog = max_backlog
        self._lock = threading.Lock()
        self._processed_until = EPOCH
        self._batch: dict[str, int] = {}
        self._present: set[tuple[str, str]] = set()

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls(gnocchi_options.connect(group), context.scope_key, group.max_backlog)

    @property
    def requests_made(self) -> int:
        return self.client.requests_made

    def parse_args(self, extra_args: Mapping[str, Any]) -> GnocchiArguments:
        return gnocchi_query.parse_args(extra_args)

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        """See the port.  A scope whose answer is no usage fails alone.

        :raises Invalid: when granules do not divide the period, or Gnocchi refuses the question.
        :raises Unavailable: when Gnocchi does not answer, or metricd is behind.
        """
        args: GnocchiArguments = metric.args
        if problems := gnocchi_query.period_problems(args, period):
            raise Invalid(*problems)
        failed = _impossible(scopes)
        wanted = [scope for scope in dict.fromkeys(scopes) if scope not in failed]
        if not wanted:
            return CollectorAnswer({}, failed)
        # Before the usage: what arrived in between would be missing, and taken for processed.
        self._await_metricd(period)
        frames = {}
        groups = self._groups(metric, args, period, wanted)
        for scope, rows in groups.items():
            try:
                frame = gnocchi_measures.frame_of(metric, args, period, rows)
            except Invalid as error:
                failed[scope] = error
                continue
            if frame is not None:
                frames[scope] = frame
        complete = all(scope in frames or scope in failed for scope in wanted)
        return CollectorAnswer(frames, failed, complete or self._proves(metric, args))

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        """The begin of the earliest granule of any metric; one request per metric.

        :raises Refused: when nothing is found, and the credentials may not see everything.
        """
        begins = [self._begins(metric, period) for metric in metrics]
        first = min(filter(None, begins), default=None)
        if first is None and not self.client.reads_all():
            raise Refused(f"{self.client} shows no usage, and our credentials may not see all",
                          hint="give our user the role service or admin")
        return first

    def _begins(self, metric: Metric, period: Period) -> datetime | None:
        args: GnocchiArguments = metric.args
        parameters = [("start", period.begin.isoformat()), ("stop", period.end.isoformat()),
                      ("granularity", str(args.force_granularity))]
        try:
            series = self.client.series(gnocchi_query.body(metric, args, {}), parameters)
        except Invalid:
            # One odd metric spoils the answer about all.  No data is older than the resources.
            started = self.client.earliest_start(args.resource_type)
            return max(started, period.begin) if started and started < period.end else None
        return min((begin for begin, _, _ in series.aggregated if begin in period), default=None)

    def _groups(self, metric: Metric, args: GnocchiArguments, period: Period,
                scopes: Sequence[str]) -> dict[str, list[MeasuredGroup]]:
        """The groups of each scope; those of scopes that were not asked for are dropped."""
        names = gnocchi_query.groupby(metric, args, self._scope_key)
        history = str(args.use_all_resource_revisions).lower()
        parameters = [*gnocchi_query.window(args, period), ("use_history", history),
                      *(("groupby", name) for name in names)]
        groups: dict[str, list[MeasuredGroup]] = defaultdict(list)
        begin = 0
        while begin < len(scopes):
            batch = scopes[begin:begin + self._batch.get(metric.name, LARGEST_BATCH)]
            begin += len(batch)
            members = set(batch)
            search = gnocchi_query.of_scopes(self._scope_key, batch)
            answer = self.client.groups(gnocchi_query.body(metric, args, search), parameters)
            for group in answer:
                if not group.group.keys() >= set(names):
                    raise Unavailable(f"{self.client} left attributes out of {group.group}")
                scope = group.group[self._scope_key]
                if isinstance(scope, str) and scope in members:
                    groups[scope].append(group)
            if answer:
                self._present.add((args.resource_type, metric.name))
                fitting = RESOURCES_AT_ONCE * len(batch) // len(answer)
                self._batch[metric.name] = min(LARGEST_BATCH, max(1, fitting))
        return groups

    def _await_metricd(self, period: Period) -> None:
        """Make sure that metricd has processed what belongs to the period.

        :raises Unavailable: when it has not, so that the period stays due.
        """
        if self._max_backlog == UNWATCHED:
            return
        with self._lock:
            if self._processed_until >= period.end:
                return
            backlog = self.client.backlog()
            if backlog.measures > self._max_backlog:
                raise Unavailable(f"metricd has {backlog.measures} measures to process, and "
                                  f"max_backlog is {self._max_backlog}",
                                  hint="see whether gnocchi-metricd runs")
            if backlog.at < period.end:
                raise Unavailable(f"{self.client} says that it is {backlog.at.isoformat()}: the "
                                  "period has not ended there")
            self._processed_until = backlog.at

    def _proves(self, metric: Metric, args: GnocchiArguments) -> bool:
        """Whether a scope that Gnocchi does not name had no usage.

        Gnocchi says that a metric does not exist to whoever may not see it, of a name that is
        misspelt, and where nobody has it: only the last is no usage.
        """
        if self._max_backlog == UNWATCHED or not self.client.reads_all():
            return False
        key = (args.resource_type, metric.name)
        if key in self._present:
            return True
        for resource in self.client.resources(args.resource_type):
            if metric.name in (resource.get("metrics") or {}):
                self._present.add(key)
                return True
        return False


def _impossible(scopes: Collection[str]) -> dict[str, Error]:
    """The scopes that cannot be the value of an attribute, and why."""
    failed: dict[str, Error] = {}
    for scope in scopes:
        try:
            check_identifier(scope)
        except Invalid as error:
            failed[scope] = error
    return failed
