"""One row of ``status``, with what to do where something is wrong."""
from __future__ import annotations

from collections.abc import Callable

from cloudkitty_like.domain.errors import Error
from cloudkitty_like.service.operation import check
from cloudkitty_like.service.operation.check import HealthCheck


def tried(name: str, look: Callable[[], str]) -> HealthCheck:
    """``ok`` with the answer of ``look()``, or its error and hint on one line."""
    return check.checked(name, look, _told)


def _told(error: Error) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return str(error).replace("\n", "; ") + hint
