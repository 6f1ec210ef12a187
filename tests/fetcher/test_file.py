from __future__ import annotations

import gzip
from types import SimpleNamespace

import pytest

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.fetcher.file import FileFetcher
from cloudkitty_like.ports import PluginContext

HEADER = "begin,metric,quantity,project_id"


@pytest.mark.parametrize("packed", [False, True])
def test_the_scopes_are_those_that_the_file_mentions(tmp_path, packed):
    path = tmp_path / "usage"
    text = f"{HEADER}\n2026-03-01,cpu,1,b\n2026-03-01,cpu,1,\"a, \"\"b\"\"\"\n2026-03-02,ram,1,b\n2026-03-02,ram,1,é\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert list(FileFetcher(path).scopes()) == ["b", 'a, "b"', "é"]


def test_the_scope_key_says_which_column(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("begin,metric,quantity,project_id,tenant\n2026-03-01,cpu,1,p,t\n")
    fetcher = FileFetcher.from_conf(SimpleNamespace(path=str(path)), PluginContext(scope_key="tenant"))
    assert list(fetcher.scopes()) == ["t"]
    with pytest.raises(Invalid, match="no column 'domain'"):
        list(FileFetcher(path, "domain").scopes())


def test_a_file_with_a_wrong_row_names_no_scopes(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(f"{HEADER}\n2026-03-01,cpu,1,b\n2026-03-01,cpu,1\n2026-03-01,cpu,1,\n")
    with pytest.raises(Invalid) as refused:
        FileFetcher(path).scopes()
    assert [problem.partition(": ")[2] for problem in refused.value.problems] == [
        "line 3: has 3 fields, the header 4", "line 4: column 'project_id': a scope id is empty"]


def test_a_scope_that_is_added_is_found_and_a_file_that_vanishes_is_unavailable(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(f"{HEADER}\n2026-03-01,cpu,1,b\n")
    fetcher = FileFetcher(path)
    assert fetcher.scopes() == fetcher.scopes() == ("b",)
    path.write_text(f"{HEADER}\n2026-03-01,cpu,1,b\n2026-03-01,cpu,1,c\n")
    assert list(fetcher.scopes()) == ["b", "c"]
    path.unlink()
    with pytest.raises(Unavailable, match=r"usage\.csv cannot be read"):
        fetcher.scopes()


@pytest.mark.parametrize("value", [None, "", "nowhere", "."])
def test_the_path_must_be_that_of_a_file(value):
    with pytest.raises(Invalid, match=r"\[fetcher_file\] path: "):
        FileFetcher.from_conf(SimpleNamespace(path=value), PluginContext())
