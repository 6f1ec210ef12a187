"""The state of a scope."""
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cloudkitty_like.domain.scope import Scope
from cloudkitty_like.domain.scope_state import POSTED_ONLY, ScopeState

BEGIN, LATER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
NEW = ScopeState(
    id=1, scope=Scope("alice", "project_id", "source", "prometheus"), active=True, starts_at=None,
    first=None, due=None, failures=0, error=None, error_kind=None, error_at=None, retry_at=None,
    parked_ruleset=None, shard_hash=7, seen_at=BEGIN)


def test_a_scope_is_rated_from_its_first_period_on():
    assert not NEW.rated
    assert not replace(NEW, first=BEGIN, due=BEGIN).rated
    assert replace(NEW, first=BEGIN, due=LATER).rated


def test_a_scope_that_was_only_posted_about_was_found_by_no_fetcher():
    posted = replace(NEW, scope=Scope("alice", "project_id", POSTED_ONLY, ""))
    assert (NEW.found, posted.found, posted.identifier) == (True, False, "alice")
