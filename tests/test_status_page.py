"""``status`` in broken installations: each row and exit code as the page on operation says."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from cloudkitty_like.db import scopes, settings, workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import holes, tasks
from cloudkitty_like.db.ledger import writes as index
from cloudkitty_like.db.rules import modules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.hole import UNKNOWN
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.scope_state import RATING, ScopeFailure
from cloudkitty_like.domain.task import TaskFailure
from cloudkitty_like.domain.worker_state import MODULES, SOURCE, WorkerState
from cloudkitty_like.service.operation import migration
from cloudkitty_like.service.rule_changes.change_log import recorded
from tests.cli.small import METRICS, RULES, USAGE, Site
from tests.commands import Here, command
from tests.fake_http import Reply, serve, vector

PAGE = Path(__file__).parents[1] / "doc" / "source" / "operation.rst"
NOW = datetime.now(UTC)


def rows() -> dict[str, tuple[str, str, int]]:
    """What the page's table says: row, state and exit code by what is wrong."""
    table = PAGE.read_text(encoding="utf-8").partition(".. list-table:: What is wrong")[2]
    found = re.findall(r"^   \* - (.+)\n     - (.+)\n     - (\w+)\n     - (\d)$", table, re.MULTILINE)
    return {wrong: (row, state, int(code)) for wrong, row, state, code in found}


@dataclass
class Broken:
    """A small installation that was well, and how ``status`` is asked in it."""

    site: Site
    stack: ExitStack = field(default_factory=ExitStack)
    within: Callable[[list[str]], list[str]] = list        # what is run instead of a command

    @contextmanager
    def database(self) -> Iterator[Database]:
        made = Database(f"sqlite:///{self.site.path}/state.sqlite")
        try:
            yield made
        finally:
            made.close()

    def change(self, work: Callable[..., object]) -> None:
        """``work(tx)`` in the installation's database."""
        with self.database() as database, database.write() as tx:
            work(tx)

    def goes_on(self) -> None:
        """The source does not end: something is due, up to now."""
        self.change(lambda tx: settings.set_source_ends(tx, None))

    def worker(self, *, seen: timedelta = timedelta(0), metrics: str | None = None, blocked: str | None = None) -> None:
        beat = WorkerState("north:7:x", "north", 7, NOW, datetime.now(UTC) - seen, "waiting, as it cannot", NOW,
                           0, 0, 0, 0, {}, metrics, blocked)
        self.change(lambda tx: workers.beat(tx, beat))

    def status(self) -> tuple[int, dict[str, tuple[str, str]]]:
        run = subprocess.run(self.within(command("--config-file", self.site.conf, "status", "--json")),
                             capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in run.stderr, run.stderr
        assert run.stdout, run.stderr
        return run.returncode, {check["check"]: (check["state"], check["detail"]) for check in json.loads(run.stdout)}


# --- how each is broken -----------------------------------------------------------------------------


def prometheus(broken: Broken, url: str, **options: str) -> None:
    broken.site.configure(collect={"collector": "prometheus"},
                          collector_prometheus={"prometheus_url": url, "guard": "", **options})


def answering(broken: Broken, reply: Reply) -> None:
    fake = broken.stack.enter_context(serve(lambda asked: reply))
    prometheus(broken, fake.url)


def module_gone(broken: Broken) -> None:
    with broken.database() as database:
        recorded(database, Change(NOW, "tester", "modules"),
                 lambda tx, number: modules.record(tx, number, "gone", modules.ModuleSetting(True, 1)))


def module_wrong(broken: Broken) -> None:
    broken.site.here.ok("modules", "enable", "pyscripts")
    broken.site.configure(rating_pyscripts={"isolation": "wishful"})


def schema(broken: Broken, version: str) -> None:
    broken.change(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version}))


def older(broken: Broken) -> None:
    with broken.database() as database:
        migration.downgrade(database, "0004")


