"""The usage of many scopes in one period: all metrics side by side, each in as few requests as the source allows."""
from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeVar

from cloudkitty_like.domain.errors import Error, Unavailable
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.orchestrator.timings import COLLECT, StageTimings
from cloudkitty_like.ports import Collector, CollectorAnswer

LOG = logging.getLogger(__name__)
T = TypeVar("T")
POLL_SECONDS = 0.1
# A source that refuses so many pieces of a question, and answers none, is down rather than asked too much.
TRIES_WHEN_DOWN, TRIES_WHEN_TOO_LARGE = 6, 64


class WorkerStop(Exception):
    """The worker was told to stop: what was being collected is abandoned."""


@dataclass
class CollectedUsage:
    """What a period's collection brought, by scope id."""

    frames: dict[str, list[Frame]] = field(default_factory=dict)
    failed: dict[str, Error] = field(default_factory=dict)
    unproven: set[str] = field(default_factory=set)     # without usage of some metric, and no sign of life to prove it

    def silent(self, scope: str, scope_id: int, accepted: Collection[int | None]) -> bool:
        """Whether the source was not alive to tell that this scope had no usage.

        ``accepted``: ids of the scopes for which an operator has accepted that
        no data means no usage; None among them stands for all.
        """
        return scope in self.unproven and None not in accepted and scope_id not in accepted


class UsageCollector:
    """Asks a collector about whole batches, and about parts of them where the batch is refused."""

    def __init__(self, collector: Collector, metrics: Sequence[Metric], *, threads: int, deadline_seconds: float,
                 stages: StageTimings, stop: threading.Event) -> None:
        self._collector, self._metrics, self._stages, self._stop = collector, metrics, stages, stop
        self._deadline_seconds = deadline_seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="collect")

    def usage(self, period: Period, scopes: Collection[str], others: Collection[str]) -> CollectedUsage:
        """Everything about ``period``; raises WorkerStop as soon as the worker is to stop."""
        return self.await_usage(self.begin(period, scopes, others), scopes)

    def begin(self, period: Period, scopes: Collection[str], others: Collection[str]) -> list[Future[CollectorAnswer]]:
        """Start collecting; :meth:`await_usage` takes what is returned."""
        return [self._threads.submit(self._metric, metric, period, scopes, others) for metric in self._metrics]

    def await_usage(self, answers: Sequence[Future[CollectorAnswer]], scopes: Collection[str]) -> CollectedUsage:
        pending: Collection[Future[CollectorAnswer]] = answers
        while pending:
            if self._stop.is_set():
                for answer in answers:
                    answer.cancel()
                raise WorkerStop
            pending = wait(pending, POLL_SECONDS).not_done
        usage = CollectedUsage()
        for answer in answers:
            _merge(usage, answer.result(), scopes)
        return usage

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to any other question to a source.

        :raises WorkerStop: as soon as the worker is to stop.
        """
        answer = self._threads.submit(question)
        while not wait([answer], POLL_SECONDS).done:
            if self._stop.is_set():
                answer.cancel()
                raise WorkerStop
        return answer.result()

    def close(self) -> None:
        """Let go of the threads; one that still waits for the source is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _metric(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str]) -> CollectorAnswer:
        with self._stages.measure(COLLECT):
            return collect_splitting(
                lambda piece, rest: self._asked(metric, period, piece, rest), scopes, others,
                deadline=monotonic() + self._deadline_seconds, stop=self._stop)

    def _asked(self, metric: Metric, period: Period, scopes: Collection[str],
               others: Collection[str]) -> CollectorAnswer:
        try:
            collected = self._collector.collect(metric, period, scopes, others)
            # Here for every collector: a label that a database refuses would hold its scope for ever.
            frames = {scope: frame.with_storable_labels() for scope, frame in collected.frames.items()}
        except Exception:
            self._stages.failed()
            raise
        return replace(collected, frames=frames)


def _merge(usage: CollectedUsage, collected: CollectorAnswer, scopes: Collection[str]) -> None:
    usage.failed.update(collected.failed)
    for scope, frame in collected.frames.items():
        usage.frames.setdefault(scope, []).append(frame)
    if not collected.proven:
        usage.unproven.update(scope for scope in scopes if scope not in collected.frames)


Question = Callable[[Collection[str], Collection[str]], CollectorAnswer]


def collect_splitting(ask: Question, scopes: Collection[str], others: Collection[str], *, deadline: float,
                      stop: threading.Event) -> CollectorAnswer:
    """Ask about all scopes; where that fails about halves, until what fails is single scopes.

    Breadth first, so that one bad scope among n costs about 2 log2(n) questions
    and a source that is down a handful.
    """
    frames: dict[str, Frame] = {}
    failed: dict[str, Error] = {}
    proven, answered, refused = True, 0, 0
    everyone = list(scopes)
    pieces = deque([everyone])
    while pieces:
        piece = pieces.popleft()
        members = set(piece)
        rest = list(others) + [scope for scope in everyone if scope not in members]
        over = stop.is_set() or monotonic() > deadline
        answer = _TOO_LONG if over else _answer(ask, piece, rest)
        if isinstance(answer, CollectorAnswer):
            answered += 1
            frames.update(answer.frames)
            failed.update(answer.failed)
            proven = proven and answer.proven
            continue
        refused += 1
        most = TRIES_WHEN_TOO_LARGE if getattr(answer, "smaller", True) else TRIES_WHEN_DOWN
        hopeless = not answered and refused >= most
        if len(piece) == 1 or hopeless or over:
            failed.update(dict.fromkeys(piece, answer))
            if hopeless:
                failed.update((scope, answer) for later in pieces for scope in later)
                break
        else:
            middle = len(piece) // 2
            pieces.extend((piece[:middle], piece[middle:]))
    return CollectorAnswer(frames, failed, proven)


_TOO_LONG = Unavailable("the source took too long to answer about so many scopes")


def _answer(ask: Question, scopes: Collection[str], others: Collection[str]) -> CollectorAnswer | Error:
    try:
        return ask(scopes, others)
    except Error as error:
        return error
    except Exception as error:
        limit = exhausted(error)
        if limit is not None:
            return Unavailable(limit, smaller=True)
        # A collector's bug: loud, and the affair of those scopes that it cannot be asked about.
        LOG.exception("collecting the usage of %d scopes", len(scopes))
        return Unavailable(f"the collector failed: {error!r}")
