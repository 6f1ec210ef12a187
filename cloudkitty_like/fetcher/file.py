"""Scopes from a CSV file of usage: every one that it mentions."""
from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from oslo_config import cfg

from cloudkitty_like.client import usage_file
from cloudkitty_like.client.usage_file import UsageHeader
from cloudkitty_like.client.usage_index import FileSignature, signature
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.ports import PluginContext


class FileFetcher:
    """The distinct values of the scope key's column, found in one pass that is repeated when the file changes."""

    OPTS: ClassVar[Sequence[Any]] = [
        cfg.StrOpt("path", help="CSV file of usage, plain or gzip, as the file collector reads it; "
                                "the column of the scope key names the scopes."),
    ]

    def __init__(self, path: Path, scope_key: str = "project_id") -> None:
        self._path = path
        self._scope_key = scope_key
        self._lock = threading.Lock()
        self._latest: tuple[FileSignature, tuple[str, ...]] | None = None

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        if not group.path:
            raise Invalid("[fetcher_file] path: is not set")
        path = Path(group.path)
        if not path.is_file():
            raise Invalid(f"[fetcher_file] path: {path}: there is no such file")
        return cls(path, context.scope_key)

    def scopes(self) -> Iterable[str]:
        """In the order in which the file mentions them; Invalid where any of its rows is wrong."""
        with self._lock:
            now = signature(self._path)
            if self._latest is None or self._latest[0] != now:
                scopes = self._read()
                if signature(self._path) != now:
                    raise Unavailable(f"{self._path} was changed while it was read",
                                      hint="write another file and rename it over this one")
                self._latest = now, scopes
            return self._latest[1]

    def _read(self) -> tuple[str, ...]:
        names: dict[str, None] = {}
        scope = 0
        for row in usage_file.rows(self._path, self._scope_key):
            if isinstance(row, UsageHeader):
                scope = row.scope
            else:
                names[row.cells[scope]] = None
        return tuple(names)
