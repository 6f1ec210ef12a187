"""What a plugin must be.  Nothing here runs; everything pluggable conforms to it.

A contract is the docstring here *and* a class in :mod:`cloudkitty_like.testing`
that every implementation, ours or somebody else's, is held to.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.domain.explanation import ExplainedFrames
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.query import Query, SummaryRow


class Plugin(Protocol):
    """Built from its own group of the configuration, ``[<kind>_<name>]``."""

    OPTS: ClassVar[Sequence[Any]]      # oslo.config options

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        """The plugin; Invalid, with every reason at once, where the options do not make sense."""


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What every plugin may know of the installation besides its own options."""

    scope_key: str = "project_id"
    database: Any = None               # the state database, for plugins that keep their rows there


@dataclass(frozen=True, slots=True)
class CollectorAnswer:
    """The answer of a collector about one metric in one period.

    ``frames``: usage by scope id.  ``failed``: scopes of which nothing can be
    said, and why; all others are answered completely.  A scope in neither had
    no usage; whether that is proven says ``proven``: False means that the source
    has no sign of having been alive in the period.
    """

    frames: Mapping[str, Frame]
    failed: Mapping[str, Error] = field(default_factory=lambda: MappingProxyType({}))
    proven: bool = True


@dataclass(frozen=True, slots=True)
class SourceNames:
    """What a source calls what it has.

    ``metrics``: names of metrics.  ``labels``: by the name of a metric those
    labels that any of its series has a value of; a metric of which that cannot
    be told is absent.  ``usage_only``: the source holds nothing that is not to
    be rated.
    """

    metrics: frozenset[str]
    labels: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    usage_only: bool = False


class Collector(Plugin, Protocol):
    """Reads usage.  Thread-safe: metrics of a period are collected side by side.

    Several members are optional: ``check(metric)``, which raises Invalid where a
    definition cannot be collected; ``requests_made``, a number for ``status``;
    ``ends()``, the last instant that the source will ever know of: a period
    that begins later is not due, and a source without it goes on for ever; and
    ``names(metrics, labels) -> SourceNames``, which tells what the source has
    of these metrics and, where it lacks one, what else it has, by two requests
    at most, and with ``labels`` one more for each metric.

    Optional too: ``keeps_since(now) -> datetime | None``, the instant before
    which the source has forgotten everything; None where it does not tell.
    """

    def parse_args(self, extra_args: Mapping[str, Any]) -> Any:
        """The collector's part of a metric's definition; Invalid, all reasons at once, if it is wrong."""

    def collect(self, metric: Metric, period: Period, scopes: Collection[str],
                others: Collection[str] = ()) -> CollectorAnswer:
        """The usage of one metric in ``period``, for every one of ``scopes``.

        All of it, or Unavailable: an error, a partial answer or nonsense is
        never "no usage".  What is wrong with one scope alone goes to
        ``failed``.  ``others`` are the known scopes whose usage is not wanted
        now: a collector may ask for everybody, or everybody but them, where
        that makes fewer or shorter requests.
        """

    def begins(self, metrics: Sequence[Metric], period: Period) -> datetime | None:
        """When the source's data begins within ``period``; None where it has none there.  One query."""


class Fetcher(Plugin, Protocol):
    def scopes(self) -> Iterable[str]:
        """The ids of the scopes that exist now; Unavailable rather than a part of them."""


