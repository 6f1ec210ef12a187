"""Which metric definitions a ledger is rated by: one set for all workers."""
from __future__ import annotations

import threading
from datetime import timedelta
from hashlib import sha256

import pytest

from cloudkitty_like.db import workers
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.acceptance import ReplacedDefinitions
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.worker_state import ALIVE_WITHIN, WorkerState
from cloudkitty_like.service.ledger.writer import RatedPeriod
from cloudkitty_like.service.metrics.acceptance import (
    Acceptances,
    DefinitionsDiffer,
    DefinitionsHeld,
    difference,
)
from cloudkitty_like.service.metrics.definitions import MetricsFile
from cloudkitty_like.service.pricing import rulesets
from cloudkitty_like.service.reports.history import METRICS, ChangeHistory, HistoryFilter
from tests.books import NOW, Books, at


def file(*names: str, skip: str = "False") -> MetricsFile:
    text = "metrics:\n" + "".join(f"  {name}: {{unit: h}}\n" for name in names)
    return MetricsFile((), text, sha256((text + skip).encode()).hexdigest(), skip)


OLD, NEW, OTHER = file("cpu"), file("cpu", "gpu"), file("gpu")


@pytest.fixture
def books(database):
    return Books(database)


@pytest.fixture
def acceptances(books):
    return Acceptances(books.database, lambda: NOW, "tester")


def seen(books, name, definitions, ago=timedelta(0)):
    """A worker on that host left a heartbeat so long ago; its id."""
    beat = WorkerState(f"{name}:1:now", name, 1, NOW, NOW - ago, "", NOW, 0, 0, 0, 0, {}, definitions.digest)
    with books.database.write() as tx:
        workers.beat(tx, beat)
    return beat.id


def holding(acceptances):
    accepted = acceptances.current()
    return accepted and accepted.digest


