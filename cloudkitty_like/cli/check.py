"""One row of ``status``: what was looked at, and what was found."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloudkitty_like.domain.errors import Error

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what was found."""

    name: str
    state: State
    text: str


def tried(name: str, look: Callable[[], str]) -> Check:
    """``ok`` with what ``look()`` says, or an error with what it raises and what to do about it."""
    try:
        return Check(name, "ok", look())
    except Error as error:
        hint = f" ({error.hint})" if error.hint else ""
        return Check(name, "error", str(error).replace("\n", "; ") + hint)