def mounted(broken: Broken, script: str) -> None:
    """``status`` runs where ``script`` has mounted something on $1, the installation's directory."""
    broken.within = lambda command: ["unshare", "-m", "sh", "-ec", f'{script}; shift; exec "$@"', "sh",
                                     str(broken.site.path), *command]
    if subprocess.run(broken.within(["true"]), check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")


def no_worker(broken: Broken) -> None:
    broken.goes_on()
    broken.change(lambda tx: settings.set_daemon(tx, True))


def lost(broken: Broken, *, due: bool) -> None:
    if due:
        broken.goes_on()
    broken.worker(seen=timedelta(minutes=5))


def parked(broken: Broken) -> None:
    def work(tx):
        state = scopes.everything(tx)[0]
        scopes.fail(tx, [ScopeFailure(state.id, state.due, RATING, "rule 7 is wrong", None, 1)], NOW)

    broken.change(work)


def stopped(broken: Broken) -> None:
    broken.site.here.ok("reprocess", "start", "--scope", "alpha", "--begin", "2026-03-01", "--end", "2026-03-02",
                        "--reason", "late")

    def work(tx):
        (task,) = tasks.everything(tx, waiting=True)
        tasks.fail(tx, [TaskFailure(task.id, task.next, RATING, "rule 7 is wrong", None, 1)], NOW)

    broken.change(work)


def unknown(broken: Broken) -> None:
    def work(tx):
        state = scopes.everything(tx)[0]
        change = index.open_tx(tx, at=NOW, author="tester", cause="gap")
        holes.leave(tx, change, UNKNOWN, [(state.id, Period.starting(state.due, timedelta(hours=1)))])

    broken.change(work)


def misspelt(broken: Broken) -> None:
    (broken.site.path / "rules.yml").write_text(RULES.replace("instance", "instnace"))
    assert broken.site.here("rules", "apply", broken.site.path / "rules.yml").code == 0


BROKEN: dict[str, Callable[[Broken], None]] = {
    "The database cannot be reached": lambda broken: broken.site.configure(
        database={"connection": "postgresql://nobody@127.0.0.1:1/nothing"}),
    "The schema is that of an older release": older,
    "The schema is that of a newer release": lambda broken: schema(broken, "9999"),
    "The database cannot be written": lambda broken: mounted(
        broken, 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"'),
    "Less than 8 MiB are free beside an SQLite database": lambda broken: mounted(
        broken, 'cp -rT "$1" "$1.copy"; mount -t tmpfs -o size=6m none "$1"; cp -r "$1.copy/." "$1"'),
    "The storage of points cannot be reached": lambda broken: broken.site.configure(
        storage_sqlalchemy={"connection": "postgresql://nobody@127.0.0.1:1/nothing"}),
    "The coordination cannot be reached": lambda broken: broken.site.configure(
        orchestrator={"coordination_url": "redis://127.0.0.1:1"}),
    "The source cannot be reached": lambda broken: prometheus(broken, "http://127.0.0.1:1"),
    "The source refuses the credentials": lambda broken: answering(broken, Reply(401, b"who are you?")),
    "A worker at work gets no answer from the source": lambda broken: broken.worker(blocked=SOURCE),
    "The source answers, and has had no data of late": lambda broken: answering(broken, vector()),
    "A rating module that is on is not installed": module_gone,
    "A rating module that is on is configured wrongly": module_wrong,
    "A worker at work cannot load a rating module": lambda broken: broken.worker(blocked=MODULES),
    "No rating module is on": lambda broken: print(broken.site.here.ok("modules", "disable", "hashmap")),
    "metrics.yml is wrong": lambda broken: print((broken.site.path / "metrics.yml").write_text("metrics: {}")),
    "Two workers have different metric definitions": lambda broken: broken.worker(metrics="0" * 64),
    "metrics.yml was edited, and no worker was started since": lambda broken: print(
        (broken.site.path / "metrics.yml").write_text(METRICS.replace("instance:", "volume: {unit: GiB}, instance:"))),
    "No worker is at work, and something is due": no_worker,
    "A worker was lost, and something is due": lambda broken: lost(broken, due=True),
    "A worker was lost, and nothing is due": lambda broken: lost(broken, due=False),
    "A scope is parked or its source fails": parked,
    "A correction does not go on": stopped,
    "A period was left behind as unknown": unknown,
    "A name in rules or metrics.yml fits nothing": misspelt,
}


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose two days are rated, and nothing is wrong with it."""
    path = tmp_path_factory.mktemp("well")
    for name, content in (("usage.csv", USAGE), ("metrics.yml", METRICS), ("rules.yml", RULES)):
        (path / name).write_text(content)
    return path


@pytest.fixture
def broken(well: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Broken]:
    if not (well / "state.sqlite").exists():
        made = Site(well, Here(capsys, "--config-file", well / "rating.conf"))
        made.configure()
        made.rated()
    path = tmp_path / "site"
    shutil.copytree(well, path)
    site = Site(path, Here(capsys, "--config-file", path / "rating.conf"))
    site.configure()
    with ExitStack() as stack:
        yield Broken(site, stack)


def test_i8_s7_the_page_names_every_broken_installation_and_nothing_else() -> None:
    assert len(BROKEN) >= 12
    assert rows().keys() == BROKEN.keys()
    assert {state for _, state, _ in rows().values()} == {"error", "warning"}
    assert all(code == (state == "error") for _, state, code in rows().values())


def test_where_nothing_is_wrong_every_row_is_ok(broken: Broken) -> None:
    code, found = broken.status()
    assert code == 0
    assert {state for state, _ in found.values()} == {"ok"}, found


@pytest.mark.slow
@pytest.mark.parametrize("wrong", BROKEN)
def test_i8_s7_each_row_and_exit_code_is_as_the_page_says(broken: Broken, wrong: str) -> None:
    name, state, code = rows()[wrong]
    BROKEN[wrong](broken)
    exit_code, found = broken.status()
    # One that cannot be written may not be readable either, which the row before says.
    told = next((check for row, check in found.items() if row == name or row.startswith(f"{name} north")),
                found["database"])
    assert told[0] == state, found
    assert told[1]
    assert exit_code == code, found
