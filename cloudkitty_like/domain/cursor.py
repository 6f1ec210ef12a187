"""Where in a long answer the next page begins, as a text that a caller keeps and brings back."""
from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import EPOCH, LATEST
from cloudkitty_like.domain.scope import check_identifier

LONGEST = 8192                         # characters; a scope id may take 4080 of them
GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the points of one question, ordered by begin and scope."""

    as_of: int                         # the ledger change as of which the first page was answered
    total: int                         # points in the whole answer
    number: int                        # points on the pages before
    begin: int                         # of the period, in seconds since 1970
    scope: str
    skip: int                          # points of this begin and scope on the pages before

    @property
    def after(self) -> tuple[datetime, str]:
        """For :class:`~cloudkitty_like.domain.query.Query`."""
        return EPOCH + timedelta(seconds=self.begin), self.scope

    def __str__(self) -> str:
        return urlsafe_b64encode(json.dumps(astuple(self), separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Cursor:
        """What was written as ``text``; Invalid where it is no such text.

        Whoever makes one up reads from a place of his choice, and nobody's points but those asked for.
        """
        try:
            cursor = cls(*json.loads(urlsafe_b64decode(text[:LONGEST].encode("ascii") + b"=" * (-len(text) % 4))))
            genuine = cursor._is_possible() and str(cursor) == text
        except (ValueError, TypeError, RecursionError, Invalid):
            genuine = False
        if not genuine:
            raise Invalid("the cursor is not one that a page has ended with")
        return cursor

    def _is_possible(self) -> bool:
        numbers = (self.as_of, self.total, self.number, self.begin, self.skip)
        return (all(type(number) is int and 0 <= number <= GREATEST for number in numbers)
                and self.begin < (LATEST - EPOCH).total_seconds() and self.skip <= self.number <= self.total
                and isinstance(self.scope, str) and bool(check_identifier(self.scope)))
