"""What a caller asks a rating script to be, and the script that it makes: pure functions on values."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.script import Script
from cloudkitty_like.service.rule_changes.validity import (
    MISSING,
    UNSET,
    Unset,
    future_validity,
    given,
    has_begun,
    new_validity,
    running_validity,
    validity,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRequest:
    """The attributes of a script that a caller of the API has given; times aware.

    ``checksum`` makes nothing: it has to be that of the text.
    """

    name: str | Unset | None = UNSET
    data: str | Unset | None = UNSET
    checksum: str | Unset | None = UNSET
    order: int | Unset | None = UNSET
    description: str | Unset | None = UNSET
    start: datetime | Unset | None = UNSET
    end: datetime | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRelease:
    """A text that is to be the script of a name from some time on.

    ``begin``: that time; None is now, or under ``retroactive`` from when the
    version that holds now has held (always, for a new script).  What is None
    else is as it was, at its default for a new script; ``end`` None is for ever.
    """

    name: str
    text: str
    order: int | None = None
    description: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    retroactive: bool = False


def new_script(draft: ScriptRequest, now: datetime, force: bool) -> Script:
    """The script that a draft describes; Invalid where it describes none, or starts in the past without ``force``."""
    name, text = given(draft.name), given(draft.data)
    missing = [MISSING % (key, key)
               for key, value in (("name", name), ("data", text)) if value is None]
    if name is None or text is None:
        raise Invalid(*missing)
    return _as_said(draft, Script(
        name=name, text=text, order=given(draft.order) or 0, description=given(draft.description) or "",
        valid=new_validity(given(draft.start), given(draft.end), now, force)))


def changed_script(script: Script, draft: ScriptRequest, now: datetime) -> Script:
    """What a draft makes of a script.

    A running one can only be ended, once; one that has not begun is replaced,
    and keeps what the draft says nothing of, but for end and description.
    Invalid where more is asked for.
    """
    end = given(draft.end)
    if has_begun(script.valid, now):
        return _as_said(draft, replace(script, valid=running_validity(script.valid, end, _differs(script, draft), now)))
    name, text, order = given(draft.name), given(draft.data), given(draft.order)
    return _as_said(draft, replace(
        script, name=script.name if name is None else name, text=script.text if text is None else text,
        order=script.order if order is None else order, description=given(draft.description) or "",
        valid=future_validity(script.valid, given(draft.start), end, now)))


def released(release: ScriptRelease, versions: Mapping[int, Script], now: datetime) -> Script:
    """The script that a release makes, beside the known versions of that name."""
    when = release.begin or now
    current = next((version for version in versions.values() if when in version.valid), None)
    begin: datetime | None = when
    if release.retroactive and (current or not versions):
        begin = current.valid.begin if current else None
    before = current or (versions[max(versions)] if versions else None)
    order, description = release.order, release.description
    return Script(
        name=release.name, text=release.text, valid=validity(begin, release.end),
        order=order if order is not None else before.order if before else 0,
        description=description if description is not None else before.description if before else "")


def _differs(script: Script, draft: ScriptRequest) -> bool:
    """Whether a draft gives anything but the end another value than it has; null where there must be one is none."""
    always_there = ((draft.name, script.name), (draft.data, script.text), (draft.order, script.order),
                    (draft.start, script.valid.begin))
    return (any(given(said) is not None and said != there for said, there in always_there)
            or (draft.description is not UNSET and (draft.description or "") != script.description))


def _as_said(draft: ScriptRequest, script: Script) -> Script:
    if given(draft.checksum) not in (None, script.checksum):
        raise Invalid("checksum: is not the SHA-512 of data, which is what it has to be where it is given")
    return script
