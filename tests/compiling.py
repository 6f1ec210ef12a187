"""In place of the sandbox, where a test keeps rating scripts and runs none."""
from __future__ import annotations

from cloudkitty_like.domain.errors import Invalid


def compiles(name: str, text: str) -> None:
    """Invalid, with line and message, where a script is no Python."""
    try:
        compile(text, name, "exec")
    except SyntaxError as error:
        raise Invalid(f"data: line {error.lineno}: {error.msg}") from None