class Tariff(Protocol):
    """The rules of one rating module at one rule-set version, ready to price.  Immutable and thread-safe.

    A tariff that can say which rule did what is an :class:`ExplainingTariff`;
    any other is explained by what it made of each row.  One that waits for
    processes of its own says in an optional member ``side_by_side`` how many
    scopes it can be given at a time, and calls
    :func:`cloudkitty_like.domain.patience.check` while it waits.
    """

    def rate(self, scope: str, period: Period, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The frames with this module's prices added; all metrics of one scope and period.

        A row that the module has no price for is left as it is: None stays
        None, "unpriced".  Computed in :func:`cloudkitty_like.domain.money.arithmetic`
        and not rounded.  Invalid where rating fails for a reason that lies in
        the rules or the data: it names the rule, and parks the scope.
        """


class ExplainingTariff(Tariff, Protocol):
    """A tariff with the optional member ``explain``."""

    def explain(self, scope: str, period: Period, frames: Sequence[Frame]) -> ExplainedFrames:
        """What ``rate`` answers to the same, and why.

        The parts of a row add up, exactly, to its price less the price that the
        row with the same metric, unit and labels had before; less nothing where
        there was none.  ``rule`` of a part is an id that the module's
        ``provenance`` knows.
        """


class RatingModule(Plugin, Protocol):
    """Puts prices on frames, by rules that are kept with the time at which they were recorded.

    A class attribute ``hot_config`` that is true says that the module can be configured over HTTP.

    Two members are optional.  ``candidate(document) -> Tariff`` makes a tariff
    of rules that are not recorded anywhere, which take the place of all of the
    module's own; what a document is, is the module's affair.
    ``provenance(change, ids) -> Mapping[str, Provenance]``
    (:class:`~cloudkitty_like.domain.explanation.Provenance`) tells where those
    of these rules come from that were known at a change; unknown ids are absent.
    """

    description: ClassVar[str]
    enabled_by_default: ClassVar[bool]

    def tariff(self, change: int) -> Tariff:
        """The module's rules as recorded up to this rule change (``rule_change.id``; 0: none yet).

        Asked for once per rule-set version, then used for every scope and
        period.  Whatever it raises stops rating: nothing passes unpriced.
        """


@runtime_checkable
class ScriptModule(RatingModule, Protocol):
    """A rating module whose rules are scripts."""

    def prepare(self) -> None:
        """Raise Invalid, saying what is missing, when scripts cannot be run here."""

    def check(self, name: str, text: str) -> None:
        """Raise Invalid, with line and reason, when the text of a script does not compile."""

    def listen(self, printed: Callable[[str, str], None]) -> None:
        """Pass what scripts print to ``printed``, with the script's name first, from now on."""


@runtime_checkable
class Closable(Protocol):
    """A plugin that holds something open, such as a process."""

    def close(self) -> None:
        """Give up what is open; what is needed later is opened again."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Points to be stored under one revision: one scope, one period, all metrics.

    ``collected`` is the usage as it was collected, given only where the rated
    frames are not those rows; it is kept beside them and never counted.
    """

    revision: int
    scope: str
    period: Period
    frames: Sequence[Frame]
    collected: Sequence[Frame] | None = None


@dataclass(frozen=True, slots=True)
class LabelUse:
    """Labels of one metric's points: some that they have, and which of those asked about no point has a value of."""

    names: frozenset[str]
    unused: frozenset[str]


class Storage(Plugin, Protocol):
    """Keeps points under revisions; append-only.  The ledger's index alone decides which revisions count.

    ``excluded`` are revisions that must not be counted: superseded or never
    published.  Nor must any above ``max_revision`` (None: no bound): they were made
    after the reader has looked at the index.

    A method ``compact()`` is optional: it gives back to the disk what was purged, and answers an object with the
    sizes in bytes ``before`` and ``after``, or None where nothing has become smaller.

    So is ``labels_in_use(wanted) -> Mapping[str, LabelUse]``, where ``wanted`` has the labels that are asked about by
    metric: it answers for every metric of which there are points, at little cost.
    """

    @property
    def shares_transaction(self) -> bool:
        """Whether append writes in the index's own transaction.  A class attribute will do."""

    def append(self, additions: Sequence[Addition], transaction: Any = None) -> None:
        """Store these points.  All of them or, where it raises, none; when it returns they are durable.

        Unavailable where the store fails, Conflict where a revision is stored
        already, Invalid where one holds two points with the same labels.
        A storage that lives in the state database (``shares_transaction``) is given the
        open transaction and writes in it; any other ignores it.
        """

    def sums(self, query: Query, excluded: Collection[int] = (), max_revision: int | None = None) -> list[SummaryRow]:
        """Points added up by ``query.groupby``, ordered by key; a label that a point lacks groups as ''.

        ``query.after`` is not used.
        """

    def frames(self, query: Query, excluded: Collection[int] = (),
               max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        """Scope and frame of every (begin, scope, metric, unit, revision, names of labels), in this order.

        Text is in the order of its code points, and rows in that of their
        labels: the same question is answered in the same order.  Given
        ``query.after`` the frames before that begin and scope are left out.
        Whoever stops reading early has cost little more than what was read;
        ``query.groupby`` is not used.
        """

    def usage(self, query: Query, excluded: Collection[int] = (),
              max_revision: int | None = None) -> Iterator[tuple[str, Frame]]:
        """As :meth:`frames`, but what was rated: the collected rows where they were kept, else the rated ones.

        Without prices, and always whole scopes and periods: ``query.metrics``
        and ``query.filters`` are not used.
        """

    def collected(self, revision: int) -> list[Frame] | None:
        """What was kept beside a revision's rated rows, without prices; None where that is not needed."""

    def all_collected(self, revisions: Collection[int]) -> dict[int, list[Frame]]:
        """What :meth:`collected` answers, by revision; those for which that is None are absent."""

    def purge(self, revisions: Collection[int]) -> None:
        """Forget these revisions.  Unknown ones are no error."""


class Lease(Protocol):
    """Who works on what.  An optimisation: publishing rests on revisions, not on it."""

    def hold(self, shards: int) -> AbstractContextManager[Collection[int]]:
        """The shards that are ours for the length of the block, at most so many; never waits."""
