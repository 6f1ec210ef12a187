"""Rating the past again from the command line."""
from __future__ import annotations

import pytest

from cloudkitty_like.cli.reprocess import STATES
from cloudkitty_like.domain.task import OPEN
from tests.cli.small import FIRST, LAST, RULES, Site

DEARER = RULES.replace("0.5", "0.75")
WINDOW = ("--begin", "2026-03-01", "--end", "2026-03-01T03:00")
START = ("reprocess", "start", "--reason", "new price")


@pytest.fixture
def dearer(site: Site) -> Site:
    """Everything is rated, and then a price was wrong."""
    site.rated()
    (site.path / "rules.yml").write_text(DEARER)
    site.here.ok("rules", "apply", site.path / "rules.yml", "--retroactive", "--reason", "it was wrong")
    return site


def prices(site: Site, *options: str) -> dict[str, str]:
    return {row["key"]["scope"]: row["price"] for row in site.here.json("report", "--by", "scope", *options)}


def test_tasks_wait_until_somebody_rates(dearer: Site) -> None:
    assert dearer.here.ok(*START, *WINDOW, "--all") == "Tasks 1-2 waiting.\n"
    assert prices(dearer) == {"alpha": "4", "beta": "6.5"}
    assert [(one["id"], one["scope"], one["state"], one["periods"], one["periods_done"], one["totals"])
            for one in dearer.here.json("reprocess", "list", "--waiting")] == [
        (1, "alpha", "waiting", 3, 0, []), (2, "beta", "waiting", 3, 0, [])]
    (check,) = [one for one in dearer.here.json("status") if one["check"] == "tasks"]
    assert (check["state"], check["detail"][:24]) == ("ok", "2 to correct the past, 0")
    ran = dearer.spawn("rate", "--begin", FIRST, "--end", LAST)
    assert (ran.code, ran.out) == (0, "")
    assert prices(dearer) == {"alpha": "6", "beta": "6.5"}
    assert dearer.here.json("reprocess", "list", "--waiting") == []
    assert dearer.here.ok("reprocess", "list", "--waiting") == "There are no such tasks.\n"


def test_it_can_be_waited_for_and_says_what_it_came_to(dearer: Site) -> None:
    ran = dearer.spawn(*START, *WINDOW, "--scope", "alpha", "--wait")
    assert ran.code == 0, ran
    assert [line.split() for line in ran.out.splitlines()[3:]] == [
        ["1", "alpha", "source", "2026-03-01T00:00:00Z", "2026-03-01T03:00:00Z", "3/3", "done", "4", "6"]]
    assert prices(dearer) == {"alpha": "6", "beta": "6.5"}
    shown = dearer.here.json("reprocess", "show", "1")
    assert (shown["periods_changed"], shown["quantities"], shown["reason"]) == (3, "source", "new price")
    assert shown["totals"] == [{
        "metric": "instance", "unit": "hour", "before": {"qty": "8", "price": "4", "points": "3", "unpriced": "0"},
        "after": {"qty": "8", "price": "6", "points": "3", "unpriced": "0"}}]
    text = dearer.here.ok("reprocess", "show", "1")
    assert "3 periods have got a new revision." in text
    assert dearer.here.json("status", "--verify")[-1]["state"] == "ok"


def test_the_ledger_is_enough_where_the_source_has_forgotten(dearer: Site) -> None:
    (dearer.path / "usage.csv").write_text("begin,metric,quantity,project_id,flavor\n"
                                           "2026-02-01T00:00:00Z,instance,1,alpha,small\n")
    ran = dearer.spawn(*START, *WINDOW, "--scope", "alpha", "--wait")
    assert ran.code == 1
    assert "task 1, scope 'alpha': " in ran.err
    assert dearer.here.json("reprocess", "show", "1")["state"] == "failing"
    assert dearer.here.ok("reprocess", "cancel", "1") == "1 task cancelled; what it has done stays.\n"
    assert dearer.spawn(*START, *WINDOW, "--scope", "alpha", "--from-ledger", "--wait").code == 0
    assert prices(dearer)["alpha"] == "6"


