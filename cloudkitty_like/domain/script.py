"""Rating scripts as values: an operator's program, and when it holds."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha512

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.rule import ALWAYS, MAX_DESCRIPTION, MAX_NAME, Validity, text_problems
from cloudkitty_like.domain.text import storable

MAX_TEXT = 256 * 1024              # characters of a script
MAX_ORDER = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A rating script; ``text`` is Python.  Of those that hold the one of the lowest order runs first, then by name.

    Raises Invalid with every problem at once, each as ``attribute: reason``.
    Whether the text compiles is not looked at here.
    """

    name: str
    text: str
    order: int = 0
    description: str = ""
    valid: Validity = ALWAYS

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise Invalid(*problems)

    @property
    def checksum(self) -> str:
        """The SHA-512 of the text in UTF-8, in hex."""
        return sha512(self.text.encode()).hexdigest()

    @property
    def works_like(self) -> tuple[str, int]:
        """What two states of a script share if they do the same at the same place."""
        return self.text, self.order

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands among the scripts that hold at the same time."""
        return self.order, self.name

    def _problems(self) -> Iterator[str]:
        if not self.name:
            yield "name: is empty"
        yield from text_problems("name", self.name, MAX_NAME)
        yield from text_problems("description", self.description, MAX_DESCRIPTION)
        if not self.text:
            yield "data: is empty"
        if len(self.text) > MAX_TEXT:
            yield f"data: longer than {MAX_TEXT} characters"
        elif not storable(self.text):
            yield "data: holds characters that cannot be stored"
        if abs(self.order) > MAX_ORDER:
            yield f"order: {self.order} is out of range"


def in_force(scripts: Iterable[Script], when: datetime) -> list[Script]:
    """The scripts that hold at ``when``, in the order in which they run."""
    return sorted((script for script in scripts if when in script.valid), key=lambda script: script.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptVersion:
    """A version of a script without its text, and who made it."""

    id: str                            # of the script
    version: int
    name: str
    checksum: str                      # of its text, see Script.checksum
    order: int
    description: str
    valid: Validity
    author: str
    recorded_at: datetime
    change: int                        # that made it, and why
    reason: str
    known: bool                        # else it was withdrawn: it holds no more and never will have
    deleted: bool                      # with its script

    @property
    def key(self) -> str:
        """Names this version of this script among all: ``<id>/<version>``."""
        return version_key(self.id, self.version)


def version_key(identity: str, version: int) -> str:
    """The key of a script's version: ``<id>/<version>``."""
    return f"{identity}/{version}"
