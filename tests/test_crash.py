"""Whatever is killed, paused or started twice, and whenever: nothing is lost and nothing is counted twice.

A backfill is disturbed by SIGKILL and started again until it is done; the
ledger must then be that of an undisturbed run, byte for byte of the report.
The full forms, with 50 and more kills each, are marked ``long``.
"""
from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from benchmarks.synthetic import Catalogue, Fault, Synthetic
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.period import instant
from cloudkitty_like.testing.databases import KINDS
from tests.databases import missing, new_database
from tests.installation import PATIENCE, History, Installation, number

pytestmark = pytest.mark.slow

SHORT, MIDDLE, FULL = History(hours=200), History(hours=300), History(hours=600)
LONG = History(hours=1500, begin=datetime(2026, 7, 30, tzinfo=UTC))
STAGES = ("revision_block", "appended", "point", "scope", "ledger_tx", "frame", "total", "day_total", "month_total")
"""The tables that recording a period writes, in this order: what is killed waiting for one has written those before."""

STOPPED = 130
FRAMES = "SELECT count(*) FROM frame"
BLOCKS = "SELECT count(*) FROM revision_block"
SPIN = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000000000000) SELECT count(*) AS n FROM n"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Callable[[History], tuple[str, dict]]:
    """The report and the progress of a run that nobody disturbs, on SQLite."""
    known: dict[History, tuple[str, dict]] = {}

    def answer(history: History) -> tuple[str, dict]:
        if history not in known:
            directory = tmp_path_factory.mktemp("undisturbed")
            site = Installation(directory, f"sqlite:///{directory / 'state.sqlite'}")
            site.prepare(history)
            site.run("rate", *history.window)
            known[history] = site.report(), site.scopes()
            assert len(json.loads(known[history][0])) > 100
        return known[history]

    return answer


@contextmanager
def installed(directory: Path, kind: str, history: History, **settings) -> Iterator[tuple[Installation, Database]]:
    with new_database(kind, create=False) as database:
        site = Installation(directory, database.url.render_as_string(hide_password=False), settings)
        site.prepare(history)
        yield site, database


def settled(site: Installation, history: History, expected: tuple[str, dict]) -> None:
    """Finish the backfill, and compare everything."""
    site.run("rate", *history.window)
    assert site.scopes() == expected[1]
    assert site.report() == expected[0]
    site.verify()


