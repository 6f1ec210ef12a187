"""Leases on shards of scopes, by tooz.

A shard is the hash of a scope's id modulo their number.  A lease keeps workers
from doing the same work twice; that nothing is recorded twice rests on the
ledger, which refuses a stale writer, so a lease that runs out is no harm.
"""
from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import ParseResult, urlparse

from stevedore.exception import NoMatches
from tooz import ToozError, coordination

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.text import nearest

if TYPE_CHECKING:
    from cloudkitty_like.app import App

LOG = logging.getLogger(__name__)
ETCD_PORT = 2379
PATIENCE = 3.0          # seconds that the last sign of life may take


def lease(app: App, member: str, first: int) -> ToozLease:
    """Return the leases of a worker of this name; it tries the shard ``first`` first."""
    options = app.conf.orchestrator
    return ToozLease(options.coordination_url, member, options.shards, first)


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
            _retry_once(self._coordinator)
            for module in (type(self._coordinator).__module__, coordination.__name__):
                logging.getLogger(module).addFilter(_only_for_debugging)
            self._coordinator.start(start_heart=True)
        except ImportError as error:
            raise Invalid(f"[orchestrator] coordination_url: {error}",
                          hint=f"install what tooz needs for {parsed.scheme}://") from error
        except NoMatches:
            raise _unknown_driver(parsed) from None
        except OSError as error:                       # no such place
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
            self._release(held)

    def close(self) -> None:
        """Leave the group of workers; a coordinator that does not answer is not waited for long."""
        heart = self._coordinator.heart
        heart.stop()
        if heart.is_alive():
            heart.wait(timeout=PATIENCE)
        if heart.is_alive():
            LOG.warning("leaving the coordinator: it does not answer")
            return
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

    def _release(self, shards: Collection[int]) -> None:
        """Give the leases back; those that were lost meanwhile are said in one line, whatever their number."""
        lost: list[int] = []
        reason = "they ran out, or the coordinator has forgotten them"
        for shard in sorted(shards):
            try:
                if not self._locks[shard].release():
                    lost.append(shard)
            except ToozError as error:
                lost.append(shard)
                reason = str(error)
        if lost:
            LOG.warning("the %s on the %s %s lost: %s; another worker may have done the same work, and what is "
                        "recorded counts once", *_said(lost), reason)


def _retry_once(coordinator: Any) -> None:
    """Let a client of Redis try a command again once, and at once.

    redis-py takes a minute of retries to say that Redis cannot be reached, and tooz has no option
    for it; a worker tries again by itself.
    """
    make_client = getattr(coordinator, "_make_client", None)
    if make_client is None:
        return
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    def make_impatient_client(*arguments: Any) -> Any:
        client = make_client(*arguments)
        client.set_retry(Retry(NoBackoff(), 1))
        return client

    coordinator._make_client = make_impatient_client


def _unknown_driver(url: ParseResult) -> Invalid:
    """The error for a URL whose scheme is none of tooz's; it repeats no user and no password."""
    if url.scheme in ("etcd", "etcd3"):
        return Invalid(f"[orchestrator] coordination_url: tooz has no driver for {url.scheme}://",
                       hint=f"write etcd3+http://{url.hostname}:{url.port or ETCD_PORT}, or etcd3+https:// where it "
                            "has a certificate; tooz needs etcd3gw for it")
    drivers = sorted(entry_points(group="tooz.backends").names)
    near = nearest(url.scheme, drivers)
    return Invalid(f"[orchestrator] coordination_url: tooz has no driver for {url.scheme}://",
                   hint=f"did you mean {near!r}?" if near else f"there are {', '.join(drivers)}")


def _said(shards: Sequence[int]) -> tuple[str, str, str]:
    names = ", ".join(map(str, shards))
    return ("lease", f"shard {names}", "was") if len(shards) == 1 else ("leases", f"shards {names}", "were")


def _only_for_debugging(record: logging.LogRecord) -> bool:
    """Pass what tooz says of a coordinator in trouble as a debug message: the worker says it itself, in one line."""
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
