"""Leases on shards of scopes, by tooz.

A shard is the hash of a scope's id modulo their number.  A lease keeps workers
from doing the same work twice; that nothing is recorded twice rests on the
ledger, which refuses a stale writer, so a lease that runs out is no harm.
"""
from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from stevedore.exception import NoMatches
from tooz import ToozError, coordination

from cloudkitty_like.domain.errors import Invalid, Unavailable

LOG = logging.getLogger(__name__)


class ToozLease:
    """Locks named ``cloudkitty-like-shard-<n>`` in whatever tooz can reach.

    ``first`` is the shard to try first: workers that start at different ones
    rarely meet.
    """

    def __init__(self, url: str, member: str, shards: int, first: int = 0) -> None:
        self._shards, self._first = shards, first % shards
        parsed = urlparse(url)
        try:
            if parsed.scheme == "file":
                Path(parsed.path).mkdir(parents=True, exist_ok=True)
            self._coordinator = coordination.get_coordinator(url, member.encode())
            self._coordinator.start(start_heart=True)
        except ImportError as error:
            raise Invalid(f"[orchestrator] coordination_url: {error}",
                          hint=f"install what tooz needs for {parsed.scheme}://") from error
        except (NoMatches, OSError) as error:          # no such driver, no such place
            raise Invalid(f"[orchestrator] coordination_url: {error}") from error
        except ToozError as error:
            raise Unavailable(f"[orchestrator] coordination_url: {error}") from error
        self._locks: dict[int, Any] = {}

    @contextmanager
    def hold(self, shards: int) -> Iterator[Collection[int]]:
        """At most so many shards that nobody else holds; released at the end of the block."""
        held: set[int] = set()
        try:
            for offset in range(self._shards):
                shard = (self._first + offset) % self._shards
                if len(held) < shards and self._acquired(shard):
                    held.add(shard)
            yield held
        finally:
            for shard in held:
                self._release(shard)

    def close(self) -> None:
        """Leave the group of workers."""
        try:
            self._coordinator.stop()
        except ToozError as error:
            LOG.warning("leaving the coordinator: %s", error)

    def _acquired(self, shard: int) -> bool:
        if shard not in self._locks:
            self._locks[shard] = self._coordinator.get_lock(f"cloudkitty-like-shard-{shard}".encode())
        try:
            return bool(self._locks[shard].acquire(blocking=False))
        except ToozError as error:
            raise Unavailable(f"the coordinator failed: {error}") from error

    def _release(self, shard: int) -> None:
        try:
            self._locks[shard].release()
        except ToozError as error:
            LOG.warning("the lease on shard %d was lost: %s", shard, error)
