"""From arguments to a question to the ledger."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudkitty_like.api.context import JSON, Context
from cloudkitty_like.api.v2.report_query import ReportQuery, following
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.service.access import Caller

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADMIN, READER, NOBODY = Caller("root", is_admin=True), Caller("alice", "alice"), Caller("guest")


def at(*date):
    return datetime(*date, tzinfo=UTC)


def change_at(when):
    if when < at(2026, 1, 1):
        raise NotFound("no change yet")
    return 7


def asking(key="project_id", last=9):
    return ReportQuery(key, change_at, lambda: last)


def context(caller=ADMIN, query=""):
    return Context(caller, lambda rule, target: None, "http://here", "http://here/v2/summary", query, JSON, False, NOW,
                   "")


def asked(caller=ADMIN, begin=None, end=None, as_of=None, **filters):
    return asking().query(context(caller), begin, end, {name: frozenset(values) for name, values in filters.items()},
                          as_of)


@pytest.mark.parametrize(("begin", "end"), [
    (at(2026, 11, 1), at(2026, 11, 1)), (at(2027, 1, 1), None)])
def test_there_is_no_question_about_an_empty_window(begin, end):
    assert asked(begin=begin, end=end) is None


def test_i8_m17_a_window_that_is_said_to_end_before_it_begins_is_refused():
    with pytest.raises(Invalid, match="begin: 2026-11-02T00:00:00Z is after end, 2026-11-01T00:00:00Z"):
        asked(begin=at(2026, 11, 2), end=at(2026, 11, 1))


def test_types_and_scopes_are_no_labels_under_either_name():
    query = asked(type={"a"}, project_id={"x", "y"}, flavor={"small"})
    assert (query.metrics, query.scopes, query.filters) == ({"a"}, {"x", "y"}, {"flavor": {"small"}})
    assert asked(metric={"a", "b"}, type={"b", "c"}).metrics == {"b"}
    assert asked(scope={"x"}, project_id={"y"}).scopes == frozenset()
    assert asked().scopes is None


@pytest.mark.parametrize("filters", [{}, {"project_id": {"bob"}}, {"scope": {"alice", "bob"}},
                                     {"project_id": {"alice"}}])
def test_s13_whose_usage_is_never_more_than_the_callers(filters):
    assert asked(READER, **filters).scopes <= {"alice"}
    assert asked(NOBODY, **filters).scopes == frozenset()


@pytest.mark.parametrize(("as_of", "change"), [(None, None), ("1", 1), ("9", 9), ("2026-11-01", 7)])
def test_a_change_is_named_by_its_number_or_a_time(as_of, change):
    assert asked(as_of=as_of).as_of == change


@pytest.mark.parametrize("as_of", ["0", "10", "-1", "x", "", "20261101", "1.5"])
def test_what_names_no_change_is_refused(as_of):
    with pytest.raises(Invalid, match="as_of"):
        asked(as_of=as_of)


def test_of_a_ledger_without_changes_that_is_said():
    with pytest.raises(Invalid, match="no changes yet"):
        asking(last=0).change("1")


def test_names_of_a_grouping_are_translated_there_and_back():
    names = asking("tenant").names(["type", "tenant", "month", "time-m", "flavor", "time"])
    assert names == ("metric", "scope", "time-m", "flavor", "time")
    assert asking("tenant").spelled(["metric", "scope", "flavor"]) == ["type", "tenant", "flavor"]


def test_the_next_page_is_this_one_with_other_arguments():
    here = context(query="groupby=type&filters=a:x&filters=a:%C3%A9&offset=2&limit=2")
    assert following(here, offset=4) == (
        "http://here/v2/summary?groupby=type&filters=a%3Ax&filters=a%3A%C3%A9&limit=2&offset=4")
    assert following(here, leave_out=("filters", "limit"), offset=4) == "http://here/v2/summary?groupby=type&offset=4"
