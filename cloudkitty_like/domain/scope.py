"""Whose usage is rated."""
from __future__ import annotations

from dataclasses import dataclass


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
