"""How stored rules become those that are wanted, without changing what has been: pure arithmetic on validities.

For each key (:attr:`~cloudkitty_like.domain.rule.Rule.key`) the stored rules are
pieces of time, and so are the wanted ones.

* A key of which nothing is stored is taken as wanted; without a start it holds from always.
* Otherwise what holds before ``effective`` stays, and from then on holds what is
  wanted.  A wanted rule without a start continues the stored one if it prices
  alike (same type and cost); if not, the stored one ends and it starts at ``effective``.
* A stored rule that nobody wants ends at ``effective``.
* ``retroactive``: what is wanted holds over the whole validity of the stored rule
  that holds at ``effective``, and an unwanted one is withdrawn altogether.  Rules
  that had ended before stay, but where a wanted one says that it holds there.

Doing it twice is doing it once, also at a later ``effective``.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.rule import Rule, RuleKey, Validity, overlaps

RulePiece = tuple[str | None, Rule]
"""A rule that is to be stored, and the id of the stored one that it is a new state of (None: a new rule)."""


@dataclass(frozen=True, slots=True)
class RuleDiff:
    """What is to be recorded; the mappings are by the stored rule's id."""

    added: Sequence[Rule] = ()
    changed: Mapping[str, tuple[Rule, Rule]] = field(default_factory=dict)      # before, after
    withdrawn: Mapping[str, Rule] = field(default_factory=dict)
    unchanged: int = 0
    moved_back: frozenset[str] = frozenset()    # of those changed: by a change that comes earlier than it was to

    def __bool__(self) -> bool:
        """Whether there is anything to record."""
        return bool(self.added or self.changed or self.withdrawn)

    def lines(self) -> list[str]:
        """For people, ordered by rule: ``+`` added, ``-`` withdrawn, ``~`` changed, before and after.

        ``!`` stands in place of ``~`` where a change moves back.
        """
        entries = [(str(rule), 2, f"+ {described(rule)}") for rule in self.added]
        entries += [(str(rule), 0, f"- {described(rule)}") for rule in self.withdrawn.values()]
        for identity, (before, after) in self.changed.items():
            mark, remark = "~", ""
            if identity in self.moved_back:
                mark, remark = "!", _moved(before, after)
            entries.append((str(before), 1,
                            f"{mark} {described(before)}\n  {_now(before, after)}{remark}"))
        return [line for _, _, line in sorted(entries)]

    def moves(self) -> list[str]:
        """For people, ordered by rule: each change that moves back, and to when."""
        moved = [self.changed[identity] for identity in self.moved_back]
        starts = [f"{described(before)} would hold from {instant(after.valid.begin)} on"
                  for before, after in moved if after.valid.begin != before.valid.begin and after.valid.begin]
        keys = {before.key for before, after in moved if after.valid.begin != before.valid.begin}
        ends = [f"{described(before)} would end at {instant(after.valid.end)}"
                for before, after in moved if before.key not in keys and after.valid.end]
        return sorted(starts + ends)


def described(rule: Rule) -> str:
    """The whole rule on one line: what for, how much, when."""
    return f"{rule}: {rule.type} {money.plain(rule.cost)} {rule.valid}"


def _moved(before: Rule, after: Rule) -> str:
    """The remark on a rule whose start or end moves back."""
    if after.valid.begin != before.valid.begin and before.valid.begin is not None:
        return f" (its change of {instant(before.valid.begin)} moves back)"
    return "" if before.valid.end is None else f" (its end of {instant(before.valid.end)} moves back)"


def _now(before: Rule, after: Rule) -> str:
    parts = []
    if after.prices_like != before.prices_like:
        parts.append(f"{after.type} {money.plain(after.cost)}")
    if after.valid != before.valid:
        parts.append(str(after.valid))
    parts += [f"{name} {getattr(after, name)!r}" for name in ("group", "name", "description")
              if getattr(after, name) != getattr(before, name)]
    return f"now: {', '.join(parts)}"


def amended(stored: Mapping[str, Rule], wanted: Iterable[Rule], effective: datetime,
            retroactive: bool = False) -> RuleDiff:
    """What turns the ``stored`` rules (by id) into the ``wanted`` ones.

    Neither has overlaps.  Invalid, all at once, where a wanted rule names a
    time before ``effective`` at which something else is stored, and
    ``retroactive`` does not allow for that.
    """
    before: dict[RuleKey, dict[str, Rule]] = {}
    after: dict[RuleKey, list[Rule]] = {}
    for identity, rule in stored.items():
        before.setdefault(rule.key, {})[identity] = rule
    for rule in wanted:
        after.setdefault(rule.key, []).append(rule)
    pieces: list[RulePiece] = []
    problems: list[str] = []
    place = _rewritten if retroactive else _continued
    for key in before.keys() | after.keys():
        there, rules = before.get(key, {}), after.get(key, [])
        placed: list[RulePiece] = [(None, rule) for rule in rules]
        if there:
            placed = place(there, rules, effective)
        problems += (_refusal(rule, effective) for rule in rules if not _is_in(rule, placed))
        problems += (f"{rule}: {rule.valid} and {other.valid} overlap"
                     for rule, other in overlaps(r for _, r in placed))
        pieces += _identified(there, placed)
    if problems:
        raise Invalid(*sorted(problems))
    amendment = _compared(stored, pieces)
    return replace(amendment, moved_back=frozenset(_moved_back(amendment, after, effective)))


