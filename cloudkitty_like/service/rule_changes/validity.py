"""What rules and scripts have in common over the API: they hold for a time, and something was done to them.

Messages that CloudKitty's published tests and clients read have its words.
"""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeVar

from cloudkitty_like.domain.change import AuditInfo
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.rule import Validity

_T = TypeVar("_T")

RUNNING = "You are allowed to update only the attribute [end] as this rule is already running as it started on [%s]"
ENDED = "Cannot update a rule that was already processed and has a defined end date."
MISSING = "%s: Invalid input for field/attribute %s. Value: 'None'. Mandatory field missing."


class Unset(Enum):
    """The type of ``UNSET``: the caller has said nothing, which is not the same as None."""

    UNSET = "unset"


UNSET = Unset.UNSET


def given(value: _T | Unset | None) -> _T | None:
    """What the caller has said; None where that is nothing."""
    return None if isinstance(value, Unset) else value


def new_validity(start: datetime | None, end: datetime | None, now: datetime, force: bool) -> Validity:
    """From now on unless it says otherwise; Invalid where that is in the past, without ``force``."""
    begin = start or now
    if begin < now and not force:
        raise Invalid(f"start: {instant(begin)} is in the past",
                      hint="a forced rule may start in the past; what is rated already is not rated again by itself")
    return validity(begin, end)


def has_begun(valid: Validity, now: datetime) -> bool:
    return valid.begin is None or valid.begin <= now


def running_validity(valid: Validity, end: datetime | None, differs: bool, now: datetime) -> Validity:
    """Of what has begun: it can be ended, once.  Invalid where more is asked for; ``differs``: anything but the end."""
    if valid.end is not None:
        if end != valid.end or differs:
            raise Invalid(ENDED)
        return valid                   # a client that follows the redirect of its PUT sends it a second time
    if differs:
        raise Invalid(RUNNING % ("always" if valid.begin is None else valid.begin.replace(tzinfo=None)))
    if end is not None and end < now:
        raise Invalid(f"end: {instant(end)} is in the past")
    return validity(valid.begin, end)


def future_validity(valid: Validity, start: datetime | None, end: datetime | None, now: datetime) -> Validity:
    """Of what has not begun: without a start it keeps the one it has.  Invalid where that is to be in the past."""
    begin = start or valid.begin
    if begin is not None and begin < now:
        raise Invalid(f"start: {instant(begin)} is in the past")
    return validity(begin, end)


def validity(begin: datetime | None, end: datetime | None) -> Validity:
    """Invalid, as a problem of ``end``, where that is not after the begin."""
    try:
        return Validity(begin, end)
    except Invalid as error:
        raise Invalid(f"end: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidityFilter:
    """Which of them a list is to have; None and False leave it open."""

    deleted: bool = False              # deleted ones too
    start: datetime | None = None      # begins at that instant or later
    end: datetime | None = None        # ends before that instant
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None
    description: str | None = None     # is part of it, whatever the case
    is_active: bool = False            # holds now

    def has(self, valid: Validity, description: str, audit: AuditInfo, now: datetime) -> bool:
        """Whether one of this validity, description and audit is asked for; ``deleted`` is not looked at."""
        people = ((self.created_by, audit.created_by), (self.updated_by, audit.updated_by),
                  (self.deleted_by, audit.deleted_by))
        return (
            (self.start is None or (valid.begin is not None and valid.begin >= self.start))
            and (self.end is None or (valid.end is not None and valid.end < self.end))
            and all(person is None or person == there for person, there in people)
            and (self.description or "").casefold() in description.casefold()
            and (not self.is_active or (audit.deleted_at is None and now in valid))
        )
