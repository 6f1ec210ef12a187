"""What the options of a plugin say of TLS and time-outs, for every client that speaks HTTP."""
from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def timeout_problems(group: Any) -> list[str]:
    """What is wrong with timeout."""
    return [] if group.timeout > 0 else [f"timeout: {group.timeout:g} is no time to wait"]


def key_problems(group: Any) -> list[str]:
    """What is wrong with keyfile beside certfile."""
    return ["keyfile: needs a certfile"] if group.keyfile and not group.certfile else []


def authority_problems(group: Any) -> list[str]:
    """What is wrong with the file or the directory cafile."""
    if not group.cafile:
        return []
    try:
        ssl.create_default_context(cafile=None if Path(group.cafile).is_dir() else group.cafile)
    except (OSError, ssl.SSLError) as error:
        return [f"cafile: {group.cafile} is no file of certificates: {error}"]
    return []


def unreadable(group: Any, options: Iterable[str]) -> list[str]:
    """Those of these options that name a file that cannot be read, one line each."""
    return [f"{option}: {group[option]} cannot be read"
            for option in options if group[option] and not _readable(group[option])]


def verification(group: Any) -> bool | str:
    """What a server's certificate is checked with: the file cafile, or True or False."""
    verify: bool | str = group.cafile or not group.insecure
    return verify


def certificate(group: Any) -> tuple[str, str] | str | None:
    """The client's certificate: one file, or that and the file of its key; None: it has none."""
    cert: tuple[str, str] | str | None = (
        (group.certfile, group.keyfile) if group.keyfile else group.certfile or None)
    return cert


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
