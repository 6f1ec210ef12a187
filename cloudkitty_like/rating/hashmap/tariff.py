"""HashMap as arithmetic: rules and labels in, a price function of quantity out.

What a price is (CloudKitty's rules, kept exactly).  Every rule belongs to a
group.  Of the rules that a row meets, in each group:

* ``flat`` is the greatest cost of the flat mappings, 0 without one;
* ``rate`` is the product of the costs of the rate mappings, 1 without one;
* of the thresholds reached the one of the highest level counts; of equal levels
  the quantity's goes before a field's, and fields go by name.

The price of the group is ``flat * rate * qty``, corrected by its threshold, whose cost is c:

==========================  ==============================
threshold                   price of the group
==========================  ==============================
on a field, flat            ``rate * (flat + c) * qty``
on a field, rate            ``rate * c * flat * qty``
on the quantity, flat       ``rate * flat * qty + c``
on the quantity, rate       ``rate * flat * qty * c``
==========================  ==============================

and the row's price is the sum over its groups, added to what an earlier module
priced.  So for rows that meet the same rules it is a line, ``slope * qty + offset``.

A row is *met* if a mapping matches it or a threshold applies to it.  A row that
no rule meets is left as it is: unpriced, which is not free.  A row met by rates
alone is met, at price 0, as the table says.

How it is done fast.  The rules of a metric that hold at one time for one scope
are compiled to a :class:`_Plan`, shared by all scopes without rules of their own.
A plan sorts the values of each label into classes, one for every set of rules
they can meet; a row is then one number, made of its classes, and a line is
looked up by it.  Work that depends on a label is done once per distinct label,
work that depends on rules once per class; what remains per row is an addition of
integers per label, one look-up and one multiplication.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, partial, reduce
from operator import add

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.explanation import ExplainedFrames, LazySequence, PricePart
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule, RuleKey
from cloudkitty_like.rating.hashmap import groups
from cloudkitty_like.rating.hashmap.groups import PriceLine

MAX_CACHED = 100_000


class HashmapTariff:
    """All rules at one time of recording, ready to price.  A :class:`~cloudkitty_like.ports.ExplainingTariff`.

    ``rules``: by their ids, or without.
    """

    def __init__(self, rules: Iterable[Rule] | Mapping[str, Rule]) -> None:
        self._ids = {rule: identity for identity, rule in rules.items()} if isinstance(rules, Mapping) else {}
        by_service: dict[str, list[Rule]] = {}
        for rule in rules.values() if isinstance(rules, Mapping) else rules:
            by_service.setdefault(rule.service, []).append(rule)
        self._services = {name: _Service(own) for name, own in by_service.items()}

    def rate(self, scope: str, period: Period, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The frames, each row's price raised by the rules it meets; not rounded.

        A rule holds for a period if it holds at its begin.  Invalid, naming
        rule, label and value, where a threshold's label is not a number.
        """
        services = self._services
        with money.arithmetic():
            return [
                frame if (service := services.get(frame.metric)) is None
                else service.plan(scope, period.begin).rate(frame)
                for frame in frames
            ]

    def explain(self, scope: str, period: Period, frames: Sequence[Frame]) -> ExplainedFrames:
        """As the port says: a part for every rule that a row meets, in the order of the table above."""
        return ExplainedFrames(self.rate(scope, period, frames), [
            LazySequence(len(frame), lambda row: ()) if (service := self._services.get(frame.metric)) is None
            else self._parts(service.plan(scope, period.begin), frame)
            for frame in frames])

    def _parts(self, plan: _Plan, frame: Frame) -> Sequence[tuple[PricePart, ...]]:
        met = plan.met(frame)
        return LazySequence(len(frame), lambda row: groups.parts(met[row], frame.qty[row], frame.unit, self._ids.get))


class _Service:
    """The rules of one metric: a plan for every scope and time, made when first asked for."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._common = [rule for rule in rules if rule.scope is None]
        self._own: dict[str, list[Rule]] = {}
        for rule in rules:
            if rule.scope is not None:
                self._own.setdefault(rule.scope, []).append(rule)
        self._turns: dict[str | None, list[datetime]] = {
            scope: sorted({when for rule in (*self._common, *own)
                           for when in (rule.valid.begin, rule.valid.end) if when is not None})
            for scope, own in ((None, []), *self._own.items())
        }
        self._plans: dict[tuple[str | None, int], _Plan] = {}

    def plan(self, scope: str, when: datetime) -> _Plan:
        whose = scope if scope in self._own else None
        key = whose, bisect_right(self._turns[whose], when)
        plan = self._plans.get(key)
        if plan is None:
            # Two threads may make it twice: the same plan, and the dictionary keeps one.
            plan = _Plan(_in_force(self._common, self._own.get(scope, ()), when))
            if len(self._plans) >= MAX_CACHED:
                self._plans = {}
            self._plans[key] = plan
        return plan


def _in_force(common: Iterable[Rule], own: Iterable[Rule], when: datetime) -> list[Rule]:
    """The rules that hold at ``when``; a scope's own replaces the common one of its key."""
    chosen: dict[RuleKey, Rule] = {}
    for rule in (*common, *own):
        if when in rule.valid:
            chosen[(*rule.key[:-1], None)] = rule
    # What never applies still replaced what it replaces.
    return [rule for rule in chosen.values() if not rule.never_applies]


