"""What a ledger has to answer, worked out a second time: a model written from the documents alone.

It knows the pages on rules, hashmap, metrics, corrections and operation, and nothing of the code.
It is slow, keeps everything in dictionaries, and computes with fractions.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

Price = Fraction | None
Labels = tuple[str, str]                    # metric, flavor
Points = Mapping[Labels, tuple[Fraction, Price]]

STEP = Fraction(1, 10**12)
UNITS = {"instance": "hour", "traffic": "GiB"}
FACTORS = {"instance": Fraction(1), "traffic": Fraction(1, 3)}


def rounded(number: Fraction) -> Fraction:
    """Round half-even to 12 decimals."""
    return round(number / STEP) * STEP


# --- rules -------------------------------------------------------------------------------------------

class Rule(NamedTuple):
    """What identifies a rule of hashmap: of the metric itself, of a flavor, or from a level of the quantity on."""

    metric: str
    flavor: str = ""
    level: str = ""
    group: str = ""

    def meets(self, flavor: str, qty: Fraction) -> bool:
        if self.level:
            return qty >= Fraction(self.level)
        return self.flavor in ("", flavor)


class Terms(NamedTuple):
    """What a rule charges: ``flat``, a cost per unit, or ``rate``, a factor."""

    cost: Fraction
    type: str = "flat"


@dataclass(frozen=True)
class Validity:
    """Terms from one hour until another; None is from always, or for ever."""

    terms: Terms
    start: int | None = None
    end: int | None = None

    def holds(self, hour: int) -> bool:
        return (self.start is None or self.start <= hour) and (self.end is None or hour < self.end)


class Rules:
    """The stored rules, with the time for which the terms of each hold."""

    def __init__(self) -> None:
        self.stored: dict[Rule, tuple[Validity, ...]] = {}

    def apply(self, file: Mapping[Rule, Terms], effective: int | None) -> bool:
        """Make the rules equal to a file; ``effective`` None: with --retroactive.  Return whether that changes any.

        The effective hour is later than that of every apply before.
        """
        before = dict(self.stored)
        for rule in {*self.stored, *file}:
            self.stored[rule] = tuple(self._after(self.stored.get(rule, ()), file.get(rule), effective))
        self.stored = {rule: validities for rule, validities in self.stored.items() if validities}
        return self.stored != before

    def live(self) -> set[Rule]:
        return {rule for rule, validities in self.stored.items() if validities[-1].end is None}

    def ended(self) -> set[Rule]:
        return set(self.stored) - self.live()

    @staticmethod
    def _after(validities: tuple[Validity, ...], terms: Terms | None, effective: int | None) -> Iterator[Validity]:
        *earlier, last = validities or (None,)
        yield from earlier
        if last is None:
            if terms is not None:
                yield Validity(terms)
        elif last.end is not None:                  # it had ended
            yield last
            if terms is not None:
                yield Validity(terms, effective)
        elif terms == last.terms:
            yield last
        elif effective is None:
            if terms is not None:
                yield Validity(terms, last.start)
        else:
            yield Validity(last.terms, last.start, effective)
            if terms is not None:
                yield Validity(terms, effective)

    def terms(self, hour: int) -> dict[Rule, Terms]:
        return {rule: validity.terms for rule, validities in self.stored.items() for validity in validities
                if validity.holds(hour)}


def price(rules: Mapping[Rule, Terms], metric: str, flavor: str, qty: Fraction) -> Price:
    """The price of one point by the arithmetic of hashmap; None where no rule meets it."""
    met = {rule: terms for rule, terms in rules.items() if rule.metric == metric and rule.meets(flavor, qty)}
    total: Fraction = Fraction(0)
    for group in {rule.group for rule in met}:
        total += _of_group({rule: terms for rule, terms in met.items() if rule.group == group}, qty)
    return rounded(total) if met else None


def _of_group(met: Mapping[Rule, Terms], qty: Fraction) -> Fraction:
    mappings = [terms for rule, terms in met.items() if not rule.level]
    flat = max((terms.cost for terms in mappings if terms.type == "flat"), default=Fraction(0))
    rate = prod((terms.cost for terms in mappings if terms.type == "rate"), start=Fraction(1))
    base = rate * flat * qty
    thresholds = [rule for rule in met if rule.level]
    if not thresholds:
        return base
    highest = met[max(thresholds, key=lambda rule: Fraction(rule.level))]
    return base + highest.cost if highest.type == "flat" else base * highest.cost


# --- usage -------------------------------------------------------------------------------------------

class Row(NamedTuple):
    """One row of the usage file."""

    hour: int
    metric: str
    raw: str
    scope: str
    flavor: str


def quantities(rows: Iterable[Row], scope: str, hour: int) -> dict[Labels, Fraction]:
    """The quantities of one scope and hour: each rounded, then rows of equal labels added up."""
    amounts: dict[Labels, Fraction] = defaultdict(Fraction)
    for row in rows:
        if (row.scope, row.hour) == (scope, hour):
            amounts[row.metric, row.flavor] += rounded(Fraction(row.raw) * FACTORS[row.metric])
    return dict(amounts)


# --- the ledger --------------------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Revision:
    """What was published for one scope and hour; each is an object of its own, also with equal content."""

    version: int
    points: Points

    def same_as(self, other: Revision | None) -> bool:
        return other is not None and (self.version, self.points) == (other.version, other.points)


State = dict[tuple[str, int], Revision]


@dataclass
class Task:
    """What a reprocessing has changed: by hour, the revision before it and its own."""

    scope: str
    changed: dict[int, tuple[Revision | None, Revision]] = field(default_factory=dict)


class Ledger:
    """The current revisions, the progress of the scopes, and every earlier state by its change number."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.rules, self.version, self.hashmap_enabled = Rules(), 0, True
        self.usage: list[Row] = []
        self.due = dict.fromkeys(scopes, 0)
        self.current: State = {}
        self.tasks: dict[int, Task] = {}
        self.states: dict[int, State] = {}

    def apply(self, file: Mapping[Rule, Terms], effective: int | None) -> None:
        if self.rules.apply(file, effective):
            self.version += 1

    def enable(self, enabled: bool) -> None:
        if enabled != self.hashmap_enabled:
            self.hashmap_enabled = enabled
            self.version += 1

    def rate(self, end: int) -> None:
        for scope, due in self.due.items():
            for hour in range(due, end):
                self._publish(scope, hour, self._revision(hour, quantities(self.usage, scope, hour)))
            self.due[scope] = max(due, end)

    def reset(self, scopes: Iterable[str], to: int) -> None:
        for scope in scopes:
            self.due[scope] = min(self.due[scope], to)

    def reprocess(self, number: int, scope: str, hours: Iterable[int], *, from_ledger: bool) -> None:
        task = self.tasks[number] = Task(scope)
        for hour in hours:
            before = self.current.get((scope, hour))
            if from_ledger:
                usage = {labels: qty for labels, (qty, _) in before.points.items()} if before else {}
            else:
                usage = quantities(self.usage, scope, hour)
            self._changed(task, hour, self._revision(hour, usage))

    def undo(self, number: int, undone: int) -> None:
        """Give each hour its former content back, but where somebody has changed it since."""
        task, former = self.tasks.setdefault(number, Task(self.tasks[undone].scope)), self.tasks[undone]
        for hour, (before, after) in former.changed.items():
            if self.current[former.scope, hour] is after:
                restored = Revision(before.version, before.points) if before else Revision(0, {})
                self._changed(task, hour, restored)

    def _changed(self, task: Task, hour: int, revision: Revision) -> None:
        before = self.current.get((task.scope, hour))
        if self._publish(task.scope, hour, revision):
            task.changed[hour] = before, revision

    def _revision(self, hour: int, usage: Mapping[Labels, Fraction]) -> Revision:
        rules = self.rules.terms(hour) if self.hashmap_enabled else {}
        return Revision(self.version, {
            (metric, flavor): (qty, price(rules, metric, flavor, qty)) for (metric, flavor), qty in usage.items()})

    def _publish(self, scope: str, hour: int, revision: Revision) -> bool:
        """Publish a revision unless the current one is the same; return whether it was published."""
        if revision.same_as(self.current.get((scope, hour))):
            return False
        self.current[scope, hour] = revision
        return True

    def remember(self, number: int) -> None:
        """This is the state after the ledger's change ``number``."""
        self.states[number] = dict(self.current)


# --- reports -----------------------------------------------------------------------------------------

def report(state: State, by: tuple[str, ...], hours: range, day_of: Callable[[int], str],
           time_of: Callable[[int], str]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The rows of a report: by key, what the service prints of them.  Only one metric has a sum of quantities."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for (scope, hour), revision in state.items():
        for (metric, flavor), (qty, cost) in revision.points.items():
            if hour not in hours:
                continue
            cells = {"scope": scope, "metric": metric, "flavor": flavor, "day": day_of(hour), "time": time_of(hour)}
            key = tuple(cells[name] for name in by)
            amounts = {"unit": UNITS[metric], "qty": Fraction(0)} if "metric" in by else {}
            row = rows.setdefault(key, {"price": Fraction(0), "points": 0, "unpriced": 0, **amounts})
            row["price"] += cost or 0
            row["points"] += 1
            row["unpriced"] += cost is None
            if "metric" in by:
                row["qty"] += qty
    return rows
