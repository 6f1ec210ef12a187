"""Killed while the past is corrected and live rating goes on: nothing is lost, nothing is doubled, history stays.

One half of a stretch of time is rated and then rated again by other rules,
while the other half is rated for the first time.  The full form, with 60 kills
on each database, is marked ``long``.
"""
from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import instant
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database
from tests.installation import HOUR, PATIENCE, RULES, History, Installation, number
from tests.test_crash import FRAMES, eventually, installed

pytestmark = pytest.mark.slow

SHORT = History(hours=60)
LONG = History(hours=600, begin=datetime(2026, 8, 20, tzinfo=UTC))
DEARER = RULES.replace("0.0211", "0.0422").replace("0.9", "1.1")
TURNS = {"orchestrator": {"slice_seconds": 0.05}}         # a moment for what is live, a moment for what is corrected
CHANGES = "SELECT max(id) FROM ledger_tx"
CURRENT = "SELECT count(*) FROM frame WHERE current = 1"
PLACES = "SELECT count(*) FROM (SELECT DISTINCT scope_id, begin FROM frame WHERE current = 1) AS places"
SUPERSEDED = "SELECT count(*) FROM frame WHERE superseded IS NOT NULL"
OPEN = "SELECT count(*) FROM reprocess_task WHERE ended_at IS NULL"


@dataclass(frozen=True)
class Result:
    """What is compared, whatever came in between."""

    report: str
    former: str                        # as of the change before the correction
    tasks: list[dict]


def half(history: History) -> list[str]:
    return ["--begin", instant(history.begin), "--end", instant(history.begin + history.hours // 2 * HOUR)]


def begun(site: Installation, database: Database, history: History) -> tuple[int, str]:
    """Rate one half, change the rules, ask for it to be rated again; the last change before, and the report then."""
    site.run("rate", *half(history))
    change = number(database, CHANGES)
    former = site.report()
    site.apply(DEARER, "--retroactive")
    site.run("reprocess", "start", "--all", *half(history), "--reason", "dearer")
    return change, former


def result(site: Installation, change: int) -> Result:
    tasks = json.loads(site.run("reprocess", "list", "--json").stdout)
    kept = ("scope", "begin", "end", "quantities", "state", "periods_done", "periods_changed", "error", "totals")
    return Result(site.report(), site.report("--as-of", str(change)),
                  [{name: task[name] for name in kept} for task in tasks])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Callable[[History], Result]:
    """The same with nobody being killed, on SQLite."""
    known: dict[History, Result] = {}

    def answer(history: History) -> Result:
        if history not in known:
            with new_database("sqlite", create=False) as database:
                site = Installation(tmp_path_factory.mktemp("undisturbed"), str(database), TURNS)
                site.prepare(history)
                change, _ = begun(site, database, history)
                site.run("rate", *history.window)
                known[history] = result(site, change)
        return known[history]

    return answer


def killed(site: Installation, database: Database, history: History, draw: random.Random, kills: int) -> None:
    """Kill it so many times, each time some published revisions and a moment after it was started."""
    before = number(database, FRAMES)
    in_all = history.scopes * history.hours           # half of them live, half corrected
    most = max(1, in_all * 3 // 4 // kills)                        # a quarter is left for the moments after
    for nth in range(kills):
        wanted = number(database, FRAMES) + draw.randrange(most + 1)
        assert wanted < before + in_all, f"nothing is left to be killed at kill {nth + 1}"
        process = site.start("rate", *history.window)
        eventually(lambda process=process, wanted=wanted: number(database, FRAMES) >= wanted
                   or process.poll() is not None, f"{wanted} revisions\n{site.log}")
        time.sleep(draw.random() * 0.05)
        process.kill()
        assert process.wait() == -signal.SIGKILL, site.log


def corrected(site: Installation, database: Database, history: History, expected: Result,
              before: tuple[int, str]) -> None:
    """Finish it, and compare everything."""
    assert site.start("rate", *history.window).wait(5 * PATIENCE) == 0, site.log
    assert number(database, OPEN) == 0
    found = result(site, before[0])
    assert found.former == expected.former == before[1]
    assert found.tasks == expected.tasks
    assert found.report == expected.report
    assert {task["periods_changed"] for task in found.tasks} == {history.hours // 2}
    assert number(database, CURRENT) == number(database, PLACES) == history.hours * history.scopes
    assert number(database, SUPERSEDED) == history.hours // 2 * history.scopes
    site.verify()


def disturbed(directory, kind: str, history: History, expected: Result, kills: int, seed: int) -> None:
    with installed(directory, kind, history, **TURNS) as (site, database):
        before = begun(site, database, history)
        killed(site, database, history, random.Random(seed), kills)
        corrected(site, database, history, expected, before)


@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_at_a_few_random_moments_while_the_past_is_corrected(kind, tmp_path, undisturbed):
    disturbed(tmp_path, kind, SHORT, undisturbed(SHORT), 4, 11)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_at_many_random_moments_while_the_past_is_corrected(kind, tmp_path, undisturbed):
    disturbed(tmp_path, kind, LONG, undisturbed(LONG), 60, 2026)


def test_c45_a_task_and_live_rating_of_two_processes_never_interleave(tmp_path, undisturbed):
    """Two workers with locks of their own do everything at once, tasks and what is live."""
    with installed(tmp_path, "postgresql", SHORT, **TURNS) as (site, database):
        before = begun(site, database, SHORT)
        processes = []
        for name in ("one", "two"):
            site.configure(name, orchestrator={"coordination_url": f"file://{site.directory / name}.locks"})
            processes.append(site.start("rate", *SHORT.window, config=name))
        assert [process.wait() for process in processes] == [0, 0], site.log
        corrected(site, database, SHORT, undisturbed(SHORT), before)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_c4_killed_while_a_task_is_undone(kind, tmp_path):
    with installed(tmp_path, kind, SHORT, **TURNS) as (site, database):
        begun(site, database, SHORT)
        change = number(database, CHANGES)
        former = site.report(*half(SHORT))
        site.run("reprocess", "start", "--all", "--begin", instant(SHORT.begin), "--end",
                 instant(SHORT.begin + HOUR), "--reason", "once more", code=1)
        site.run("rate", *half(SHORT))
        assert site.report(*half(SHORT)) != former
        site.run("reprocess", "undo", f"1-{SHORT.scopes}", "--reason", "no")
        draw, frames = random.Random(3), number(database, FRAMES)
        for _ in range(3):
            process = site.start("rate", *half(SHORT))
            wanted = frames + draw.randrange(1, SHORT.hours // 2 * SHORT.scopes // 3)
            eventually(lambda process=process, wanted=wanted: number(database, FRAMES) >= wanted
                       or process.poll() is not None, site.log)
            process.kill()
            process.wait()
        site.run("rate", *half(SHORT))
        assert site.report(*half(SHORT)) == former
        assert site.report(*half(SHORT), "--as-of", str(change)) == former
        assert number(database, FRAMES) == 3 * SHORT.hours // 2 * SHORT.scopes
        site.verify()
