"""Whose usage a caller may see."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.domain.errors import Forbidden
from cloudkitty_like.service.access import Caller, required, visible

ADMIN, READER, NOBODY = Caller("root", is_admin=True), Caller("alice", "alice"), Caller("guest")
WANTED = st.none() | st.frozensets(st.sampled_from(["alice", "bob", "carol", ""]))


def test_an_admin_sees_what_is_wanted_and_everything_where_nothing_is():
    assert visible(ADMIN, "project_id") is None
    assert visible(ADMIN, "project_id", frozenset({"bob"})) == {"bob"}


@given(WANTED)
def test_anybody_else_sees_the_own_scope_or_nothing_whatever_is_wanted(wanted):
    assert visible(READER, "project_id", wanted) == ({"alice"} if wanted is None
                                                     else {"alice"} & wanted)


@given(WANTED)
def test_s13_a_caller_without_a_project_sees_nothing_and_never_everything(wanted):
    assert visible(NOBODY, "project_id", wanted) == frozenset()
    assert visible(Caller("guest", ""), "project_id", wanted) == frozenset()


@pytest.mark.parametrize("key", ["project_id", "tenant", "namespace"])
def test_s11_the_own_scope_is_the_tokens_project_whatever_scopes_are_called(key):
    assert visible(READER, key) == {"alice"}


def test_where_scopes_are_domains_it_is_the_tokens_domain():
    assert visible(Caller("alice", "alice", "acme"), "domain_id") == {"acme"}
    assert visible(READER, "domain_id") == frozenset()


def test_to_ask_for_another_scope_can_be_forbidden():
    assert required(READER, "project_id", frozenset({"alice"})) == {"alice"}
    assert required(READER, "project_id", None) == {"alice"}
    for caller in (READER, NOBODY):
        with pytest.raises(Forbidden):
            required(caller, "project_id", frozenset({"alice", "bob"}))
