"""Scopes from the configuration: a fixed list."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from oslo_config import cfg, types

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.scope import check_identifier
from cloudkitty_like.ports import PluginContext


class SourceFetcher:
    """The scopes that the operator named, each once."""

    OPTS: ClassVar[Sequence[Any]] = [
        cfg.ListOpt("sources", default=[], item_type=types.String(quotes=True),
                    help='The ids of the scopes to rate, separated by commas; an id with a comma in "quotes".'),
    ]

    def __init__(self, sources: Iterable[str]) -> None:
        """Raises Invalid, with every reason at once, where there is no source or one that cannot be a scope."""
        self._scopes = tuple(dict.fromkeys(sources))
        problems = [] if self._scopes else ["[fetcher_source] sources: names no scope"]
        for scope in self._scopes:
            try:
                check_identifier(scope)
            except Invalid as error:
                problems.append(f"[fetcher_source] sources: {error}")
        if problems:
            raise Invalid(*problems)

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls(group.sources)

    def scopes(self) -> Iterable[str]:
        return self._scopes