def eventually(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
        time.sleep(0.003)


# --- killed ----------------------------------------------------------------------------------------


def killed_at_random(site: Installation, database: Database, history: History, draw: random.Random,
                     kills: int, most: int | None = None) -> None:
    """Kill the backfill so many times, each time some periods and a moment after it was started."""
    most = history.hours * 3 // 4 // kills if most is None else most      # a quarter is left for the moments after
    for nth in range(kills):
        before = number(database, FRAMES)
        assert before < history.hours * history.scopes, f"nothing is left to be killed at kill {nth + 1}"
        periods = draw.randrange(most + 1)
        process = site.start("rate", *history.window)
        # None at all: while it starts.  Then at any moment of the following periods.
        eventually(lambda process=process, wanted=before + periods * history.scopes:
                   number(database, FRAMES) >= wanted or process.poll() is not None, f"{periods} periods\n{site.log}")
        time.sleep(draw.random() * (0.03 if periods else 0.5))
        process.kill()
        assert process.wait() == -signal.SIGKILL, site.log


@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_at_a_few_random_moments_loses_and_doubles_nothing(kind, tmp_path, undisturbed):
    with installed(tmp_path, kind, SHORT) as (site, database):
        killed_at_random(site, database, SHORT, random.Random(5), 6)
        settled(site, SHORT, undisturbed(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_at_many_random_moments_loses_and_doubles_nothing(kind, tmp_path, undisturbed):
    with installed(tmp_path, kind, LONG) as (site, database):
        killed_at_random(site, database, LONG, random.Random(2026), 60)
        assert number(database, BLOCKS) > 5, "few were killed between the allocation of a revision and its publication"
        settled(site, LONG, undisturbed(LONG))


@contextmanager
def stalled(database: Database, table: str) -> Iterator[Callable[[], bool]]:
    """Whoever writes this table has to wait; the value says whether somebody does."""
    with ExitStack() as stack:
        if database.dialect == "sqlite":
            yield stack.enter_context(_spinning(database, table))
            return
        connection = stack.enter_context(database.engine.connect())
        watch = stack.enter_context(database.engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
        if database.dialect == "postgresql":
            connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            waiting = text("SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                           "WHERE NOT granted AND datname = current_database()")
        else:
            connection.execute(text(f"LOCK TABLES {table} READ"))
            waiting = text("SELECT count(*) FROM information_schema.processlist "
                           "WHERE db = database() AND state LIKE 'Waiting for%lock%'")
        yield lambda: bool(watch.execute(waiting).scalar())
        if database.dialect == "mysql":
            connection.execute(text("UNLOCK TABLES"))


@contextmanager
def _spinning(database: Database, table: str) -> Iterator[Callable[[], bool]]:
    """On SQLite a trigger that counts for ever, inside the writer's transaction; its lock gives the writer away."""
    change = "UPDATE" if table == "scope" else "INSERT"
    with database.write() as tx:
        tx.execute(text(f"CREATE VIEW spin AS {SPIN}"))
        tx.execute(text(f"CREATE TRIGGER stall BEFORE {change} ON {table} BEGIN SELECT n FROM spin; END"))
    since: list[float] = []

    def locked() -> bool:
        with database.engine.connect() as connection:
            driver = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout = 0")
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                since.append(time.monotonic())
            else:
                driver.execute("ROLLBACK")
                since.clear()
            finally:
                driver.execute("PRAGMA busy_timeout = 60000")
        return bool(since) and since[-1] - since[0] > 0.3

    yield locked
    with database.write() as tx:
        tx.execute(text("DROP TRIGGER stall"))
        tx.execute(text("DROP VIEW spin"))


def killed_writing(site: Installation, database: Database, history: History, table: str) -> None:
    """Let the backfill come to where it writes this table, and kill it there."""
    with stalled(database, table) as waiting:
        process = site.start("rate", *history.window)
        try:
            eventually(waiting, f"writing {table}\n{site.log}")
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_in_a_transaction_leaves_nothing_of_it(kind, tmp_path, undisturbed):
    with installed(tmp_path, kind, SHORT) as (site, database):
        for table in ("point", "frame", "day_total"):
            before = number(database, FRAMES), number(database, "SELECT count(*) FROM point")
            killed_writing(site, database, SHORT, table)
            assert (number(database, FRAMES), number(database, "SELECT count(*) FROM point")) == before
        settled(site, SHORT, undisturbed(SHORT))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_c4_killed_at_every_stage_of_recording_loses_and_doubles_nothing(kind, tmp_path, undisturbed):
    with installed(tmp_path, kind, SHORT) as (site, database):
        for nth, table in enumerate(STAGES * 2):
            killed_writing(site, database, SHORT, table)
            killed_at_random(site, database, SHORT, random.Random(nth), 1, most=4)
        settled(site, SHORT, undisturbed(SHORT))


# --- points in a database of their own ---------------------------------------------------------------


@contextmanager
def apart(directory: Path, kind: str, history: History) -> Iterator[tuple[Installation, Database, Database]]:
    """An installation whose points are not in the state database."""
    with new_database(kind, create=False) as points:
        connection = points.url.render_as_string(hide_password=False)
        with installed(directory, kind, history, storage_sqlalchemy={"connection": connection}) as (site, database):
            yield site, database, points


@pytest.mark.parametrize("kind", KINDS)
def test_points_that_were_stored_but_never_published_do_not_count_and_are_swept(kind, tmp_path, undisturbed):
    with apart(tmp_path, kind, SHORT) as (site, database, points):
        for table in ("scope", "frame"):                    # after the points were stored
            killed_writing(site, database, SHORT, table)
        appended, frames = number(points, "SELECT count(*) FROM appended"), number(database, FRAMES)
        assert appended > frames, "no orphans were made"
        site.verify()
        settled(site, SHORT, undisturbed(SHORT))
        an_hour_passes(database)
        site.run("rate", *SHORT.window)
        assert number(points, "SELECT count(*) FROM appended") == number(database, FRAMES)
        assert number(points, "SELECT count(*) FROM point WHERE revision > 0") == \
            number(database, "SELECT sum(points) FROM frame")
        assert site.report() == undisturbed(SHORT)[0]


def an_hour_passes(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE revision_block SET at = at - 3601000000"))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_storage_of_its_own_survives_many_kills(kind, tmp_path, undisturbed):
    with apart(tmp_path, kind, LONG) as (site, database, points):
        killed_at_random(site, database, LONG, random.Random(7), 50)
        for table in STAGES[3:]:
            killed_writing(site, database, LONG, table)
        settled(site, LONG, undisturbed(LONG))
        an_hour_passes(database)
        site.run("rate", *LONG.window)
        assert number(points, "SELECT count(*) FROM appended") == number(database, FRAMES)
        assert site.report() == undisturbed(LONG)[0]


# --- several at once ---------------------------------------------------------------------------------


def elsewhere(site: Installation, name: str) -> str:
    """The same installation with locks of its own: nothing keeps it from doing the same work."""
    site.configure(name, orchestrator={"coordination_url": f"file://{site.directory / name}.locks"})
    return name


def ended(process: subprocess.Popen, patience: float = PATIENCE) -> int:
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@pytest.mark.parametrize("kind", KINDS)
def test_c45_two_processors_on_the_same_scopes_record_everything_once(kind, tmp_path, undisturbed):
    with installed(tmp_path, kind, SHORT) as (site, database):
        processes = [site.start("rate", *SHORT.window, config=elsewhere(site, name)) for name in ("one", "two")]
        assert [ended(process) for process in processes] == [0, 0], site.log
        assert number(database, FRAMES) == SHORT.hours * SHORT.scopes
        settled(site, SHORT, undisturbed(SHORT))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("history", [MIDDLE, pytest.param(FULL, marks=pytest.mark.long)],
                         ids=lambda history: f"{history.hours} hours")
def test_one_that_is_paused_and_overtaken_changes_nothing_when_it_goes_on(
        kind, history, tmp_path, undisturbed):
    draw = random.Random(3)
    with installed(tmp_path, kind, history) as (site, database):
        paused = [site.start("rate", *history.window, config=elsewhere(site, name))
                  for name in ("one", "two")]
        for process in paused:
            wanted = number(database, FRAMES) + draw.randrange(1, 20) * history.scopes
            eventually(lambda wanted=wanted: number(database, FRAMES) >= wanted, f"progress\n{site.log}")
            pause(process, database, draw)
        site.run("rate", *history.window)
        report = site.report()
        for process in paused:
            process.send_signal(signal.SIGCONT)
        assert [ended(process) for process in paused] == [0, 0], site.log
        assert report == undisturbed(history)[0]
        settled(site, history, undisturbed(history))


def pause(process: subprocess.Popen, database: Database, draw: random.Random) -> None:
    """Stop it outside of its transactions: in one it would hold everybody up, rather than be overtaken."""
    for _ in range(1000):
        assert process.poll() is None, "it has ended before it could be paused"
        time.sleep(draw.random() * 0.02)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        # Twice: what it sent before it was stopped may not have reached the server yet.
        if not locked(database) and not (time.sleep(0.1) or locked(database)):
            return
        process.send_signal(signal.SIGCONT)
    pytest.fail("it is always in a transaction")


def locked(database: Database) -> bool:
    with database.engine.connect() as connection:
        try:
            if database.dialect == "sqlite":
                driver = connection.connection.driver_connection
                driver.execute("PRAGMA busy_timeout = 0")
                driver.execute("BEGIN IMMEDIATE")
                driver.execute("ROLLBACK")
            else:
                connection.execute(text("SELECT value FROM ledger_setting FOR UPDATE NOWAIT"))
                connection.rollback()
                if database.dialect == "postgresql":       # points may be on their way, or a heartbeat
                    return bool(connection.execute(text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND state = 'idle in transaction'")).scalar())
                return bool(connection.execute(text(
                    "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id != connection_id() "
                    "AND trx_rows_modified > 0")).scalar())
        except (sqlite3.OperationalError, OperationalError):
            return True
        finally:
            connection.rollback()
            if database.dialect == "sqlite":
                connection.connection.driver_connection.execute("PRAGMA busy_timeout = 60000")
    return False


@pytest.fixture
def coordination() -> Iterator[str]:
    """A Redis whose leases run out after two seconds."""
    server = redis.Redis.from_url("redis://127.0.0.1:6379")
    try:
        server.ping()
    except redis.ConnectionError as error:
        missing(f"Redis does not answer: {error}")
    namespace = f"test-{uuid4().hex}"
    yield f"redis://127.0.0.1:6379?timeout=2&namespace={namespace}"
    for key in server.scan_iter(f"*{namespace}*"):
        server.delete(key)


def test_one_that_sleeps_past_its_lease_is_overtaken_and_changes_nothing(tmp_path, undisturbed, coordination):
    with installed(tmp_path, "sqlite", SHORT, orchestrator={"coordination_url": coordination}) as (site, database):
        sleeper = site.start("rate", *SHORT.window)
        eventually(lambda: number(database, FRAMES) >= 10 * SHORT.scopes, f"progress\n{site.log}")
        pause(sleeper, database, random.Random(4))
        held = number(database, FRAMES)
        other = site.start("rate", *SHORT.window)
        eventually(lambda: number(database, FRAMES) > held, f"the lease runs out\n{site.log}", 30)
        sleeper.send_signal(signal.SIGCONT)
        assert [ended(process) for process in (other, sleeper)] == [0, 0], site.log
        settled(site, SHORT, undisturbed(SHORT))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_share_the_scopes_and_each_does_some_of_the_work(kind, tmp_path, undisturbed):
    more = {"slice_seconds": 0.1, "discovery_interval": 0.5, "retry_first": 0.5}
    with installed(tmp_path, kind, SHORT, orchestrator=more) as (site, database):
        process = site.start("processor", "--workers", "2")
        eventually(lambda: number(database, "SELECT count(*) FROM scope") == SHORT.scopes, f"scopes\n{site.log}")
        # The daemon begins with the month; what is before it is asked for now.
        site.run("scopes", "reset", "--to", "2026-09-29", *(f"scope-{n}" for n in range(SHORT.scopes)))
        eventually(lambda: number(database, "SELECT count(*) FROM worker WHERE periods > 0") == 2, site.log)
        eventually(lambda: number(database, "SELECT min(due) FROM scope") >= SHORT.end.timestamp(), site.log)
        process.terminate()
        assert ended(process, 10) == 0, site.log
        # A daemon goes on behind the end of the file, where nothing is known.
        assert site.report(*SHORT.window) == undisturbed(SHORT)[0]
        site.verify()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_workers_that_are_killed_are_started_again(kind, tmp_path):
    with installed(tmp_path, kind, SHORT) as (site, database):
        process = site.start("processor", "--workers", "2")
        workers = "SELECT count(*) FROM worker"
        eventually(lambda: number(database, workers) == 2, f"two workers\n{site.log}")
        with database.read() as tx:
            first = list(tx.execute(text("SELECT pid FROM worker")).scalars())
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: number(database, workers) == 4, f"two more workers\n{site.log}", 30)
        process.terminate()
        assert ended(process, 10) == 0, site.log


# --- told to stop ------------------------------------------------------------------------------------


def test_sigterm_finishes_the_open_transaction_and_stops(tmp_path, undisturbed):
    with installed(tmp_path, "postgresql", SHORT) as (site, database):
        with stalled(database, "day_total") as waiting:
            process = site.start("rate", *SHORT.window)
            eventually(waiting, f"a transaction\n{site.log}")
            process.terminate()
            time.sleep(1)
            assert process.poll() is None, f"it left its transaction\n{site.log}"
            assert number(database, FRAMES) == 0
        assert ended(process, 10) == STOPPED, site.log
        assert number(database, FRAMES) == SHORT.scopes
        assert number(database, BLOCKS) == 0
        assert number(database, "SELECT count(*) FROM worker") == 0
        settled(site, SHORT, undisturbed(SHORT))


PROMETHEUS = """\
metrics:
  instance_seconds:
    unit: h
    groupby: [id, flavor]
"""


@pytest.mark.parametrize("when", ["usage", "begins", "scopes"])
def test_sigterm_does_not_wait_for_a_source_that_hangs(when, tmp_path):
    faults = [] if when != "usage" else [Fault("hang")]
    with Synthetic(Catalogue.of(3, periods=5), faults) as source:
        if when != "usage":
            source.hanging = {when}
        with new_database("sqlite", create=False) as database:
            site = Installation(tmp_path, str(database), {
                "collect": {"collector": "prometheus"}, "fetcher": {"backend": "prometheus"},
                "collector_prometheus": {"prometheus_url": source.url},
                "fetcher_prometheus": {"prometheus_url": source.url, "metric": "instance_seconds"},
            })
            site.prepare(metrics=PROMETHEUS, rules="")
            begin, end = map(instant, (source.catalogue.begin, source.catalogue.end))
            process = site.start(*(["rate", "--begin", begin, "--end", end] if when == "usage" else ["processor"]))
            eventually(lambda: source.counts[when] > 0, f"a question\n{site.log}", 30)
            time.sleep(0.3)
            began = time.monotonic()
            process.terminate()
            assert ended(process, 20) == (STOPPED if when == "usage" else 0), site.log
            assert time.monotonic() - began < 10
