"""One row of a health report: what was looked at, and what was found."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloudkitty_like.domain.errors import Error

CheckState = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One part of the installation, how it is, and what there is to say about it.

    ``warning``: it answers, and somebody needs to look at it.
    """

    name: str
    state: CheckState
    text: str


def checked(name: str, look: Callable[[], str],
            describe: Callable[[Error], str] = str) -> HealthCheck:
    """Look at one part.

    The check is ``ok`` with the answer of ``look()``, or ``error`` with what ``describe`` says of
    the error that it raised.
    """
    try:
        return HealthCheck(name, "ok", look())
    except Error as error:
        return HealthCheck(name, "error", describe(error))
