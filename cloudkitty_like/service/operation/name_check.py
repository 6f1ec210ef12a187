"""Names that do not fit together: those of rules, of metrics.yml, of the source and of usage that is recorded.

A wrong name is not an error: a rule may be there before its metric, a metric
before its first series.  Mostly it is a typo all the same, and what it should
have priced is unpriced.  So every command that looks at rules or definitions
asks here and shows the warnings; none fails because of them.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudkitty_like.db import scopes
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import used_names
from cloudkitty_like.db.rules import names, rules, scripts
from cloudkitty_like.domain.idle_rules import idle_rules
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.rule_names import SERVICE
from cloudkitty_like.domain.text import nearest
from cloudkitty_like.ports import LabelUse, SourceNames, Storage

MetricLabels = Mapping[str, frozenset[str]]
"""By the name of a metric in frames."""

SHOWN = 20             # names of one kind that are compared with the known ones


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """What is to be said of the names in a quote: ``unknown`` is why there is no such metric, by its name."""

    unknown: Mapping[str, str]
    warnings: Sequence[str]


class NameCheck:
    """Compares names.  ``metrics`` are the definitions of metrics.yml, None where they are not known."""

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime], scope_key: str) -> None:
        self._database, self._storage, self._clock, self._scope_key = database, storage, clock, scope_key

    def of_rules(self, candidates: Iterable[Rule], metrics: Sequence[Metric] | None) -> list[str]:
        """Return a warning for each name that keeps these rules from pricing anything, and each rule that cannot.

        Rules that are over are not looked at.
        """
        now = self._clock()
        current = [rule for rule in candidates if not rule.valid.is_over(now)]
        texts = [] if metrics is None else [*self._of_services(current, metrics, now)]
        return [*texts, *self._of_scopes(current), *(f"rule {rule}: {why}" for rule, why in idle_rules(current))]

    def of_stored_rules(self, metrics: Sequence[Metric] | None) -> list[str]:
        """As :meth:`of_rules`, of the rules that are recorded."""
        with self._database.read() as tx:
            stored = rules.stored(tx)
        return self.of_rules(stored.values(), metrics)

    def of_definitions(self, metrics: Sequence[Metric], source: SourceNames) -> list[str]:
        """Return a warning for each metric and label that the source does not have, and for usage nobody reads."""
        texts = []
        for metric in metrics:
            where = f"metrics.yml: metric {metric.name!r}: "
            if metric.name not in source.metrics:
                texts.append(f"{where}the source has nothing of this name"
                             f"{_meant(metric.name, source.metrics)}")
            elif metric.name in source.labels:
                labels = source.labels[metric.name]
                texts += [f"{where}no series of it has the label {label!r}"
                          f"{_meant(label, labels - {*metric.labels})}"
                          for label in metric.labels if label not in labels]
        if source.usage_only:
            read = {metric.name for metric in metrics}
            texts += [f"the source has usage of {name!r}, which metrics.yml does not have: it is not rated"
                      f"{_meant(name, read)}" for name in sorted(source.metrics - read)]
        return texts

    def of_recorded_labels(self, metrics: Sequence[Metric]) -> list[str]:
        """Return a warning for each label of these definitions that no recorded usage has."""
        return [f"metrics.yml: metric {name!r}: no recorded usage of it has the label {label!r}"
                for name, use in self._use(_labels(metrics)).items() for label in sorted(use.unused)]

    def of_everything(self, metrics: Sequence[Metric], source: SourceNames | None) -> list[str]:
        """Return all warnings about the definitions and the recorded rules; the ledger stands in for the source."""
        source_labels = {} if source is None else source.labels
        texts = [] if source is None else self.of_definitions(metrics, source)
        rest = [metric for metric in metrics if metric.name not in source_labels]
        return [*texts, *self.of_recorded_labels(rest), *self.of_stored_rules(metrics)]

    def of_quote(self, metric_labels: Mapping[str, Collection[str]],
                 metrics: Sequence[Metric]) -> QuoteCheck:
        """Say what is wrong with the metrics of a quote and the labels that it gives each of them."""
        defined = _labels(metrics)
        with self._database.read() as tx:
            used = used_names.metrics(tx)
            services = {service.name for service in names.stored(tx) if service.kind == SERVICE}
            handed_in = used_names.handed_in(tx, metric_labels.keys() & used)
        metric_names = defined.keys() | used | services
        doubtful = {name: {*labels} - defined.get(name, frozenset()) - {self._scope_key}
                    for name, labels in metric_labels.items()}
        use = self._use({name: labels for name, labels in doubtful.items() if labels and
                         (name in handed_in or (name in used and name not in defined))})
        warnings: list[str] = []
        for name, labels in doubtful.items():
            if name in defined or name in used:
                warnings += _unread(name, labels, defined.get(name, frozenset()), use.get(name))
            elif name in services:
                warnings.append(f"only rules know {name!r}: neither metrics.yml nor recorded usage has it"
                                f"{_meant_metric(name, defined, metrics)}")
        return QuoteCheck({name: f"no metric is called {name!r}"
                           f"{_meant_metric(name, metric_names, metrics)}"
                           for name in metric_labels if name not in metric_names}, warnings)

    # --- rules -------------------------------------------------------------------------------------

    def _of_services(self, current: Sequence[Rule], metrics: Sequence[Metric], now: datetime) -> Iterator[str]:
        """Warn of services and fields that no usage has; the ledger is asked only about what metrics.yml lacks."""
        defined = _labels(metrics)
        fields: dict[str, set[str]] = {}
        for rule in current:
            fields.setdefault(rule.service, set()).update(() if rule.field is None else (rule.field,))
        doubtful = {name: labels - defined.get(name, frozenset()) for name, labels in fields.items()
                    if name not in defined or labels - defined[name]}
        if not doubtful:
            return
        other = self._other_usage(doubtful, now)
        use = self._use({name: labels for name, labels in doubtful.items() if name in other})
        metric_names = {*defined, *other}
        for name, labels in sorted(doubtful.items()):
            if name not in metric_names:
                yield (f"rules for {name!r} price nothing: neither metrics.yml nor posted usage has it"
                       f"{_meant_metric(name, metric_names, metrics)}")
                continue
            have = defined.get(name, frozenset()) | (use[name].names if name in use else frozenset())
            for label in sorted(labels if name not in use else use[name].unused):
                yield (f"rules for the label {label!r} of {name!r} price nothing: no usage of it has that label"
                       f"{_meant(label, have - {label})}")

    def _other_usage(self, among: Collection[str], now: datetime) -> set[str]:
        """Those of these metrics whose usage need not be as metrics.yml says: handed in, or made by a script."""
        with self._database.read() as tx:
            used = used_names.metrics(tx) & {*among}
            if used and not any(now in script.valid for script in scripts.stored(tx).values()):
                used = used_names.handed_in(tx, used)
        return used

    def _of_scopes(self, current: Sequence[Rule]) -> list[str]:
        rule_scopes = {rule.scope for rule in current if rule.scope is not None}
        if not rule_scopes:
            return []
        with self._database.read() as tx:
            identifiers = set(scopes.identifiers(tx))
        # before the first look at the source there is none
        missing = sorted(rule_scopes - identifiers) if identifiers else []
        return [f"rules for the scope {scope!r} price nothing: there is no such scope"
                f"{_meant(scope, identifiers) if number < SHOWN else ''}"
                for number, scope in enumerate(missing)]

    def _use(self, metric_labels: Mapping[str, Collection[str]]) -> Mapping[str, LabelUse]:
        """What the storage tells of these labels; nothing where it is one that does not."""
        ask = getattr(self._storage, "labels_in_use", None)
        return ask(metric_labels) if ask is not None and metric_labels else {}


def _labels(metrics: Iterable[Metric]) -> dict[str, frozenset[str]]:
    """The labels that each metric reads, by its name in frames."""
    labels: dict[str, frozenset[str]] = {}
    for metric in metrics:
        labels[metric.alt_name] = labels.get(metric.alt_name, frozenset()).union(metric.labels)
    return labels


def _unread(name: str, labels: Iterable[str], read: frozenset[str], use: LabelUse | None) -> Iterator[str]:
    have = read if use is None else read | use.names
    for label in sorted(labels if use is None else use.unused):
        yield (f"no usage of {name!r} has the label {label!r}, so what is quoted with it never comes"
               f"{_meant(label, have - {label})}")


def _meant(word: str, vocabulary: Iterable[str]) -> str:
    near = nearest(word, vocabulary)
    return "" if near is None else f"; did you mean {near!r}?"


def _meant_metric(word: str, vocabulary: Iterable[str], metrics: Iterable[Metric]) -> str:
    """Also where it is a metric's name in the source, which frames do not use."""
    called = sorted({metric.alt_name for metric in metrics if metric.name == word})
    return (f"; here it is called {' or '.join(map(repr, called))}" if called
            else _meant(word, vocabulary))
