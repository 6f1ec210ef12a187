"""Errors, named by what the caller can do about them.

The orchestrator retries :class:`Unavailable`; only the API's error page knows
the HTTP statuses; anything that is not one of these is a bug and is loud.
"""
from __future__ import annotations

from collections.abc import Sequence


class Error(Exception):
    """The root: catch it at a process boundary, never in between.

    ``hint`` says, in one sentence, what to do about it; it may be empty.
    """

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Invalid(Error):
    """The request, the configuration or the data is wrong; retrying will not help.

    ``problems`` holds every reason found, one line each, so that the whole of
    a file can be corrected at once.
    """

    def __init__(self, *problems: str, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class Unloadable(Invalid):
    """A rating module cannot be loaded: the installation is wrong, and not what was asked."""


class NotFound(Error):
    """It names something that does not exist."""


class Conflict(Error):
    """It contradicts something that exists."""


class Forbidden(Error):
    """The caller may not do this."""


class Unavailable(Error):
    """A system we depend on failed; the same call may work later.

    ``smaller`` is true where the same question about fewer scopes may be
    answered (a time-out, a query refused for its size), so that splitting it
    is worth a try; it is false where nobody would be answered.
    """

    def __init__(self, message: str = "", *, hint: str = "", smaller: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.smaller = smaller


class Refused(Unavailable):
    """A system we depend on is there and does not let us in: a wrong name, password or file.

    Waiting for it to come back is no use; an operator has to act.
    """


def together(errors: Sequence[Error]) -> Error:
    """Several errors as one that says each problem once.

    It is Unavailable where all of them are, for then the same may work later; Refused where
    one of those is; else Invalid.
    """
    if len(errors) == 1:
        return errors[0]
    problems = dict.fromkeys(line for error in errors for line in str(error).splitlines())
    hint = "; ".join(dict.fromkeys(error.hint for error in errors if error.hint))
    if not all(isinstance(error, Unavailable) for error in errors):
        return Invalid(*problems, hint=hint)
    kind = Refused if any(isinstance(error, Refused) for error in errors) else Unavailable
    return kind("\n".join(problems), hint=hint)
