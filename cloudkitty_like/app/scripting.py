"""Stands in for the sandbox until there is one: says whether a rating script compiles, in this process."""
from __future__ import annotations

import warnings

from cloudkitty_like.domain.errors import Invalid


def compiles(name: str, text: str) -> None:
    """Invalid, naming line and message, where a script is no Python.  It is not run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, f"<script {name}>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Invalid(f"data: line {error.lineno or 1}: {error.msg}") from None
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise Invalid(f"data: it does not compile: {error or type(error).__name__}") from None