class _Label:
    """One label that rules look at: which of them each of its values meets, as a number of a class.

    Class 0 is a value that no rule of the label is met by, and a row without the label.
    """

    def __init__(self, name: str, rules: Sequence[Rule]) -> None:
        self.name = name
        mappings: dict[str, list[Rule]] = {}
        for rule in rules:
            if rule.level is None:
                mappings.setdefault(rule.value or "", []).append(rule)
        self._thresholds = groups.thresholds(rules)
        self._levels = [rule.level for rule in self._thresholds if rule.level is not None]
        self._matched: list[list[Rule]] = [[], *mappings.values()]
        self._index = {value: i for i, value in enumerate(mappings, 1)}
        self._width = len(self._levels) + 1
        self.size = len(self._matched) * self._width
        self._reached: dict[str, int] = {}

    def classes(self, values: Sequence[str], stride: int) -> list[int]:
        """The class of each value, times ``stride``."""
        index = self._index
        if not self._levels:
            return [index.get(value, 0) * stride for value in values]
        width, reached = self._width, self._reached
        return [
            (index.get(value, 0) * width + (reached[value] if value in reached else self._level(value))) * stride
            for value in values
        ]

    def rules(self, number: int) -> list[Rule]:
        """The rules that a value of this class meets."""
        matched, reached = divmod(number, self._width)
        return [*self._matched[matched], *self._thresholds[:reached]]

    def _level(self, value: str) -> int:
        """How many of the thresholds the value reaches; none where the label is empty, that is, not there."""
        try:
            level = bisect_right(self._levels, money.number(value)) if value else 0
        except Invalid as error:
            rule = self._thresholds[0]
            raise Invalid(f"hashmap: the threshold {rule} needs a number, but {rule.field} is {value!r}: {error}",
                          hint="correct the label or end the rule, then the scope is rated") from None
        if len(self._reached) >= MAX_CACHED:
            self._reached = {}
        self._reached[value] = level
        return level


class _Plan:
    """The rules in force for one metric, compiled."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._always = [rule for rule in rules if rule.field is None and rule.level is None]
        self._thresholds = groups.thresholds([rule for rule in rules if rule.field is None])
        self._levels = [rule.level for rule in self._thresholds if rule.level is not None]
        self._labels: list[tuple[_Label, int]] = []
        stride = len(self._levels) + 1                 # the lowest place is the quantity's
        for name in sorted({rule.field for rule in rules if rule.field is not None}):
            label = _Label(name, [rule for rule in rules if rule.field == name])
            self._labels.append((label, stride))
            stride *= label.size
        self._plain = not any(rule.type == "flat" for rule in self._thresholds)     # no line has an offset
        self._lines: dict[int, PriceLine | None] = {}
        self._slopes: dict[int, Decimal | None] = {}

    def rate(self, frame: Frame) -> Frame:
        """The frame at its new prices; to be called in :func:`money.arithmetic`."""
        prices = self._prices(frame)
        if not any(True for price in prices if price is not None):     # count() would compare each Decimal with None
            return frame
        if frame.unpriced != len(prices):
            prices = [old if new is None else new if old is None else old + new
                      for old, new in zip(frame.price, prices, strict=True)]
        return frame.with_price(prices)

    def met(self, frame: Frame) -> Sequence[Sequence[Rule]]:
        """The rules that each row meets."""
        of_number = cache(self._met)
        return list(map(of_number, self._numbers(frame)))

    def _prices(self, frame: Frame) -> list[Decimal | None]:
        numbers = self._numbers(frame)
        while True:
            try:
                return self._along(frame.qty, numbers)
            except KeyError:
                self._learn(numbers)

    def _numbers(self, frame: Frame) -> list[int]:
        """Each row's classes as one number: the sum of theirs times their strides."""
        base = 0                                       # what all rows have in common
        columns: list[tuple[Sequence[int], list[int]]] = []
        for label, stride in self._labels:
            column = frame.groupby.get(label.name, frame.metadata.get(label.name))
            if column is None:
                continue
            classes = label.classes(column.values, stride)
            if len(classes) == 1 or len(set(classes)) == 1:
                base += classes[0]
            elif classes:
                columns.append((column.codes, classes))
        parts: list[Iterable[int]] = [map(classes.__getitem__, codes) for codes, classes in columns]
        if levels := self._levels:
            parts.append([bisect_right(levels, qty) for qty in frame.qty])
        if not parts:
            return [base] * len(frame)
        if base:
            parts[0] = map(base.__add__, parts[0])
        return list(reduce(partial(map, add), parts))

    def _along(self, qty: Sequence[Decimal], numbers: Sequence[int]) -> list[Decimal | None]:
        """The price of each row; KeyError where a row's number has not been learnt."""
        if self._plain:
            slopes = self._slopes
            return [None if (slope := slopes[n]) is None else q * slope for q, n in zip(qty, numbers, strict=True)]
        lines = self._lines
        return [None if (line := lines[n]) is None else q * line[0] + line[1]
                for q, n in zip(qty, numbers, strict=True)]

    def _learn(self, numbers: Iterable[int]) -> None:
        """Work out the lines of these numbers."""
        if len(self._lines) >= MAX_CACHED:
            self._lines, self._slopes = {}, {}      # new ones: another thread keeps those it is reading
        lines, slopes = self._lines, self._slopes
        for number in [number for number in set(numbers) if number not in lines]:
            line = groups.line(self._met(number))
            slopes[number] = None if line is None else line.slope
            lines[number] = line

    def _met(self, number: int) -> list[Rule]:
        """The rules that rows of this number meet."""
        number, reached = divmod(number, len(self._levels) + 1)
        met = [*self._always, *self._thresholds[:reached]]
        for label, _ in self._labels:
            number, of_label = divmod(number, label.size)
            met += label.rules(of_label)
        return met