def test_what_was_done_can_be_undone_but_not_what_was_done_since(dearer: Site) -> None:
    assert dearer.spawn(*START, *WINDOW, "--all", "--wait").code == 0
    (dearer.path / "rules.yml").write_text(RULES.replace("0.5", "1"))
    dearer.here.ok("rules", "apply", dearer.path / "rules.yml", "--retroactive")
    last = ("--begin", "2026-03-01T02:00", "--end", "2026-03-01T03:00")
    assert dearer.spawn(*START, *last, "--scope", "alpha", "--wait").code == 0
    ran = dearer.spawn("reprocess", "undo", "1-2", "--reason", "a mistake", "--wait")
    assert ran.code == 0, ran
    assert prices(dearer) == {"alpha": "6", "beta": "6.5"}        # (1 + 3) * 0.5 and 4 * 1
    shown = dearer.here.json("reprocess", "show", "4")
    assert [(one["begin"], one["cause"]) for one in shown["left_alone"]] == [("2026-03-01T02:00:00Z", "reprocess")]
    assert "left alone: 2026-03-01T02:00:00Z, since changed by" in dearer.here.ok("reprocess", "show", "4")
    assert dearer.here.json("status", "--verify")[-1]["state"] == "ok"


@pytest.mark.parametrize(("words", "said"), [
    ((*START, *WINDOW), ("name the scopes, or say --all",)),
    ((*START, *WINDOW, "--all", "--scope", "alpha"), ("name the scopes, or say --all",)),
    ((*START, *WINDOW, "--scope", "a", "--scope", "b"), ("no scope is called 'a'", "no scope is called 'b'")),
    ((*START, "--begin", "2026-03-01T00:10", "--end", "2026-03-01T02:30", "--all"), ("--begin: ", "--end: ")),
    ((*START, "--begin", "2026-03-02", "--end", "2026-03-01", "--all"), ("--end: it is not after",)),
    ((*START, "--begin", "2026-03-01", "--end", "2026-03-09", "--all"), ("'alpha' is not rated", "'beta' is not")),
    (("reprocess", "start", *WINDOW, "--all"), ("--reason",)),
    (("reprocess", "start", *WINDOW, "--all", "--reason", " "), ("reason: is empty",)),
    (("reprocess", "cancel", "7"), ("there is no task 7",)), (("reprocess", "show", "7"), ("there is no task 7",)),
    (("reprocess", "undo", "7-8", "--reason", "r"), ("no task 7", "no task 8")),
    (("reprocess", "cancel", "x"), ("'x' is not the number",)), (("reprocess", "cancel", "0"), ("'0' is not",)),
    (("reprocess", "cancel", "3-2"), ("the last is before the first",)),
    (("reprocess", "cancel", "1-9999999"), ("more than",)), (("reprocess", "cancel", "1-"), ("'' is not",))])
@pytest.mark.slow
def test_what_is_wrong_is_said(site: Site, words: tuple[str, ...], said: tuple[str, ...]) -> None:
    ran = site.rated().here(*words)
    lines = [line for line in ran.err.splitlines() if ": error: " in line]
    assert (ran.code, len(lines)) == (1, len(said)), ran
    assert all(text in line for text, line in zip(said, lines, strict=True)), ran.err


def test_i8_small_tasks_are_listed_by_their_state(dearer: Site) -> None:
    dearer.here.ok(*START, *WINDOW, "--all")
    dearer.here.ok("reprocess", "cancel", "1")
    assert [one["id"] for one in dearer.here.json("reprocess", "list", "--only", "cancelled")] == [1]
    assert [one["id"] for one in dearer.here.json("reprocess", "list", "--only", "waiting", "--only", "done")] == [2]
    assert dearer.here.ok("reprocess", "list", "--only", "done") == "There are no such tasks.\n"
    assert set(STATES) == {*OPEN, "done", "cancelled"}


def test_what_cannot_be_worked_off_now_says_what_it_waits_for(dearer: Site) -> None:
    assert dearer.spawn(*START, *WINDOW, "--all", "--wait").code == 0
    dearer.here.ok("scopes", "reset", "--to", "2026-03-01T01:00", "alpha")
    dearer.here.ok("scopes", "activate", "--off", "beta")
    ran = dearer.spawn("reprocess", "undo", "1-2", "--reason", "a mistake", "--wait")
    assert ran.code == 1
    assert ("scope 'alpha': it waits until live rating has been through the period of 2026-03-01T01:00:00Z"
            in ran.err)
    assert "scope 'beta': it waits until the scope is switched on again" in ran.err