def _continued(stored: Mapping[str, Rule], wanted: Sequence[Rule], effective: datetime) -> list[RulePiece]:
    """What is stored until ``effective``, what is wanted from then on."""
    current = next((identity for identity, rule in stored.items() if effective in rule.valid), None)
    placed: list[RulePiece] = []
    for rule in wanted:
        begin, end = rule.valid.begin, rule.valid.end
        if rule.valid.is_over(effective):
            continue
        if begin is not None and begin >= effective:
            placed.append((None, rule))
        elif current is not None and stored[current].prices_like == rule.prices_like:
            placed.append((current, replace(rule, valid=Validity(stored[current].valid.begin, end))))
        else:
            placed.append((None, replace(rule, valid=Validity(effective, end))))
    continued = {identity for identity, _ in placed}
    for identity, rule in stored.items():
        if identity not in continued and (valid := rule.valid.until(effective)):
            placed.append((identity, _renamed(replace(rule, valid=valid), wanted)))
    return placed


def _rewritten(stored: Mapping[str, Rule], wanted: Sequence[Rule], effective: datetime) -> list[RulePiece]:
    """What is wanted, and of the stored rules that were over what does not contradict it."""
    placed: list[RulePiece] = [(None, _backdated(stored, rule, effective)) for rule in wanted]
    taken = [rule.valid for _, rule in placed]
    for identity, rule in stored.items():
        if rule.valid.is_over(effective):
            rest = _without(rule.valid, taken)
            placed += [(None if i else identity, replace(rule, valid=valid)) for i, valid in enumerate(rest)]
    return placed


def _backdated(stored: Mapping[str, Rule], rule: Rule, effective: datetime) -> Rule:
    """A wanted rule with the start that it means: of what it replaces, or the end of what went before."""
    if rule.valid.begin is not None:
        return rule
    if rule.valid.is_over(effective):
        same = (other for other in stored.values() if _means(rule, other))
        return replace(rule, valid=next(same, rule).valid)
    for other in stored.values():
        if effective in other.valid:
            return replace(rule, valid=Validity(other.valid.begin, rule.valid.end))
    ends = [other.valid.end for other in stored.values() if other.valid.end and other.valid.end <= effective]
    return replace(rule, valid=Validity(max(ends, default=None), rule.valid.end))


def _without(valid: Validity, taken: Iterable[Validity]) -> list[Validity]:
    """What is left of ``valid``, in order of time."""
    rest = [valid]
    for other in taken:
        rest = [left for part in rest for left in part.without(other)]
    return rest


def _renamed(kept: Rule, wanted: Iterable[Rule]) -> Rule:
    """What is kept of the past, by the name and with the words that the wanted rules have for it."""
    for rule in wanted:
        if _means(rule, kept):
            return replace(rule, valid=kept.valid)
    return kept


def _means(wanted: Rule, rule: Rule) -> bool:
    return (wanted.prices_like == rule.prices_like and wanted.valid.end == rule.valid.end
            and wanted.valid.begin in (None, rule.valid.begin))


def _is_in(wanted: Rule, placed: Iterable[RulePiece]) -> bool:
    return any(_means(wanted, rule) for _, rule in placed)


def _identified(stored: Mapping[str, Rule], placed: Sequence[RulePiece]) -> Iterator[RulePiece]:
    """Pieces without an id get that of a stored rule left over: of the same one, else of one that is like it."""
    left = {identity: rule for identity, rule in stored.items() if identity not in {used for used, _ in placed}}
    for identity, rule in sorted(placed, key=lambda piece: piece[1] not in left.values()):
        chosen_id = identity or max(left, key=lambda other: _likeness(left[other], rule),
                                    default=None)
        if chosen_id and not identity and not _likeness(left[chosen_id], rule):
            chosen_id = None
        left.pop(chosen_id or "", None)
        yield chosen_id, rule


def _likeness(rule: Rule, other: Rule) -> int:
    return (4 * (rule == other) + 2 * (rule.valid.begin == other.valid.begin)
            + (rule.prices_like == other.prices_like))


def _refusal(rule: Rule, effective: datetime) -> str:
    return (f"{described(rule)}: something else is recorded for the time before {instant(effective)}; "
            "leave out the start, or change the past explicitly (retroactive)")


def _moved_back(amendment: RuleDiff, wanted: Mapping[RuleKey, Sequence[Rule]], effective: datetime) -> Iterator[str]:
    """The changed rules whose start or end comes at ``effective`` though it was to come later, unasked."""
    starts: dict[RuleKey, list[datetime]] = {}
    for identity, (before, after) in amendment.changed.items():
        begin = before.valid.begin
        begins = {rule.valid.begin for rule in wanted.get(before.key, ())}
        if begin and begin > effective == after.valid.begin and effective not in begins:
            starts.setdefault(before.key, []).append(begin)
            yield identity
    replaced = {rule.key for rule in amendment.withdrawn.values()}
    for identity, (before, after) in amendment.changed.items():
        end = before.valid.end
        if end and end > effective == after.valid.end:
            makes_room = any(end <= begin for begin in starts.get(before.key, ()))
            removed = all(rule.valid.is_over(effective) for rule in wanted.get(before.key, ()))
            if makes_room or (removed and before.key not in replaced):
                yield identity


def _compared(stored: Mapping[str, Rule], pieces: Iterable[RulePiece]) -> RuleDiff:
    added: list[Rule] = []
    changed: dict[str, tuple[Rule, Rule]] = {}
    unchanged: set[str] = set()
    for identity, rule in pieces:
        if identity is None:
            added.append(rule)
        elif stored[identity] == rule:
            unchanged.add(identity)
        else:
            changed[identity] = stored[identity], rule
    withdrawn = {identity: rule for identity, rule in stored.items()
                 if identity not in unchanged and identity not in changed}
    return RuleDiff(tuple(sorted(added, key=described)), changed, withdrawn, len(unchanged))
