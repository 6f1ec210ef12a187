"""One row of a health report: what was looked at, and what was found."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloudkitty_like.domain.errors import Error

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the installation, how it is, and what there is to say about it.

    ``warning``: it answers, and somebody needs to look at it.
    """

    name: str
    state: State
    text: str


def tried(name: str, look: Callable[[], str], told: Callable[[Error], str] = str) -> Check:
    """Look at one part.

    The check is ``ok`` with the answer of ``look()``, or ``error`` with what ``told`` says of the
    error that it raised.
    """
    try:
        return Check(name, "ok", look())
    except Error as error:
        return Check(name, "error", told(error))
