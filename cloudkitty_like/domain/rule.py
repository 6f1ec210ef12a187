"""Rules of the hashmap rating module, as values: what is charged for what, and when that holds.

CloudKitty's words: a *service* is a metric's name in reports, a *field* one of
its labels, a *mapping* a cost for one label value (or for the service as
such), a *threshold* a cost from a level on, of a numeric label or of the
quantity.  How they make a price is in
:mod:`cloudkitty_like.rating.hashmap.tariff`.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import storable

Type = Literal["flat", "rate"]
TYPES: tuple[Type, ...] = ("flat", "rate")

DEFAULT_GROUP = "_DEFAULT_"
"""The name under which CloudKitty keeps what is in no group; a group called so is no group."""

MAX_NAME = 255                     # service, field, value, group, scope, name
MAX_DESCRIPTION = 4000
MAX_WHOLE_DIGITS = {"cost": 12, "level": 15}
MAX_DECIMALS = 28

RuleKey = tuple[str, str, str | None, Decimal | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Validity:
    """From ``begin`` (None: always) until, not including, ``end`` (None: for ever), in UTC."""

    begin: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("begin", "end"):
            when = getattr(self, name)
            if when is None:
                continue
            if when.tzinfo is None:
                raise Invalid("a validity needs instants with a time zone")
            object.__setattr__(self, name, when.astimezone(UTC))
        if self.begin is not None and self.end is not None and self.begin >= self.end:
            raise Invalid(f"ends at {instant(self.end)}, not after its start {instant(self.begin)}")

    def __contains__(self, when: datetime) -> bool:
        return (self.begin is None or self.begin <= when) and (self.end is None or when < self.end)

    def overlaps(self, other: Validity) -> bool:
        return not (self.is_over(other.begin) or other.is_over(self.begin))

    def is_over(self, when: datetime | None) -> bool:
        """Whether it has ended by ``when`` (None: the beginning of time)."""
        return when is not None and self.end is not None and self.end <= when

    def until(self, end: datetime | None) -> Validity | None:
        """The part before ``end`` (None: all of it); None where there is none."""
        if end is None or self.is_over(end):
            return self
        return None if self.begin is not None and end <= self.begin else Validity(self.begin, end)

    def since(self, begin: datetime | None) -> Validity | None:
        """The part from ``begin`` on; None where there is none."""
        if begin is None or (self.begin is not None and begin <= self.begin):
            return self
        return None if self.is_over(begin) else Validity(begin, self.end)

    def without(self, other: Validity) -> list[Validity]:
        """What is left of it besides ``other``, in order of time."""
        if not self.overlaps(other):
            return [self]
        before = None if other.begin is None else self.until(other.begin)
        after = None if other.end is None else self.since(other.end)
        return [part for part in (before, after) if part is not None]

    def __str__(self) -> str:
        begin = "always" if self.begin is None else instant(self.begin)
        return f"from {begin}" + ("" if self.end is None else f" until {instant(self.end)}")


ALWAYS = Validity()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A mapping (``level`` is None) or a threshold, of a field (``field`` is set) or of the service itself.

    ``scope`` None is a rule for every scope; a scope's own rule replaces it.
    Two kinds of rule are accepted because CloudKitty accepts them, and never
    apply, as they never do there: a flat mapping of negative cost, and a
    threshold of level -1 or less.

    Raises Invalid with every problem at once, each as ``attribute: reason``.
    """

    service: str
    cost: Decimal
    type: Type = "flat"
    field: str | None = None
    value: str | None = None
    level: Decimal | None = None
    group: str = ""
    scope: str | None = None
    name: str = ""
    description: str = ""
    valid: Validity = ALWAYS

    def __post_init__(self) -> None:
        problems = [*self._text_problems(), *self._number_problems(), *self._shape_problems()]
        if problems:
            raise Invalid(*problems)

    @property
    def key(self) -> RuleKey:
        """What only one rule may have at any time."""
        group = "" if self.group == DEFAULT_GROUP else self.group
        return self.service, self.field or "", self.value, self.level, group, self.scope

    @property
    def never_applies(self) -> bool:
        if self.level is None:
            return self.type == "flat" and self.cost < 0
        return self.level <= -1

    @property
    def prices_like(self) -> tuple[Type, Decimal]:
        """What two rules of one key share if they price alike."""
        return self.type, self.cost

    def __str__(self) -> str:
        """What it is a rule for; not its cost, not its time."""
        words = [self.service]
        if self.field is not None and self.level is None:
            words.append(f"{self.field}={self.value}")
        elif self.level is not None:
            words.append(f"{'quantity' if self.field is None else self.field} >= {money.plain(self.level)}")
        if self.group:
            words.append(f"group {self.group}")
        if self.scope is not None:
            words.append(f"scope {self.scope}")
        return ", ".join(words)

    def _text_problems(self) -> Iterator[str]:
        for name in ("service", "field", "value", "group", "scope", "name", "description"):
            text = getattr(self, name)
            if text is None:
                continue
            yield from text_problems(name, text, MAX_DESCRIPTION if name == "description" else MAX_NAME)
        for name in ("service", "field", "value"):
            if getattr(self, name) == "":
                yield f"{name}: is empty"

    def _number_problems(self) -> Iterator[str]:
        for name, whole in MAX_WHOLE_DIGITS.items():
            number = getattr(self, name)
            if number is None:
                continue
            if not number.is_finite():
                yield f"{name}: {number} is not a finite number"
                continue
            decimals = -int(number.as_tuple().exponent)
            if number and number.adjusted() >= whole:
                yield f"{name}: {number} has more than {whole} digits before the point"
            elif decimals > MAX_DECIMALS and number != number.quantize(_LAST_DECIMAL, context=money.CONTEXT):
                yield f"{name}: {number} has more than {MAX_DECIMALS} decimals"

    def _shape_problems(self) -> Iterator[str]:
        if self.type not in TYPES:
            yield f"type: {self.type!r} is neither 'flat' nor 'rate'"
        if self.value is not None and self.level is not None:
            yield "level: a rule has a value (a mapping) or a level (a threshold), not both"
        if self.field is None and self.value is not None:
            yield "value: a value needs the field that it is a value of"
        if self.field is not None and self.value is None and self.level is None:
            yield "field: a rule of a field needs a value (a mapping) or a level (a threshold)"


_LAST_DECIMAL = Decimal(1).scaleb(-MAX_DECIMALS)


def text_problems(name: str, text: str, longest: int = MAX_NAME) -> Iterator[str]:
    """Why this text cannot be stored, each as ``name: reason``."""
    if len(text) > longest:
        yield f"{name}: longer than {longest} characters"
    if not storable(text):
        yield f"{name}: {text!r} holds characters that cannot be stored"


def overlaps(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Pairs of rules of one key that hold at the same time: the earlier given, the later given."""
    by_key: dict[RuleKey, list[Rule]] = {}
    for rule in rules:
        others = by_key.setdefault(rule.key, [])
        for other in others:
            if other.valid.overlaps(rule.valid):
                yield other, rule
                break
        others.append(rule)
