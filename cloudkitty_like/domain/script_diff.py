"""How a new version of a rating script takes the place of those that are known: pure arithmetic on validities."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import Script

ScriptVersions = Mapping[int, Script]
"""The versions of one script that are known, by number; no two hold at the same time."""


@dataclass(frozen=True, slots=True)
class ScriptDiff:
    """What is to be recorded of one script; the mappings are by the number of a version."""

    added: Script | None = None
    changed: Mapping[int, tuple[Script, Script]] = field(default_factory=dict)      # before, after
    withdrawn: ScriptVersions = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to record."""
        return bool(self.added or self.changed or self.withdrawn)

    def lines(self) -> list[str]:
        """For people, in order of the versions: ``-`` withdrawn, ``~`` changed, before and after, ``+`` added."""
        entries = {number: [f"- version {number} of {described(script)}"]
                   for number, script in self.withdrawn.items()}
        entries |= {number: [f"~ version {number} of {described(before)}",
                             f"  now: {_difference(before, after)}"]
                    for number, (before, after) in self.changed.items()}
        added = [] if self.added is None else [f"+ {described(self.added)}"]
        return [line for _, lines in sorted(entries.items()) for line in lines] + added


def described(script: Script) -> str:
    """A script on one line: its name, where it stands, which text, when."""
    return f"{script.name}: order {script.order}, text {script.checksum[:12]} {script.valid}"


def _difference(before: Script, after: Script) -> str:
    parts = [] if after.valid == before.valid else [str(after.valid)]
    return ", ".join(parts + [f"{name} {getattr(after, name)!r}" for name in ("name", "description")
                              if getattr(after, name) != getattr(before, name)])


def succeeded(versions: ScriptVersions, successor: Script) -> ScriptDiff:
    """What lets ``successor`` be the script from its start on.

    What holds before that stays, and whatever would hold later is withdrawn.
    A version that does the same and holds at that start goes on, in place of a
    new one.  Doing it twice is doing it once.
    """
    begin = successor.valid.begin
    changed: dict[int, tuple[Script, Script]] = {}
    withdrawn: dict[int, Script] = {}
    added: Script | None = successor
    for number, script in versions.items():
        goes_on = script.valid.begin == begin or (begin is not None and begin in script.valid)
        if goes_on and script.works_like == successor.works_like:
            added = None
            after = replace(successor, valid=Validity(script.valid.begin, successor.valid.end))
        elif before := _before(script.valid, begin):
            after = replace(script, valid=before)
        else:
            withdrawn[number] = script
            continue
        if after != script:
            changed[number] = script, after
    return ScriptDiff(added, changed, withdrawn)


def ended(versions: ScriptVersions, at: datetime, now: datetime) -> ScriptDiff:
    """What lets a script hold until ``at`` and not after; Conflict where it had ended before that and ``now``.

    An end that is still to come may be moved either way.
    """
    ends = [script.valid.end for script in versions.values()]
    last = None if None in ends else max(end for end in ends if end)
    if last is not None and last <= min(at, now):
        raise Conflict(f"it has ended at {instant(last)}")
    kept = {number: valid for number, script in versions.items()
            if (valid := _before(script.valid, at))}
    if len(kept) == len(versions):
        final = next(number for number, script in versions.items() if script.valid.end == last)
        kept[final] = Validity(versions[final].valid.begin, at)
    changed = {number: (versions[number], replace(versions[number], valid=valid))
               for number, valid in kept.items() if valid != versions[number].valid}
    return ScriptDiff(None, changed,
                      {number: script for number, script in versions.items() if number not in kept})


def _before(valid: Validity, when: datetime | None) -> Validity | None:
    """The part before ``when`` (None: the beginning of time); None where there is none."""
    return None if when is None else valid.until(when)
