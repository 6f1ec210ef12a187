"""Usage from Prometheus or VictoriaMetrics: one instant query per metric and period, for all scopes at once."""
from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Self

from oslo_config import cfg

from cloudkitty_like.client import prometheus_options, promql
from cloudkitty_like.client.prometheus import Prometheus
from cloudkitty_like.client.prometheus_retention import retention
from cloudkitty_like.collector import prometheus_frame, prometheus_names, prometheus_query
from cloudkitty_like.collector.prometheus_frame import SHOWN, SeriesSamples
from cloudkitty_like.collector.prometheus_query import QueryArguments
from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Error, Invalid, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import DAY, EPOCH, Period
from cloudkitty_like.ports import CollectorAnswer, PluginContext, SourceNames

FINE, COARSE = timedelta(minutes=1), timedelta(minutes=5)
"""Steps at which the begin of data is looked for; Prometheus sees a sample for five minutes, so none is missed."""

_MILLISECOND = timedelta(milliseconds=1)
_REMEMBERED = 16
_DOUBT = 10.0
_REFUSALS = 3
_METRICS_AT_ONCE = 50


class PrometheusCollector:
    """Asks with the label of the scope in the grouping, and splits the answer by it afterwards.

    A period is [begin, end) to the millisecond, whichever edges the server's
    ranges include.  With ``guard``, a selector of series that exist whenever
    the server scrapes, an answer without a scope counts as "no usage" only for
    periods in which these series have samples.
    """

    OPTS = (
        *prometheus_options.OPTS,
        cfg.StrOpt("guard", default="", help=(
            "Selector of series that exist whenever the server scrapes, such as up. A period in which they have no "
            "sample is not taken for one without usage. Empty: not asked.")),
    )

    def __init__(self, client: Prometheus, scope_key: str = "project_id", guard: str = "") -> None:
        self.client = client
        self._scope_key = scope_key
        self._guard = _Guard(self._has_samples) if guard else None
        self._selector = guard

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        problems = []
        if not promql.LABEL_NAME.match(context.scope_key):
            problems.append(f"scope_key: {context.scope_key!r} is not the name of a label in Prometheus")
        guard = (group.guard or "").strip()
        if guard and (problem := promql.selector_problem(guard)):
            problems.append(f"guard: {problem}")
        client = prometheus_options.connect(group, problems)
        return cls(client, context.scope_key, guard)

    @property
    def requests_made(self) -> int:
        return self.client.requests_made

    def parse_args(self, extra_args: Mapping[str, Any]) -> QueryArguments:
        return prometheus_query.parse_args(extra_args)

    def check(self, metric: Metric) -> None:
        """Raises Invalid, with every reason, where the metric cannot be asked for."""
        if problems := prometheus_query.problems_of(metric):
            raise Invalid(*problems)

    def names(self, metrics: Sequence[Metric], labels: bool) -> SourceNames:
        """See the port; :mod:`cloudkitty_like.collector.prometheus_names` asks."""
        return prometheus_names.read(self.client, metrics, labels)

    def keeps_since(self, now: datetime) -> datetime | None:
        """See the port; what the server says of itself."""
        kept = retention(self.client)
        return None if kept is None else now - min(kept, now - EPOCH)

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        self.check(metric)
        args: QueryArguments = metric.args or QueryArguments()
        identifiers = list(dict.fromkeys(scopes))
        # Their label would be an absent one, and matches what belongs to nobody.
        failed: dict[str, Error] = {
            scope: Invalid(f"{scope!r} cannot be the value of a label in Prometheus")
            for scope in identifiers if not scope or not promql.encodable(scope)
        }
        identifiers = [scope for scope in identifiers if scope not in failed]
        if not identifiers:
            return CollectorAnswer({}, failed)
        if args.free:
            answers = self._one_by_one(metric, args, period, identifiers, failed)
        else:
            answers = self._together(metric, args, period, identifiers,
                                     list(filter(promql.encodable, filter(None, others))))
        frames = {}
        names = prometheus_query.labels(metric, self._scope_key)
        quantities = prometheus_frame.quantities_of(metric, answers)
        for scope in list(answers):
            try:
                # What a frame is made of is let go with it: all metrics are collected at the same time.
                frames[scope] = prometheus_frame.frame_of(metric, period, names,
                                                          answers.pop(scope), quantities)
            except Invalid as error:
                failed[scope] = error
        complete = all(scope in frames or scope in failed for scope in identifiers)
        return CollectorAnswer(frames, failed, proven=complete or self._guard is None or self._guard.alive(period))

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        """The time of the earliest sample, of the guard's series or else of the metrics'.

        One query, in windows longer than a day a second one about the minutes
        before its answer; more only where the server refuses them for their
        size.  The answer is the time of a sample, later than the first one by
        less than a minute; it never lies beyond the next whole minute, so that
        it is in the right period wherever periods are made of minutes.
        """
        for metric in metrics:
            self.check(metric)
        selectors = [self._selector] if self._selector else [
            f'{name}{{{self._scope_key}!=""}}' for name in dict.fromkeys(metric.name for metric in metrics)
        ]
        chunks = [selectors[i:i + _METRICS_AT_ONCE] for i in range(0, len(selectors), _METRICS_AT_ONCE)]

        def earliest(window: Period) -> datetime | None:
            return min(filter(None, (self._earliest(chunk, window) for chunk in chunks)), default=None)

        first = earliest(period)
        if first is None or period.length <= DAY:
            return first
        return earliest(Period(max(period.begin, first - COARSE), first + _MILLISECOND)) or first

    def _together(self, metric: Metric, args: QueryArguments, period: Period, scopes: Sequence[str],
                  others: Collection[str]) -> dict[str, SeriesSamples]:
        names = prometheus_query.labels(metric, self._scope_key)
        length = self._length(args.over_range, period)
        query = prometheus_query.query(metric, args, self._scope_key, "", length)
        room = prometheus_query.LONGEST - len(query.encode())
        position = names.index(self._scope_key)
        answers: dict[str, tuple[list[tuple[str, ...]], list[str]]] = defaultdict(lambda: ([], []))
        for matcher in prometheus_query.matchers(self._scope_key, scopes, others, room):
            text = prometheus_query.query(metric, args, self._scope_key, matcher, length)
            vector = self.client.query(text, names, at=period.end - _MILLISECOND)
            for row, value in zip(vector.rows, vector.values, strict=True):
                rows, values = answers[row[position]]
                rows.append(row)
                values.append(value)
        return {scope: answers[scope] for scope in scopes if scope in answers}

    def _one_by_one(self, metric: Metric, args: QueryArguments, period: Period,
                    scopes: Iterable[str], failed: dict[str, Error]) -> dict[str, SeriesSamples]:
        """For queries that the operator's own PromQL surrounds; what is refused for one scope fails that scope."""
        names = prometheus_query.labels(metric, self._scope_key)
        length = self._length(args.over_range, period)
        position = names.index(self._scope_key)
        answers: dict[str, SeriesSamples] = {}
        refusals = 0
        for scope in scopes:
            matcher = prometheus_query.positive(self._scope_key, [scope])
            text = prometheus_query.query(metric, args, self._scope_key, matcher, length)
            try:
                vector = self.client.query(text, names, at=period.end - _MILLISECOND)
            except Unavailable as error:
                refusals += 1
                # Many in a row say that it is the server, and waiting for each of them would take for ever.
                if not error.smaller or refusals == _REFUSALS:
                    raise
                failed[scope] = error
                continue
            refusals = 0
            strangers = {row[position] for row in vector.rows} - {"", scope}
            if strangers:
                failed[scope] = Invalid(f"{metric.name}: asked for {self._scope_key} {scope!r}, "
                                        f"the answer is of {', '.join(map(repr, sorted(strangers)[:SHOWN]))}")
            elif vector.rows:
                rows = [(*row[:position], scope, *row[position + 1:]) for row in vector.rows]
                answers[scope] = (rows, vector.values)
        return answers

    def _length(self, function: str, period: Period) -> str:
        """The range that, ending a millisecond before the period's end, reaches to its begin and no further."""
        length = period.length
        over_range = function in prometheus_query.OVER_THE_RANGE
        if not over_range and self.client.includes_left_edge(period.end):
            length -= _MILLISECOND
        return promql.duration(length)

    def _has_samples(self, period: Period) -> bool:
        length = self._length("count_over_time", period)
        text = f"count(count_over_time({self._selector}[{length}]))"
        return bool(self.client.query(text, at=period.end - _MILLISECOND).rows)

    def _earliest(self, selectors: Sequence[str], window: Period) -> datetime | None:
        step = FINE if window.length <= DAY else COARSE
        # The last step is on or after the window's end, so that its very last samples are seen.
        last = EPOCH - (EPOCH - window.end) // step * step
        length = promql.duration(last - window.begin)
        begin = money.plain(money.number((window.begin - EPOCH) // _MILLISECOND).scaleb(-3))
        # A step sees samples before it, not on it: the edge of two periods belongs to the later one.
        parts = [
            f"min(min_over_time((timestamp({selector} offset 1ms) >= {begin})[{length}:{promql.duration(step)}]))"
            for selector in selectors
        ]
        if len(parts) > 1:      # "or" keeps one of two series with equal labels: make them differ
            parts = [f'label_replace({part}, "part", "{n}", "", "")' for n, part in enumerate(parts)]
        try:
            values = self.client.query(f"min({' or '.join(parts)})" if len(parts) > 1 else parts[0], at=last).values
        except Unavailable as error:
            if not error.smaller or window.length <= DAY:
                raise
            middle = window.begin + window.length / 2
            return (self._earliest(selectors, Period(window.begin, middle))
                    or self._earliest(selectors, Period(middle, window.end)))
        if not values:
            return None
        first = EPOCH + timedelta(milliseconds=int(money.number(values[0]) * 1000))
        return first if first < window.end else None


class _Guard:
    """Remembers for the last periods whether the source was alive; metrics collected side by side ask once."""

    def __init__(self, ask: Callable[[Period], bool]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known: OrderedDict[Period, _Sign] = OrderedDict()

    def alive(self, period: Period) -> bool:
        with self._lock:
            sign = self._known.get(period)
            first = sign is None or sign.doubtful()
            if sign is None or first:
                sign = self._known[period] = _Sign(Future(), monotonic())
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if first:
            try:
                sign.answer.set_result(self._ask(period))
            except BaseException as error:
                sign.answer.set_exception(error)
                raise
        return sign.answer.result()


@dataclass(frozen=True, slots=True)
class _Sign:
    answer: Future[bool]
    since: float

    def doubtful(self) -> bool:
        """Whether to ask again: an error at once, "not alive" a while later, as history may be filled in."""
        if not self.answer.done():
            return False
        if self.answer.exception() is not None:
            return True
        return not self.answer.result() and monotonic() - self.since > _DOUBT
