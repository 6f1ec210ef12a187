from __future__ import annotations

import argparse
from datetime import UTC, datetime

import pytest

from cloudkitty_like.cli.arguments import add_window, grouping, moment, some_or_all, window
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import Period


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Invalid(message)


def parsed(*arguments, required=True):
    parser = Parser()
    add_window(parser, required=required)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(("text", "names"), [
    ("", []), ("  ", []), ("scope", ["scope"]), ("scope,metric", ["scope", "metric"]),
    (" a , b ", ["a", "b"]),
    ("b,a", ["b", "a"]),
])
def test_a_grouping_is_a_list_in_its_order(text, names):
    assert grouping(text) == names


@pytest.mark.parametrize(("text", "reason"), [
    (",", "empty name"), ("a,", "empty name"), (",a", "empty name"), ("a,,b", "empty name"),
    ("a, ,b", "empty name"),
    ("a,b,a", "a is named twice"), ("b,a,b, a", "a, b is named twice"),
])
def test_a_grouping_with_empty_or_repeated_names_is_refused(text, reason):
    with pytest.raises(argparse.ArgumentTypeError, match=reason):
        grouping(text)


def test_a_moment_is_an_instant_and_its_complaint_names_the_option():
    assert moment("2026-11-01T02:00+02:00") == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(Invalid, match="--begin: 'soon' is not a date or time"):
        parsed("--begin", "soon", "--end", "2026-11-01")


def test_a_window_is_the_period_of_begin_and_end():
    args = parsed("--begin", "2026-11-01", "--end", "2026-11-01T10:00+02:00")
    assert window(args) == Period(datetime(2026, 11, 1, tzinfo=UTC),
                                  datetime(2026, 11, 1, 8, tzinfo=UTC))


@pytest.mark.parametrize("end", ["2026-11-01", "2026-10-31T23:59:59Z", "2026-11-01T02:00+02:00"])
def test_a_window_that_ends_before_it_begins_is_refused(end):
    with pytest.raises(Invalid, match=r"--end: it is not after --begin \(2026-1"):
        window(parsed("--begin", "2026-11-01", "--end", end))


def test_begin_and_end_can_be_left_out_only_where_they_are_not_required():
    args = parsed(required=False)
    assert (args.begin, args.end) == (None, None)
    with pytest.raises(Invalid, match="--begin, --end"):
        parsed()


def test_scopes_are_named_or_all_are_meant():
    assert some_or_all(argparse.Namespace(scope=["a", "b"], all=False)) == ["a", "b"]
    assert some_or_all(argparse.Namespace(scope=[], all=True)) is None
    for scope, everything in (([], False), (["a"], True)):
        with pytest.raises(Invalid, match="name the scopes, or say --every"):
            some_or_all(argparse.Namespace(scope=scope, all=everything), "--every")
