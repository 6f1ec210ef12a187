"""Whose usage is rated."""
from __future__ import annotations

from dataclasses import dataclass

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.text import storable

LONGEST = 255


@dataclass(frozen=True, order=True, slots=True)
class Scope:
    """What is rated separately, a project for instance.

    ``key`` is the label that carries ``identifier`` in the source; ``fetcher``
    and ``collector`` name the plugins that found it and that read its usage.
    """

    identifier: str
    key: str = "project_id"
    fetcher: str = ""
    collector: str = ""


def check_identifier(text: str) -> str:
    """``text``, if it can be the id of a scope; Invalid, with the reason, if not."""
    if not text:
        raise Invalid("a scope id is empty")
    if len(text) > LONGEST:
        raise Invalid(f"scope id {text[:40]!r}... has {len(text)} characters; {LONGEST} are possible")
    if not storable(text):
        raise Invalid(f"scope id {text!r} holds a character that cannot be stored")
    return text