def test_i8_b8_a_worker_that_is_alone_accepts_its_own_and_the_history_says_so(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    acceptances.settle(OLD, "north:1:now", 0)                      # it stays so
    acceptances.settle(NEW, seen(books, "north", NEW), 1)          # the file was edited, and the worker restarted
    assert holding(acceptances) == NEW.digest
    told = [(entry.first, entry.cause, entry.summary, entry.reason)
            for entry in ChangeHistory(books.database).entries(HistoryFilter(kinds=(METRICS,)))]
    assert told == [(1, "start", "1 metric", "worker north:1: the first of this ledger"),
                    (2, "start", "gpu added", "worker north:1: no other was at work")]
    assert acceptances.text() == NEW.text


def test_i8_b8_where_another_is_at_work_by_others_it_refuses_and_names_both(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    with pytest.raises(DefinitionsHeld, match=r"south:1 has other metric definitions .* than north:1 "):
        acceptances.settle(NEW, seen(books, "south", NEW), 1)
    assert holding(acceptances) == OLD.digest
    standing = acceptances.standing()
    assert standing is not None
    assert [beat.host for beat in standing.differing] == ["south"]
    assert "south:1" in str(standing)
    assert "north:1" in str(standing)


def test_i8_b8_one_that_only_waits_holds_nobody_up(books, acceptances):
    # All hosts were given the new file and are restarted one by one: the last of the old is gone.
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    seen(books, "south", NEW)
    with books.database.write() as tx:
        workers.leave(tx, "north:1:now", None, NOW)
    acceptances.settle(NEW, seen(books, "north", NEW), 1)
    assert holding(acceptances) == NEW.digest


def test_i8_b8_a_worker_that_was_not_seen_for_long_holds_nobody_up(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    seen(books, "north", OLD, ALIVE_WITHIN + timedelta(seconds=1))
    acceptances.settle(NEW, seen(books, "south", NEW), 1)
    assert holding(acceptances) == NEW.digest


def test_i8_b8_the_place_of_one_that_restarts_is_not_taken_at_once(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    with books.database.write() as tx:
        workers.leave(tx, "north:1:now", None, NOW)
    with pytest.raises(DefinitionsDiffer, match="a moment ago"):
        acceptances.settle(NEW, seen(books, "south", NEW), 1, patient=True)
    acceptances.settle(NEW, "south:1:now", 1)
    assert holding(acceptances) == NEW.digest


def test_i8_b8_what_an_operator_replaced_does_not_come_back_by_a_restart(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    change = acceptances.accept(NEW, "GPUs are sold from today on")
    assert str(change) == "gpu added"
    with pytest.raises(DefinitionsDiffer, match=r"north:1 .* than tester has accepted for all workers .*GPUs are sold"):
        acceptances.settle(OLD, "north:1:now", 1)          # it runs on
    with pytest.raises(DefinitionsDiffer, match="GPUs are sold"):
        acceptances.settle(OLD, "north:1:now", 2)          # it was restarted
    acceptances.settle(NEW, seen(books, "north", NEW), 2)
    acceptances.settle(OTHER, seen(books, "north", OTHER), 2)      # another edit, in one step as before
    assert holding(acceptances) == OTHER.digest


def test_i8_b8_what_an_operator_accepts_is_not_undone_by_one_that_waited(books, acceptances):
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    with pytest.raises(DefinitionsHeld):
        acceptances.settle(OTHER, seen(books, "south", OTHER), 1)
    acceptances.accept(NEW, "agreed")
    with books.database.write() as tx:
        workers.leave(tx, "north:1:now", None, NOW)
    with pytest.raises(DefinitionsDiffer, match="agreed"):
        acceptances.settle(OTHER, "south:1:now", 1)
    assert acceptances.accept(NEW, "again") is None
    with pytest.raises(Invalid, match="reason"):
        acceptances.accept(OTHER, " ")


def decided_at_once(books, files):
    """What became of workers on these hosts that decide at the same moment: None, or the error, by host."""
    outcomes: dict[str, object] = {}
    ready = threading.Barrier(len(files))

    def decide(name, definitions):
        mine = Database(books.database.url.render_as_string(hide_password=False))
        ready.wait(30)
        try:
            Acceptances(mine, lambda: NOW, name).settle(definitions, f"{name}:1:now", 0)
            outcomes[name] = None
        except DefinitionsHeld as error:
            outcomes[name] = str(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=decide, args=item) for item in files.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_i8_b8_of_two_that_start_at_once_one_transaction_decides(books, acceptances):
    files = {"north": OLD, "south": NEW}
    for name, definitions in files.items():
        seen(books, name, definitions)
    outcomes = decided_at_once(books, files)
    (winner,) = [name for name, error in outcomes.items() if error is None]
    assert len(outcomes) == 2
    assert holding(acceptances) == files[winner].digest


def version_of(books, definitions):
    return rulesets.current(books.database, metrics=definitions.text, digest=definitions.digest, software="1",
                            now=NOW).version


@pytest.mark.parametrize("again", [False, True], ids=["new", "rated before"])
def test_i8_b8_what_was_measured_by_replaced_definitions_does_not_count(books, acceptances, again):
    """Not even of a worker that was suspended while others went on: the transaction that publishes looks."""
    acceptances.settle(OLD, seen(books, "north", OLD), 0)
    ruleset, state = version_of(books, OLD), books.scope("alice", due=at(0).begin)
    if again:
        books.ledger.record([RatedPeriod(state, at(0), ())], ruleset)
        books.back_to(state, at(0).begin)
    acceptances.accept(NEW, "agreed")
    changes = books.changes()
    with pytest.raises(ReplacedDefinitions, match="tester"):
        books.ledger.record([RatedPeriod(books.state("alice"), at(0), ())], ruleset)
    assert books.state("alice").due == at(0).begin
    assert books.changes() == changes
    books.ledger.record([RatedPeriod(books.state("alice"), at(0), ())], version_of(books, NEW))
    assert books.state("alice").due == at(1).begin


def test_a_difference_names_metrics():
    assert str(difference(OLD.text, NEW.text)) == "gpu added"
    assert str(difference(NEW.text, OLD.text)) == "gpu removed"
    assert str(difference(OLD.text, OLD.text.replace("h}", "s}"), skip=True)) == (
        "cpu changed; skip_datapoints_expression changed")
    assert str(difference(OLD.text, OLD.text + "# a remark\n")) == "the same metrics, written differently"
