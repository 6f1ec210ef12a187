"""Saved, copied, moved and brought back while rating runs at full speed: the ledger is the same, digit for digit.

Whatever is killed meanwhile: the rating, a backup, a restore.  On a server's
database the commands that ``backup`` and ``restore`` print are run as printed.
"""
from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from cloudkitty_like.testing.databases import KINDS, SERVERS
from tests.databases import new_database
from tests.installation import History, Installation, here, number

SHORT = History(hours=400)
LONG = History(hours=1500, begin=datetime(2026, 7, 30, tzinfo=UTC))
LAST_CHANGE = "SELECT coalesce(max(id), 0) FROM ledger_tx"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[History], str]:
    """The report of a run that nobody disturbs, on SQLite."""
    known: dict[History, str] = {}

    def answer(history: History) -> str:
        if history not in known:
            directory = tmp_path_factory.mktemp("undisturbed")
            site = Installation(directory, f"sqlite:///{directory / 'state.sqlite'}")
            site.prepare(history)
            site.run("rate", *history.window)
            known[history] = site.report()
            assert len(json.loads(known[history])) > 100
        return known[history]

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_i8_s6_the_ledger_that_comes_back_is_the_one_that_was_saved(
        tmp_path: Path, kind: str, undisturbed: Callable[[History], str]) -> None:
    exercise(tmp_path, kind, SHORT, undisturbed(SHORT), rounds=2)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_i8_s6_in_long_the_ledger_that_comes_back_is_the_one_that_was_saved(
        tmp_path: Path, kind: str, undisturbed: Callable[[History], str]) -> None:
    exercise(tmp_path, kind, LONG, undisturbed(LONG), rounds=6)


def exercise(directory: Path, kind: str, history: History, expected: str, *, rounds: int) -> None:
    """Save ``rounds`` times while rating runs and is killed; bring each back, and let each go on to the end."""
    chance = random.Random(history.hours)
    with new_database(kind, create=False) as database:
        site = Installation(directory / "site", database.url.render_as_string(hide_password=False))
        site.prepare(history)
        rating = site.start("rate", *history.window)
        saved, moving = [], 0
        for turn in range(rounds):
            wait_for_progress(site, rating)
            killed(site.command("backup", str(directory / "killed.tar.gz"), "--overwrite"), chance)
            moving += rating.poll() is None
            saved.append(backup(site, directory / f"b{turn}.tar.gz"))
            rating.kill()                  # in the middle of whatever it does
            rating.wait()
            rating = site.start("rate", *history.window)
        assert rating.wait(600) == 0, site.log
        assert moving > 0, "rating had ended before anything was saved"
        assert site.report() == expected
        for turn, file in enumerate(saved):
            bring_back(site, file, directory / f"r{turn}", kind, history, expected, chance)
        assert site.report() == expected
        assert not list(directory.glob(".*"))


def wait_for_progress(site: Installation, rating: subprocess.Popen[str]) -> None:
    """Until it has recorded something more, or has ended."""
    with site.database() as database:
        before = number(database, LAST_CHANGE)
        deadline = time.monotonic() + 120
        while number(database, LAST_CHANGE) < before + 20 and rating.poll() is None:
            assert time.monotonic() < deadline, site.log
            time.sleep(0.05)


def killed(command: list[str], chance: random.Random) -> None:
    """Start a command and kill it somewhere on its way."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(chance.uniform(0.5, 4))
        process.send_signal(signal.SIGKILL)


def backup(site: Installation, file: Path) -> Path:
    """Save the ledger; for a server run what is printed."""
    for line in printed(site.run("backup", str(file)).stdout)[:1]:
        assert line.startswith(("pg_dump ", "mariadb-dump "))
        shell(line)
    return file


def printed(said: str) -> list[str]:
    """The commands in an answer: what is indented."""
    return [line.strip() for line in said.splitlines() if line.startswith("  ")]


def shell(command: str) -> None:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-1000:])


def bring_back(site: Installation, file: Path, state: Path, kind: str, history: History, expected: str,
               chance: random.Random) -> None:
    """Restore, with a kill on the way; compare with the original as of then; copy, move, and rate to the end."""
    with ExitStack() as stack:
        more: list[str] = []
        if kind != "sqlite":
            more = ["--connection", stack.enter_context(vacated(kind))]
        else:
            arguments = ["restore", str(file), "--state", str(state), "--verify"]
            killed([*site.command()[:3], *arguments], chance)
            if state.exists():
                shutil.rmtree(state)
            more = ["--verify"]
        done = here(["restore", str(file), "--state", str(state), *more])
        assert done.returncode == 0, done.stderr
        for line in printed(done.stdout):
            shell(line)
        at_state(state, "status", "--verify", code=None)
        change = last_change(state)
        assert at_state(state, *REPORT) == site.report(f"--as-of={change}")
        copy = Path(shutil.copytree(state, state.with_name(f"{state.name} copy")))
        moved = state.rename(state.with_name(f"{state.name} moved"))
        if kind == "sqlite":
            at_state(copy, "scopes", "reset", "--all", "--to", history.window[1], "--reason", "only in the copy")
            assert last_change(moved) == change
        run = subprocess.run([*site.command()[:3], "--state", str(moved), "rate", *history.window],
                             capture_output=True, text=True, timeout=600, check=False)
        assert run.returncode == 0, run.stderr
        assert at_state(moved, *REPORT) == expected
        totals = [check for check in json.loads(at_state(moved, "status", "--verify", "--json", code=None))
                  if check["check"] == "totals"]
        assert [check["state"] for check in totals] == ["ok"], totals


REPORT = ("report", "--json", "--by", "scope,metric,day,project_id,id,flavor,size")


def at_state(state: Path, *arguments: str, code: int | None = 0) -> str:
    done = here(["--state", str(state), *arguments])
    assert code is None or done.returncode == code, done.stderr
    return done.stdout


def last_change(state: Path) -> int:
    """The last change of the ledger in a state directory."""
    from cloudkitty_like.app import App, read_configuration

    app = App(read_configuration([str(state / "cloudkitty-like.conf")]))
    try:
        return number(app.database, LAST_CHANGE)
    finally:
        app.close()


@contextmanager
def vacated(kind: str) -> Iterator[str]:
    """The URL of a server's database that is not there yet; it is dropped at the end."""
    server, maintenance = SERVERS[kind]
    with new_database(kind, create=False) as database:
        engine = create_engine(make_url(server).set(database=maintenance), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {database.url.database}"))
        engine.dispose()
        yield database.url.set(query={}).render_as_string(hide_password=False)
