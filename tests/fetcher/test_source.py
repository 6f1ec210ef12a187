from __future__ import annotations

from types import SimpleNamespace

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.fetcher.source import SourceFetcher
from cloudkitty_like.ports import PluginContext


def test_the_scopes_are_those_named_each_once_in_their_order():
    fetcher = SourceFetcher.from_conf(SimpleNamespace(sources=["b", "a", "b", "Zoë's \"own\""]),
                                      PluginContext())
    assert list(fetcher.scopes()) == ["b", "a", "Zoë's \"own\""]
    assert list(fetcher.scopes()) == ["b", "a", "Zoë's \"own\""]


def test_no_scope_at_all_is_a_mistake():
    with pytest.raises(Invalid, match=r"\[fetcher_source\] sources: names no scope"):
        SourceFetcher.from_conf(SimpleNamespace(sources=[]), PluginContext())


def test_every_impossible_scope_is_named_at_once():
    with pytest.raises(Invalid) as refused:
        SourceFetcher(["", "fine", "x" * 256, "nul\0", "\ud800"])
    assert len(refused.value.problems) == 4
    assert all(problem.startswith("[fetcher_source] sources: ")
               for problem in refused.value.problems)


def test_the_option_is_a_list():
    (option,) = SourceFetcher.OPTS
    assert option.type('a, "b,c" ,d') == ["a", "b,c", "d"]
